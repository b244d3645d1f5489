//! `vemsync verify`: what is stored, compared with what Enterprise Manager has.

use std::io::{self, Write};

use chrono::{DateTime, NaiveDate, Utc};
use clap::Args;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use uuid::Uuid;

use super::{Exit, backfill, complain, print, sync, terminal, work};
use crate::config::{ManagerSettings, Place, Problem, Problems, Settings};
use crate::escape;
use crate::lifecycle::Signals;
use crate::store::{Schema, Store};
use crate::sync::{Comparison, DayCount, Error, SweepOutcome, SweepSummary};
use crate::telemetry;

/// Arguments of `verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// From when: 2026-01-01 (UTC), or 2026-01-01T06:00:00+02:00 [default: all that was read]
    #[arg(long, value_name = "DATE", value_parser = backfill::date)]
    pub since: Option<DateTime<Utc>>,

    /// Store what is missing or different here
    #[arg(long)]
    pub repair: bool,

    /// Mark rows as missing at the source however many they are at once; only where you know that they were deleted
    #[arg(long)]
    pub accept_missing: bool,

    /// Print JSON, every day of it
    #[arg(long)]
    pub json: bool,
}

impl VerifyArgs {
    fn comparison(&self) -> Comparison {
        Comparison { since: self.since, stores: self.repair, accepts_missing: self.accept_missing }
    }
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    is_equal: bool,
    managers: Vec<ManagerReport>,
}

#[derive(Debug, Serialize)]
struct ManagerReport {
    enterprise_manager: String,
    is_equal: bool,
    requests: u64,
    kinds: Vec<KindReport>,
}

#[derive(Debug, Serialize)]
struct KindReport {
    kind: &'static str,
    /// Whether this Enterprise Manager does not know the type.
    is_unavailable: bool,
    /// Null where the comparison did not reach its end.
    finished_at: Option<DateTime<Utc>>,
    error: Option<String>,
    compared_from: Option<DateTime<Utc>>,
    #[serde(flatten)]
    total: Counts,
    /// Of what differs, what a pass may still mend: it has not ended, or is newer than the last pass.
    unsettled: u64,
    /// Rows found to be gone from the source by this comparison.
    newly_marked: u64,
    unproven_because: Option<String>,
    max_lateness_seconds: Option<i64>,
    days: Vec<DayReport>,
}

#[derive(Debug, Serialize)]
struct DayReport {
    backup_server_uid: Option<Uuid>,
    backup_server_name: Option<String>,
    day: NaiveDate,
    #[serde(flatten)]
    counts: Counts,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Counts {
    equal: u64,
    missing_here: u64,
    different: u64,
    missing_there_unproven: u64,
    missing_there_proven: u64,
}

impl From<DayCount> for Counts {
    fn from(count: DayCount) -> Self {
        Self {
            equal: count.equal,
            missing_here: count.missing,
            different: count.different,
            missing_there_unproven: count.unproven,
            missing_there_proven: count.gone,
        }
    }
}

/// Compares every configured Enterprise Manager.
pub(super) async fn run(settings: &Settings, args: &VerifyArgs) -> anyhow::Result<Exit> {
    if let Some(since) = args.since.filter(|since| *since > work::clock().now()) {
        let what = format!("--since {} lies in the future", since.to_rfc3339());
        return Err(Problems::from(Problem::new(Place::Flag("verify"), what, "give an earlier --since")).into());
    }
    let cancel = CancellationToken::new();
    let _signals = Signals::cancel(cancel.clone(), Exit::Interrupted);
    let store = work::open(settings, Schema::Require).await?;
    let mut worst = Exit::Done;
    let mut report = Report { is_equal: true, managers: Vec::new() };
    for manager in &settings.managers {
        let compared = verify(settings, manager, store.clone(), &cancel, args);
        match compared.instrument(telemetry::manager(&manager.name)).await {
            Ok(summary) => {
                let names = store.server_names().await?;
                let manager = manager_report(&manager.name, &summary, |server| names.get(&server).cloned());
                let exit = if manager.is_equal { Exit::Done } else { Exit::Incomplete };
                worst = sync::worse(worst, exit);
                if !args.json {
                    print(|out| write_text(out, &manager, args))?;
                }
                report.managers.push(manager);
            }
            Err(error) => {
                complain(&format!("{}: {}", manager.name, escape::chain(&error)));
                worst = sync::worse(worst, work::exit(&error));
            }
        }
        if matches!(worst, Exit::Database | Exit::Interrupted) {
            break;
        }
    }
    store.close().await;
    report.is_equal = worst == Exit::Done;
    if args.json {
        print(|out| writeln!(out, "{}", escape::json(&serde_json::to_string_pretty(&report)?)))?;
    }
    Ok(worst)
}

async fn verify(
    settings: &Settings,
    manager: &ManagerSettings,
    store: std::sync::Arc<dyn Store>,
    cancel: &CancellationToken,
    args: &VerifyArgs,
) -> Result<SweepSummary, Error> {
    let syncer = work::connect(manager, store, cancel.clone()).await?;
    let outcome = syncer.verify(args.comparison(), &work::options(settings)).await;
    syncer.log_off().await;
    let mut summary = outcome?;
    summary.requests = syncer.client().requests();
    Ok(summary)
}

fn manager_report(name: &str, summary: &SweepSummary, server_name: impl Fn(Uuid) -> Option<String>) -> ManagerReport {
    ManagerReport {
        enterprise_manager: name.to_owned(),
        is_equal: summary.is_equal() && summary.is_finished(),
        requests: summary.requests,
        kinds: summary.kinds.iter().map(|outcome| kind_report(outcome, &server_name)).collect(),
    }
}

fn kind_report(outcome: &SweepOutcome, server_name: impl Fn(Uuid) -> Option<String>) -> KindReport {
    let mut total = DayCount::default();
    outcome.days.values().for_each(|day| total.add(*day));
    let sweep = outcome.sweep.as_ref();
    let days = outcome.days.iter().map(|((server, day), counts)| DayReport {
        backup_server_uid: (!server.is_nil()).then_some(*server),
        backup_server_name: server_name(*server),
        day: *day,
        counts: (*counts).into(),
    });
    KindReport {
        kind: outcome.kind,
        is_unavailable: outcome.is_unavailable(),
        finished_at: sweep.and_then(|sweep| sweep.finished_at),
        error: outcome.result.as_ref().err().filter(|_| !outcome.is_unavailable()).map(|error| escape::chain(error)),
        compared_from: sweep.map(|sweep| sweep.from),
        total: total.into(),
        unsettled: outcome.unsettled,
        newly_marked: outcome.gone,
        unproven_because: outcome.unproven.clone(),
        max_lateness_seconds: sweep.and_then(|sweep| sweep.max_lateness_seconds),
        days: days.collect(),
    }
}

/// Days that are equal share one line a kind and server; days on which something differs have their own.
fn write_text(out: &mut dyn Write, manager: &ManagerReport, args: &VerifyArgs) -> io::Result<()> {
    let head = ["KIND", "SERVER", "DAY", "EQUAL", "MISSING HERE", "DIFFERENT", "MISSING THERE", "GONE THERE", ""];
    let mut table = terminal::table(head);
    for kind in &manager.kinds {
        let remark = match (&kind.error, kind.finished_at, kind.compared_from) {
            _ if kind.is_unavailable => "unavailable".to_owned(),
            (Some(error), _, _) => format!("FAILED: {}", terminal::shortened(error)),
            (None, None, None) => "DIFFERS: its history is not read yet; run `vemsync sync`".to_owned(),
            _ => String::new(),
        };
        if kind.days.is_empty() || !remark.is_empty() {
            let count = if kind.days.is_empty() { "0" } else { "" };
            table.add_row([kind.kind, "", "", count, count, count, count, count, &remark]);
        }
        let mut rest = kind.days.as_slice();
        while let Some(first) = rest.first() {
            let of_server = rest.iter().take_while(|day| day.backup_server_uid == first.backup_server_uid).count();
            let (days, others) = rest.split_at(of_server);
            rest = others;
            let server = match (&first.backup_server_name, first.backup_server_uid) {
                (Some(name), _) => escape::control(name).into_owned(),
                (None, Some(uid)) => uid.to_string(),
                (None, None) => "(names no server)".to_owned(),
            };
            let (equal, differing): (Vec<&DayReport>, Vec<&DayReport>) = days.iter().partition(|day| day.is_equal());
            if !equal.is_empty() {
                let sum = |of: fn(&Counts) -> u64| equal.iter().map(|day| of(&day.counts)).sum::<u64>();
                let counts = Counts {
                    equal: sum(|counts| counts.equal),
                    missing_here: 0,
                    different: 0,
                    missing_there_unproven: 0,
                    missing_there_proven: sum(|counts| counts.missing_there_proven),
                };
                let days = if equal.len() == 1 { equal[0].day.to_string() } else { format!("{} days", equal.len()) };
                add(&mut table, kind.kind, &server, &days, counts, "");
            }
            for day in differing {
                add(&mut table, kind.kind, &server, &day.day.to_string(), day.counts, "DIFFERS");
            }
        }
    }
    terminal::align_right(&mut table, 3..=7);
    writeln!(out, "{}", table.trim_fmt())?;
    write_remarks(out, manager, args)
}

fn write_remarks(out: &mut dyn Write, manager: &ManagerReport, args: &VerifyArgs) -> io::Result<()> {
    let sum = |of: fn(&KindReport) -> u64| manager.kinds.iter().map(of).sum::<u64>();
    let missing = sum(|kind| kind.total.missing_here);
    let different = sum(|kind| kind.total.different);
    let unproven = sum(|kind| kind.total.missing_there_unproven);
    let (equal, gone) = (sum(|kind| kind.total.equal), sum(|kind| kind.total.missing_there_proven));
    let name = &manager.enterprise_manager;
    let verdict = if manager.is_equal { "equal" } else { "NOT EQUAL" };
    writeln!(
        out,
        "{name}: {verdict}: {equal} rows equal, {missing} missing here, {different} different, {unproven} missing there, {gone} \
         provably gone there; {} requests",
        manager.requests
    )?;
    if missing + different > 0 {
        let unsettled = sum(|kind| kind.unsettled);
        if args.repair {
            writeln!(out, "What was missing here or different is stored now; run it again to see.")?;
        } else {
            writeln!(out, "`vemsync verify --repair` stores what is missing here or different.")?;
        }
        if unsettled > 0 {
            writeln!(
                out,
                "{unsettled} of these rows have not ended or are newer than the last pass: `vemsync sync` would have read them."
            )?;
        }
    }
    if manager.kinds.iter().any(|kind| kind.total.missing_there_unproven > 0 && kind.unproven_because.is_none()) {
        writeln!(
            out,
            "Rows missing there stay. Enterprise Manager may have purged them; a second run that does not find them either may prove it."
        )?;
    }
    for kind in &manager.kinds {
        if let Some(reason) = &kind.unproven_because {
            writeln!(out, "{}: not everything that is missing there was marked as gone: {reason}.", kind.kind)?;
        }
    }
    Ok(())
}

impl DayReport {
    fn is_equal(&self) -> bool {
        self.counts.missing_here + self.counts.different + self.counts.missing_there_unproven == 0
    }
}

fn add(table: &mut comfy_table::Table, kind: &str, server: &str, day: &str, counts: Counts, remark: &str) {
    table.add_row([
        kind,
        server,
        day,
        &counts.equal.to_string(),
        &counts.missing_here.to_string(),
        &counts.different.to_string(),
        &counts.missing_there_unproven.to_string(),
        &counts.missing_there_proven.to_string(),
        remark,
    ]);
}
