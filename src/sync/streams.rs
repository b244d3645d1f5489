//! The wide pass over one kind: every stream from its mark less its overlap, then what has not ended.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::plan::{self, SERVERS_A_REQUEST, Start};
use super::read::{Page, Reader, Scope};
use super::scan::Scan;
use super::{Error, Window, history, open, rewind};
use crate::kind::SessionKind;
use crate::planted::{self, Bug};
use crate::store::{Backfill, Commit, Field, Mark};
use crate::timestamp::floor_second;

/// A server that never sent a row need not be asked for again within this time.
const JUST_ASKED: TimeDelta = TimeDelta::minutes(10);

/// What is known of a kind's streams when a pass begins.
struct Streams {
    marks: HashMap<(Field, Uuid), Mark>,
    /// Where history begins that has been read once.
    floor: DateTime<Utc>,
    /// When that reading began.
    began_at: DateTime<Utc>,
    /// When servers that never sent a row were last asked for.
    asked: HashMap<Uuid, DateTime<Utc>>,
}

/// One wide pass over one kind.
pub(super) async fn wide(reader: &mut Reader<'_>) -> Result<(), Error> {
    let mut streams = Streams::load(reader).await?;
    if streams.is_none() {
        history::first(reader).await?;
        reader.context.writer.flush().await?;
        streams = Streams::load(reader).await?;
    }
    let Some(streams) = streams else {
        return Ok(());
    };
    let now = reader.context.client.now();
    let began_at = reader.context.clock.now();
    let at_marks = rewind::await_marks(reader).await?;
    // Within a day a list cannot have become empty by itself; older rows may have been purged.
    let newest = at_marks.iter().map(|row| row.creation_time).max();
    reader.seen_since = newest.filter(|newest| now - *newest < TimeDelta::days(1));
    let scanned = match creation(reader, &streams).await {
        // The service is up: its rows are gone indeed.
        Err(error) if error.is_too_empty() && rewind::oldest_of_all(reader).await?.is_some() => {
            reader.seen_since = None;
            creation(reader, &streams).await?
        }
        scanned => scanned?,
    };
    reader.seen_since = None;
    if rewind::has_gone_back(reader, &at_marks, &scanned, began_at).await? && !planted::is(Bug::MaxAfterReset) {
        rewind::rewind(reader, streams.floor).await?;
        history::first(reader).await?;
        return open::refresh(reader).await;
    }
    if end_and_open(reader, &streams).await? {
        return Ok(());
    }
    end(reader, &streams).await?;
    open::refresh(reader).await
}

impl Streams {
    /// `None` until the first history is read.
    async fn load(reader: &Reader<'_>) -> Result<Option<Self>, Error> {
        let (context, kind): (_, &SessionKind) = (reader.context, reader.kind);
        let backfills = context.store.backfills(context.em_id, kind).await?;
        let Some(first) = backfills.iter().find(|backfill| backfill.is_first_history()) else {
            return Ok(None);
        };
        let marks = context.store.marks(context.em_id, kind).await?;
        Ok(Some(Self {
            marks: marks.into_iter().map(|mark| ((mark.field, mark.server), mark)).collect(),
            floor: first.from,
            began_at: first.started_at,
            asked: backfills.iter().map(|backfill| (backfill.server, backfill.until)).collect(),
        }))
    }

    /// The starts of the streams that have a mark.
    fn starts(&self, field: Field, overlap: TimeDelta) -> Vec<Start> {
        let start = |mark: &Mark| Start {
            server: mark.server,
            from: scan_start(mark, overlap),
            rows_per_hour: mark.rows_per_hour,
        };
        self.marks.values().filter(|mark| mark.field == field).map(start).collect()
    }

    /// The servers whose streams a request for all servers covers, and rows that name none.
    fn covered(&self, field: Field, from: DateTime<Utc>, overlap: TimeDelta) -> impl Iterator<Item = Uuid> {
        let marks = self.marks.values().filter(move |mark| mark.field == field);
        let reaches = move |mark: &&Mark| {
            mark.server.is_nil() || scan_start(mark, overlap) >= floor_second(from) || planted::is(Bug::NoContiguity)
        };
        marks.filter(reaches).map(|mark| mark.server)
    }

    /// Servers that never sent a row of this kind: their history may arrive yet, so each is asked for from the floor.
    /// One request's worth of them at every pass, the others unless they were just asked for: passes that follow one
    /// upon another stay cheap, and a daemon's wide passes ask for all.
    fn never_seen(&self, reader: &Reader<'_>, now: DateTime<Utc>) -> Vec<Start> {
        let asked = |server: &Uuid| self.asked.get(server).copied().unwrap_or(DateTime::UNIX_EPOCH);
        let mut servers: Vec<Uuid> = reader.context.servers.clone();
        servers.retain(|server| !self.marks.contains_key(&(Field::Creation, *server)));
        servers.sort_by_key(|server| (asked(server), *server));
        let is_due = |server: &Uuid| now - asked(server) >= JUST_ASKED;
        servers
            .into_iter()
            .enumerate()
            .filter(|(i, server)| *i < SERVERS_A_REQUEST || is_due(server))
            .map(|(_, server)| Start { server, from: self.floor, rows_per_hour: 0.0 })
            .collect()
    }
}

/// Returns the servers whose streams were read.
async fn creation(reader: &mut Reader<'_>, streams: &Streams) -> Result<BTreeSet<Uuid>, Error> {
    let now = reader.context.client.now();
    let mut starts = streams.starts(Field::Creation, reader.context.options.overlap);
    let mut scanned: BTreeSet<Uuid> = starts.iter().map(|start| start.server).collect();
    starts.extend(streams.never_seen(reader, now));
    let known: BTreeSet<Uuid> = streams
        .marks
        .keys()
        .filter(|(field, _)| *field == Field::Creation)
        .map(|(_, server)| *server)
        .chain(starts.iter().map(|start| start.server))
        .collect();
    let is_empty = starts.is_empty() && known.is_empty();
    let mut plan = plan::plan(starts, reader.granted, now);
    if is_empty {
        // Nothing of this kind was ever seen, of no server: whatever comes first is found from the floor.
        plan.main = Some(streams.floor);
    }
    let mut strangers = BTreeSet::new();
    if let Some(from) = plan.main {
        // A request for all servers may reach back to the starts of those that were split off too.
        scanned.extend(streams.covered(Field::Creation, from, reader.context.options.overlap));
        let all = scan(reader, streams, Field::Creation, Scope::All, from, now).await?;
        // A server of whose history nothing was read gets no mark from its newest rows.
        strangers.extend(all.into_iter().filter(|server| !known.contains(server) && from > streams.floor));
    }
    for group in plan.apart {
        let from = group.iter().map(|start| start.from).min().unwrap_or(now);
        scan(reader, streams, Field::Creation, Scope::Servers(group), from, now).await?;
    }
    let strangers: Vec<Start> = strangers
        .into_iter()
        .filter(|server| !server.is_nil())
        .map(|server| Start { server, from: streams.floor, rows_per_hour: 0.0 })
        .collect();
    for group in strangers.chunks(SERVERS_A_REQUEST) {
        scan(reader, streams, Field::Creation, Scope::Servers(group.to_vec()), streams.floor, now).await?;
    }
    Ok(scanned)
}

/// What has ended and what has not, in one request, where that fits a page: the usual case, at half the requests.
async fn end_and_open(reader: &mut Reader<'_>, streams: &Streams) -> Result<bool, Error> {
    let now = reader.context.client.now();
    let plan = plan::plan(streams.starts(Field::End, reader.context.options.overlap), reader.granted, now);
    let (Some(from), []) = (plan.main, plan.apart.as_slice()) else {
        return Ok(false);
    };
    let everything = Window::since(DateTime::UNIX_EPOCH);
    let Page::Whole(decoded) = reader.window(Field::End, &Scope::OpenOrSince(from), everything).await? else {
        return Ok(false);
    };
    let returned = decoded.batch.uids().collect();
    let mut scan = Scan::new(Field::End, Scope::All, Window::since(from));
    scan.count(&decoded.batch);
    let mut commit = reader.commit();
    (commit.marks, commit.backfills) = risen(reader, streams, Field::End, &Scope::All, from, now, &scan);
    commit.batch = decoded.batch;
    commit.rejects = decoded.rejects;
    reader.context.writer.commit(commit).await?;
    open::reread(reader, &returned).await?;
    Ok(true)
}

async fn end(reader: &mut Reader<'_>, streams: &Streams) -> Result<(), Error> {
    let now = reader.context.client.now();
    let plan = plan::plan(streams.starts(Field::End, reader.context.options.overlap), reader.granted, now);
    if let Some(from) = plan.main {
        scan(reader, streams, Field::End, Scope::All, from, now).await?;
    }
    for group in plan.apart {
        let from = group.iter().map(|start| start.from).min().unwrap_or(now);
        scan(reader, streams, Field::End, Scope::Servers(group), from, now).await?;
    }
    Ok(())
}

/// Scans from a time on and lets the marks of the streams that this covers rise, with the rows of its last window:
/// the newest rows alone must not raise a mark over a gap. Returns the servers that had rows.
async fn scan(
    reader: &mut Reader<'_>,
    streams: &Streams,
    field: Field,
    scope: Scope,
    from: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<BTreeSet<Uuid>, Error> {
    let mut scan = Scan::new(field, scope.clone(), Window::since(from));
    while let Some(step) = scan.next(reader).await? {
        let mut commit = reader.commit();
        commit.batch = step.decoded.batch;
        commit.rejects = step.decoded.rejects;
        if step.is_last || planted::is(Bug::MarkPerWindow) {
            (commit.marks, commit.backfills) = risen(reader, streams, field, &scope, from, now, &scan);
        }
        if planted::is(Bug::MarkBeforeRows) {
            let early = Commit { marks: std::mem::take(&mut commit.marks), ..reader.commit() };
            reader.context.writer.commit(early).await?;
            reader.context.writer.flush().await?;
        }
        reader.context.writer.commit(commit).await?;
    }
    Ok(scan.greatest.into_keys().collect())
}

/// The marks after a scan, and what was read of servers that had nothing to mark.
fn risen(
    reader: &Reader<'_>,
    streams: &Streams,
    field: Field,
    scope: &Scope,
    from: DateTime<Utc>,
    now: DateTime<Utc>,
    scan: &Scan,
) -> (Vec<Mark>, Vec<Backfill>) {
    let least = reader.context.options.overlap;
    // Servers of one request have starts of their own.
    let hours = |server: Uuid| {
        let own = match scope {
            Scope::Servers(starts) => starts.iter().find(|start| start.server == server).map(|start| start.from),
            _ => None,
        };
        ((now - own.unwrap_or(from)).as_seconds_f64() / 3600.0).max(1.0)
    };
    let mut covered: BTreeSet<Uuid> = match scope {
        Scope::Servers(starts) => starts.iter().map(|start| start.server).collect(),
        _ => streams.covered(field, from, least).collect(),
    };
    if *scope == Scope::All && from <= streams.floor && field == Field::Creation {
        covered.extend(scan.greatest.keys());
        covered.extend(&reader.context.servers);
    }
    let (mut marks, mut backfills) = (Vec::new(), Vec::new());
    for server in covered {
        let old = streams.marks.get(&(field, server));
        let of_all = scan.greatest.values().max().filter(|_| planted::is(Bug::OneMark));
        let up = TimeDelta::seconds(i64::from(planted::is(Bug::MarkRoundedUp)));
        let seen = of_all.or(scan.greatest.get(&server)).map(|greatest| floor_second((*greatest).min(now)) + up);
        let Some(value) = seen.into_iter().chain(old.map(|old| old.mark)).max() else {
            backfills.push(Backfill {
                server,
                started_at: streams.began_at,
                from: streams.floor,
                until: now,
                first_marks: None,
                finished_at: Some(now),
                floor: None,
            });
            continue;
        };
        let overlap_seconds = least.num_seconds();
        let fresh = density(scan.rows.get(&server).copied().unwrap_or_default(), hours(server));
        let rows_per_hour = plan::blend(old, fresh, hours(server), now);
        marks.push(Mark { server, field, mark: value, scanned_at: now, overlap_seconds, rows_per_hour });
        if field == Field::Creation && !streams.marks.contains_key(&(Field::End, server)) {
            marks.push(first_end_mark(server, now, least, rows_per_hour));
        }
    }
    (marks, backfills)
}

/// Where the scan of a stream begins: its overlap is the configured one, or wider where rows came later than that.
pub(super) fn scan_start(mark: &Mark, least: TimeDelta) -> DateTime<Utc> {
    floor_second(mark.mark - least.max(TimeDelta::seconds(mark.overlap_seconds)))
}

/// Where the ends of a server's sessions are followed from: all that ended before was read ended.
pub(super) fn first_end_mark(server: Uuid, now: DateTime<Utc>, overlap: TimeDelta, rows_per_hour: f64) -> Mark {
    Mark {
        server,
        field: Field::End,
        mark: floor_second(now - overlap),
        scanned_at: now,
        overlap_seconds: overlap.num_seconds(),
        rows_per_hour,
    }
}

/// Rows an hour.
#[expect(clippy::cast_precision_loss, reason = "a density need not be exact")]
pub(super) fn density(rows: u64, hours: f64) -> f64 {
    rows as f64 / hours
}
