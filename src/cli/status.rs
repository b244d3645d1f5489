//! `vemsync status`: how far the sync is, from what is in the database.

use std::io::{self, Write};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Exit, StatusArgs, print, terminal, work};
use crate::config::Settings;
use crate::escape;
use crate::store::{Collection, Collects, ManagerStatus, Schema, StreamStatus};

/// A server whose newest row is older than this is called silent.
const SILENT: chrono::TimeDelta = chrono::TimeDelta::days(1);

/// Prints the state of every Enterprise Manager, kind and server.
pub(super) async fn run(settings: &Settings, args: &StatusArgs) -> anyhow::Result<Exit> {
    let store = work::open(settings, Schema::Require).await?;
    let managers = store.status(true).await?;
    store.close().await;
    print(|out| {
        if args.json {
            write_json(out, &managers)
        } else {
            write_text(out, &managers, settings.sync.overlap, work::clock().now())
        }
    })?;
    Ok(Exit::Done)
}

fn write_json(out: &mut dyn Write, managers: &[ManagerStatus]) -> io::Result<()> {
    writeln!(out, "{}", escape::json(&serde_json::to_string_pretty(managers)?))
}

fn write_text(
    out: &mut dyn Write,
    managers: &[ManagerStatus],
    overlap: TimeDelta,
    now: DateTime<Utc>,
) -> io::Result<()> {
    if managers.is_empty() {
        return writeln!(out, "Nothing has been read yet: run `vemsync sync`.");
    }
    for manager in managers {
        let version = manager.api_version.as_deref().unwrap_or("unknown");
        writeln!(out, "{} at {} (API {version})", manager.name, manager.base_url)?;
        writeln!(out, "{}", writer(manager, now))?;
        writeln!(out, "{}", collection(&manager.collection, now))?;
        if let Some(went_back_at) = manager.went_back_at {
            let at = terminal::time(went_back_at);
            writeln!(
                out,
                "it showed older data than before on {at}, as after a restore; everything is read again since"
            )?;
        }
        writeln!(out)?;
        let mut kinds = terminal::table(["KIND", "ROWS", "OPEN", "REJECTS", "LAST PASS", "LAST SWEEP", "OUTCOME"]);
        for kind in &manager.kinds {
            let mut outcome = match &kind.last_outcome {
                Some(outcome) => outcome.clone(),
                None if kind.streams.is_empty() && kind.backfill_reached.is_none() => "never read".to_owned(),
                None => "not finished yet".to_owned(),
            };
            if let Some(reached) = kind.backfill_reached {
                outcome = format!("{outcome}; history is read back to {}", terminal::time(reached));
            }
            if kind.mended > 0 {
                outcome = format!("{outcome}; sweeps mended {} rows", kind.mended);
            }
            if let Some(error) = &kind.last_error {
                outcome = format!("{outcome}: {}", terminal::shortened(&escape::control(error)));
            }
            kinds.add_row([
                kind.kind.to_owned(),
                kind.rows.unwrap_or_default().to_string(),
                kind.open.to_string(),
                kind.rejects.to_string(),
                terminal::maybe_time(kind.last_pass_at),
                terminal::maybe_time(kind.last_sweep_at),
                outcome,
            ]);
        }
        terminal::align_right(&mut kinds, 1..=3);
        writeln!(out, "{}\n", kinds.trim_fmt())?;
        write_streams(out, manager, overlap)?;
    }
    Ok(())
}

fn writer(manager: &ManagerStatus, now: DateTime<Utc>) -> String {
    match &manager.lease {
        None => "nobody has written yet".to_owned(),
        Some(lease) => {
            let (holder, until) = (escape::control(&lease.holder), terminal::time(lease.expires_at));
            if lease.expires_at > now {
                format!("{holder} writes, until {until} or longer")
            } else {
                format!("nobody writes; the last was {holder}, until {until}")
            }
        }
    }
}

fn collection(collection: &Collection, now: DateTime<Utc>) -> String {
    match collection.goes_on(now) {
        Collects::Yes => {
            let last = terminal::maybe_time(collection.collected_at);
            format!("Enterprise Manager collects from its backup servers, the last time at {last}")
        }
        Collects::No(why) => {
            let why = escape::control(&why);
            format!("Enterprise Manager stopped collecting from its backup servers: {why}")
        }
        Collects::NotKnown(why) => {
            format!("whether Enterprise Manager itself collects from its backup servers is not known: {why}")
        }
    }
}

fn write_streams(out: &mut dyn Write, manager: &ManagerStatus, overlap: TimeDelta) -> io::Result<()> {
    let mut streams = terminal::table(["SERVER", "KIND", "CREATION MARK", "END MARK", "READ UP TO", ""]);
    for kind in &manager.kinds {
        for stream in &kind.streams {
            let name = match &stream.backup_server_name {
                Some(name) => escape::control(name).into_owned(),
                None if stream.backup_server_uid.is_nil() => "(names no server)".to_owned(),
                None => stream.backup_server_uid.to_string(),
            };
            streams.add_row([
                name,
                kind.kind.to_owned(),
                terminal::maybe_time(stream.creation_mark),
                terminal::maybe_time(stream.end_mark),
                terminal::time(stream.scanned_at),
                remark(stream, overlap, kind.backfill_reached.is_some()),
            ]);
        }
    }
    if streams.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}\n", streams.trim_fmt())
}

fn remark(stream: &StreamStatus, overlap: TimeDelta, is_read_again: bool) -> String {
    if is_read_again {
        return "is read again from its floor".to_owned();
    }
    let mut remarks = Vec::new();
    let newest = stream.creation_mark.max(stream.end_mark);
    if let Some(silent) = newest.map(|newest| stream.scanned_at - newest).filter(|silent| *silent > SILENT) {
        let days = silent.num_days();
        remarks.push(format!("silent for {days} {}", if days == 1 { "day" } else { "days" }));
    }
    if stream.overlap_seconds > overlap.num_seconds() {
        let minutes = stream.overlap_seconds / 60;
        let overlap = if minutes % 60 == 0 { format!("{} h", minutes / 60) } else { format!("{minutes} min") };
        remarks.push(format!("rows came late: overlap {overlap}"));
    }
    remarks.join("; ")
}
