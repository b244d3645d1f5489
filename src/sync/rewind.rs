//! A source that went back: Enterprise Manager was restored from a backup, or installed anew.
//!
//! Its newest sessions are gone then, and others may come in their place, below the marks and under new identities. So
//! every wide pass looks whether the rows that gave the marks are still there; the scan brings them anyway. Where they
//! are not, the newest rows of their servers are asked for by identity, and what is left decides. Old rows that are
//! gone were purged, and that says nothing.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Error;
use super::read::Reader;
use crate::decode::Decoded;
use crate::store::{Backfill, StoredRow};
use crate::timestamp::{floor_second, format_second};

/// Rows of a server that are looked for.
const NEWEST: u32 = 20;

/// One warning is enough for all kinds.
const NEWS: chrono::TimeDelta = chrono::TimeDelta::hours(1);

/// Servers that are looked at: one is enough to know.
const SERVERS: usize = 10;

/// The rows that a scan from the marks has to bring.
pub(super) async fn await_marks(reader: &mut Reader<'_>) -> Result<Vec<StoredRow>, Error> {
    let rows = reader.context.store.rows_at_marks(reader.context.em_id, reader.kind).await?;
    reader.awaited = rows.iter().map(|row| row.uid).collect();
    Ok(rows)
}

/// Whether the source shows older data than before. `rows` are those that gave the marks, `scanned` the servers whose
/// streams were read since `began_at`, by this machine's clock: rows stored since then must not pass for the old
/// ones.
pub(super) async fn has_gone_back(
    reader: &mut Reader<'_>,
    rows: &[StoredRow],
    scanned: &BTreeSet<Uuid>,
    began_at: DateTime<Utc>,
) -> Result<bool, Error> {
    let absent = std::mem::take(&mut reader.awaited);
    let mut suspects: BTreeMap<Uuid, DateTime<Utc>> = BTreeMap::new();
    for row in rows.iter().filter(|row| scanned.contains(&row.server) && absent.contains(&row.uid)) {
        suspects.insert(row.server, row.creation_time);
    }
    // One row of a mark's second that is there shows that the server did not go back behind it.
    for row in rows.iter().filter(|row| !absent.contains(&row.uid)) {
        suspects.remove(&row.server);
    }
    // A server that is not listed was removed, or the account no longer sees it.
    suspects.retain(|server, _| reader.context.listed.as_ref().is_some_and(|listed| listed.contains(server)));
    if suspects.is_empty() {
        return Ok(false);
    }
    // Without a single row there is nothing to judge by: the service may be starting.
    let Some((_, oldest)) = reader.oldest().await? else {
        return Ok(false);
    };
    suspects.retain(|_, newest| *newest >= floor_second(oldest));
    for (server, newest) in suspects.into_iter().take(SERVERS) {
        if newest_are_gone(reader, server, newest, oldest, began_at).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a server's newest rows are gone, and not only one of them or the oldest.
async fn newest_are_gone(
    reader: &mut Reader<'_>,
    server: Uuid,
    newest: DateTime<Utc>,
    oldest: DateTime<Utc>,
    began_at: DateTime<Utc>,
) -> Result<bool, Error> {
    let context = reader.context;
    let until = newest + chrono::TimeDelta::seconds(1);
    let stored = context.store.newest_rows(context.em_id, reader.kind, server, until, began_at, NEWEST).await?;
    let uids: Vec<Uuid> = stored.iter().map(|row| row.uid).collect();
    let mut there: HashSet<Uuid> = HashSet::new();
    for some in uids.chunks(reader.uids_a_request()) {
        there.extend(reader.by_uid(some).await?.iter().flat_map(Decoded::identities));
    }
    let gone = stored.iter().take_while(|row| !there.contains(&row.uid)).filter(|row| row.creation_time >= oldest);
    // A single session may have been deleted; behind it, no time is lost in which others could appear.
    let gone: Vec<&StoredRow> = gone.collect();
    let [first, .., last] = gone.as_slice() else {
        return Ok(false);
    };
    announce(reader, server, last.creation_time, first.creation_time).await?;
    Ok(true)
}

/// Says that the sessions of a server between these times are gone.
async fn announce(
    reader: &Reader<'_>,
    server: Uuid,
    gone_from: DateTime<Utc>,
    gone_to: DateTime<Utc>,
) -> Result<(), Error> {
    let context = reader.context;
    let known_at = context.store.went_back_at(context.em_id).await?;
    let server = context.server_name(server).await?;
    let (gone_from, gone_to) = (format_second(gone_from), format_second(gone_to));
    if known_at.is_none_or(|at| context.client.now() - at > NEWS) {
        tracing::warn!(
            kind = reader.kind.name,
            server,
            gone_from,
            gone_to,
            "Enterprise Manager shows older data than before: the newest sessions of a backup server are gone. It was \
             probably restored from a backup or installed anew. Everything is read again; nothing that is stored is \
             deleted, and nothing is marked as missing until a full sweep is done"
        );
    } else {
        tracing::info!(kind = reader.kind.name, server, gone_from, gone_to, "the newest sessions are gone here, too");
    }
    Ok(())
}

/// The creation of the oldest session that the source has, of the reader's kind or else of any.
pub(super) async fn oldest_of_all(reader: &mut Reader<'_>) -> Result<Option<DateTime<Utc>>, Error> {
    if let Some((_, oldest)) = reader.oldest().await? {
        return Ok(Some(oldest));
    }
    let context = reader.context;
    let mut oldest = None;
    for kind in context.options.kinds.iter().filter(|kind| kind.name != reader.kind.name) {
        let mut other = Reader::new(context, kind);
        let found = other.oldest().await;
        reader.reads += other.reads;
        let found = match found {
            Err(error) if error.stops_all() => return Err(error),
            found => found.ok().flatten(),
        };
        oldest = [oldest, found.map(|(_, time)| time)].into_iter().flatten().min();
    }
    Ok(oldest)
}

/// Lets the marks of the kind fall to the floor, so that its history is read again down to there.
pub(super) async fn rewind(reader: &Reader<'_>, floor: DateTime<Utc>) -> Result<(), Error> {
    let now = reader.context.client.now();
    let mut commit = reader.commit();
    commit.rewind = Some(floor);
    commit.backfills.push(Backfill {
        server: Uuid::nil(),
        started_at: now,
        from: floor_second(now),
        until: now,
        first_marks: Some(Vec::new()),
        finished_at: None,
        floor: Some(floor),
    });
    reader.context.writer.commit(commit).await?;
    reader.context.writer.flush().await.map(drop)
}
