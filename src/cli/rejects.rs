//! `vemsync rejects`: records that could not be stored, with their raw text, and another try at them.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{Exit, RejectsCommand, complain, print, terminal, work};
use crate::config::Settings;
use crate::decode::{Decoded, decode};
use crate::escape;
use crate::kind::{Entity, SessionKind};
use crate::kinds;
use crate::lifecycle::Signals;
use crate::store::{Commit, RejectRow, Schema, Store};
use crate::sync::Turns;

/// Lists, shows or replays.
pub(super) async fn run(settings: &Settings, command: &RejectsCommand) -> anyhow::Result<Exit> {
    let store = work::open(settings, Schema::Require).await?;
    let rejects = store.rejects().await?;
    let exit = match command {
        RejectsCommand::List => list(&rejects)?,
        RejectsCommand::Show { id } => show(&rejects, *id)?,
        RejectsCommand::Replay => replay(&store, &rejects).await?,
    };
    store.close().await;
    Ok(exit)
}

fn list(rejects: &[RejectRow]) -> anyhow::Result<Exit> {
    print(|out| {
        if rejects.is_empty() {
            return writeln!(out, "No record was rejected.");
        }
        let mut table = terminal::table(["ID", "MANAGER", "KIND", "UID", "REASON", "LAST SEEN", "TIMES"]);
        for reject in rejects {
            table.add_row([
                reject.id.to_string(),
                reject.manager.clone(),
                reject.kind.clone(),
                escape::control(reject.uid.as_deref().unwrap_or("-")).into_owned(),
                escape::control(&reject.reason).into_owned(),
                terminal::time(reject.last_seen_at),
                reject.times.to_string(),
            ]);
        }
        writeln!(out, "{}", table.trim_fmt())
    })?;
    Ok(Exit::Done)
}

fn show(rejects: &[RejectRow], id: i64) -> anyhow::Result<Exit> {
    let Some(reject) = rejects.iter().find(|reject| reject.id == id) else {
        complain(&format!("there is no rejected record {id}: `vemsync rejects list` shows their numbers"));
        return Ok(Exit::Incomplete);
    };
    print(|out| {
        writeln!(out, "{} of {}: {}", reject.kind, reject.manager, escape::control(&reject.reason))?;
        let (first, last) = (terminal::time(reject.first_seen_at), terminal::time(reject.last_seen_at));
        writeln!(out, "seen {} times, from {first} to {last}\n", reject.times)?;
        let lines = reject.raw.split('\n').map(escape::control);
        lines.into_iter().try_for_each(|line| writeln!(out, "{line}"))
    })?;
    Ok(Exit::Done)
}

async fn replay(store: &Arc<dyn Store>, rejects: &[RejectRow]) -> anyhow::Result<Exit> {
    let cancel = CancellationToken::new();
    let _signals = Signals::cancel(cancel.clone(), Exit::Interrupted);
    let mut turns: BTreeMap<i64, Turns> = BTreeMap::new();
    let mut stored = 0;
    for reject in rejects {
        let Some((entity, session, decoded)) = decode_again(reject) else { continue };
        let turn = turns
            .entry(reject.em_id)
            .or_insert_with(|| Turns::new(store.clone(), work::clock(), reject.em_id, cancel.clone()));
        turn.take().await?;
        let now = work::clock().now();
        let mut commit = Commit::new(reject.em_id, entity, session, now);
        commit.batch = decoded.batch;
        // What is known of the row by now is newer than what was rejected then.
        commit.unless_changed_since = Some(reject.last_seen_at);
        store.commit(&[commit], now).await?;
        store.forget_reject(reject.id).await?;
        stored += 1;
    }
    for turn in turns.values() {
        turn.end().await;
    }
    print(|out| writeln!(out, "{stored} of {} rejected records are stored now.", rejects.len()))?;
    Ok(Exit::Done)
}

/// The record as this version of the program reads it, if it does.
fn decode_again(reject: &RejectRow) -> Option<(Entity, Option<&'static SessionKind>, Decoded)> {
    let session = kinds::kind(&reject.kind);
    let parent = kinds::PARENTS.iter().find(|entity| entity.name == reject.kind).copied();
    let entity = session.map(SessionKind::entity).or(parent)?;
    let page = format!(
        "<QueryResult><Entities><Rows>{}</Rows></Entities><PagingInfo PageNum=\"1\" PageSize=\"1\" PagesCount=\"1\"/></QueryResult>",
        reject.raw
    );
    decode(entity, page.as_bytes())
        .ok()
        .filter(|decoded| decoded.batch.len() == 1 && decoded.rejects.is_empty())
        .map(|decoded| (entity, session, decoded))
}
