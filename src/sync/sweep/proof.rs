//! Missing is not deleted: what has to be true before a stored row is marked as gone from the source.
//!
//! Two sweeps read its place whole and did not find it; the account still sees the backup servers that it saw; the
//! source did not go back since; and the row is older than everything that the source still has, or is not returned by
//! identity in an answer that returns another row, which is there. A fuse keeps a mass of rows from being marked at
//! once: an account that sees less looks the same as a source that deletes.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{State, floor};
use crate::decode::{Decoded, references};
use crate::em::Query;
use crate::em::query::{Form, Sort};
use crate::kind::Entity;
use crate::kinds::{BACKUP_SERVERS, PARENTS};
use crate::store::{Commit, Doubt, Doubts, StoredRow, Sweep, SweepScope, SweepStep};
use crate::sync::read::{Reader, unless_unknown, until_cancelled};
use crate::sync::rewind;
use crate::sync::{Context, Error};
use crate::timestamp::{floor_second, format_second};

/// Rows that are looked at in one go.
const CHUNK: u32 = 2000;

/// More doubts than are worth counting.
const MANY: u32 = 50_000;

/// Holes that a sweep may mark: a share of what it compared, in percent, and bounds on that.
const FUSE_PERCENT: u64 = 5;
const FUSE_LEAST: u64 = 20;
const FUSE_MOST: u64 = 500;

/// How often rows are asked for where no row of the kind is left that could prove an answer.
const ALONE: usize = 3;

/// An object that sessions hang below has to be away for so long.
const PARENT_AWAY: TimeDelta = TimeDelta::hours(20);

/// Marks the rows that this sweep proves to be gone, and returns how many they are.
pub(super) async fn prove(reader: &mut Reader<'_>, state: &mut State) -> Result<u64, Error> {
    let mut total = 0;
    if !candidates(reader, state, None).await?.is_empty() {
        match evidence(reader, state).await? {
            Ok(evidence) => total = mark(reader, state, &evidence).await?,
            Err(reason) => state.unproven = Some(reason),
        }
    }
    if let Some(days) = &mut state.days {
        let context = reader.context;
        context.writer.flush().await?;
        for (server, day, count) in context.store.marked_by_day(context.em_id, reader.kind, state.sweep.from).await? {
            days.entry((server, day)).or_default().gone = count;
        }
    }
    Ok(total)
}

/// Rows that this sweep and one before it did not find, as many as are looked at in one go.
async fn candidates(reader: &Reader<'_>, state: &State, after: Option<StoredRow>) -> Result<Vec<StoredRow>, Error> {
    let context = reader.context;
    context.writer.flush().await?;
    let which = Doubts { after, ..confirmed(state.sweep.started_at) };
    let doubted = context.store.doubts(context.em_id, reader.kind.entity(), which).await?;
    Ok(doubted.into_iter().map(|doubted| doubted.row).collect())
}

/// What the sweep that began then did not find, and one before it neither.
fn confirmed(swept_at: DateTime<Utc>) -> Doubts {
    Doubts { doubt: Doubt::Absent, swept_at: Some(swept_at), least_sweeps: 2, after: None, limit: CHUNK }
}

struct Evidence {
    servers: HashSet<Uuid>,
    /// Servers that were listed once and are proven to be gone.
    removed: HashSet<Uuid>,
    /// Nothing older than this is left at the source.
    oldest: DateTime<Utc>,
    /// A row of the kind that the source has.
    control: Option<Uuid>,
}

impl Evidence {
    /// Whether the account sees the row's server.
    fn sees(&self, row: &StoredRow) -> bool {
        row.server.is_nil() || self.servers.contains(&row.server)
    }

    /// Whether rows remain that are older: it was not purged by age.
    fn is_hole(&self, row: &StoredRow) -> bool {
        row.creation_time >= self.oldest
    }

    /// Whether the row may be gone because the account sees less.
    fn may_be_hidden(&self, row: &StoredRow) -> bool {
        self.is_hole(row) && !self.removed.contains(&row.server)
    }
}

/// What can be said of the source as a whole, or why nothing can.
async fn evidence(reader: &mut Reader<'_>, state: &State) -> Result<Result<Evidence, String>, Error> {
    let context = reader.context;
    let (store, em_id) = (context.store, context.em_id);
    if let Some(went_back_at) = store.went_back_at(em_id).await? {
        let lowest = floor(store, em_id, reader.kind).await?.unwrap_or(state.sweep.from);
        let is_whole = |sweep: &Sweep| {
            sweep.scope != SweepScope::Recent
                && sweep.finished_at.is_some()
                && sweep.started_at > went_back_at
                && sweep.from <= lowest
        };
        if !store.sweeps(em_id, reader.kind).await?.iter().any(is_whole) {
            let at = format_second(went_back_at);
            return Ok(Err(format!("the source went back at {at}, and no full sweep was finished since")));
        }
    }
    let servers = listed(context, BACKUP_SERVERS).await?;
    let known = store.listed_parents(em_id, BACKUP_SERVERS, false).await?;
    let unseen = known.iter().filter(|server| !servers.contains(server)).count();
    if unseen > 0 {
        return Ok(Err(format!("{unseen} backup servers are not listed any more: does the account see less?")));
    }
    let removed = store.listed_parents(em_id, BACKUP_SERVERS, true).await?.into_iter().collect();
    let own = reader.oldest().await?;
    // Sessions are purged by age, whatever their type.
    let oldest = match own {
        Some((_, oldest)) => Some(oldest),
        None => rewind::oldest_of_all(reader).await?,
    };
    if oldest.is_none() {
        return Ok(Err("Enterprise Manager lists no session of any type: is it starting?".to_owned()));
    }
    // A listing that is not in the order that was asked for must not pass for a proof.
    let oldest = [oldest, state.oldest_listed].into_iter().flatten().min().unwrap_or(DateTime::UNIX_EPOCH);
    Ok(Ok(Evidence { servers, removed, oldest: floor_second(oldest), control: own.map(|(uid, _)| uid) }))
}

async fn mark(reader: &mut Reader<'_>, state: &mut State, evidence: &Evidence) -> Result<u64, Error> {
    let fuse = (state.sweep.compared * FUSE_PERCENT / 100).clamp(FUSE_LEAST, FUSE_MOST);
    let doubted = doubted_holes(reader, evidence).await?;
    let holes = doubted.len();
    let hiding: HashSet<Uuid> = doubted.iter().map(|hole| hole.server).collect();
    let is_blown = holes as u64 > fuse && !state.order.comparison.accepts_missing;
    if is_blown {
        state.unproven = Some(format!(
            "{holes} rows are gone that no purge by age explains, which is too many at once: does the account see less? \
             If they were deleted there, `vemsync verify --accept-missing` marks them"
        ));
    }
    let (mut total, mut unseen, mut after) = (0, 0, None);
    loop {
        let candidates = candidates(reader, state, after).await?;
        let Some(last) = candidates.last().copied() else { break };
        after = Some(last);
        let (mut gone, mut holes): (Vec<StoredRow>, Vec<StoredRow>) =
            candidates.into_iter().partition(|row| !evidence.is_hole(row));
        let all = gone.len() + holes.len();
        holes.retain(|row| evidence.sees(row));
        // A purge takes the oldest rows of a server; one that the account does not see takes all of them.
        gone.retain(|row| evidence.sees(row) || !hiding.contains(&row.server));
        unseen += all - gone.len() - holes.len();
        if !is_blown {
            let proven = not_returned(reader, &holes, evidence.control).await?;
            let all = holes.len();
            holes.retain(|row| proven.contains(&row.uid));
            if holes.len() < all {
                let reason = "some came when they were asked for by identity, or nothing did that proves the answer";
                state.unproven.get_or_insert_with(|| reason.to_owned());
            }
            gone.extend(holes);
        }
        if !gone.is_empty() {
            total += gone.len() as u64;
            mark_gone(reader, state, &gone).await?;
        }
    }
    if unseen > 0 {
        state.unproven.get_or_insert_with(|| format!("{unseen} rows are of backup servers that are not listed"));
    }
    Ok(total)
}

async fn mark_gone(reader: &Reader<'_>, state: &mut State, gone: &[StoredRow]) -> Result<(), Error> {
    for row in gone {
        if let Some(day) = state.days.as_mut().and_then(|days| days.get_mut(&day_of(row))) {
            day.unproven = day.unproven.saturating_sub(1);
        }
    }
    let mut step = SweepStep::new(state.sweep.clone());
    step.gone = gone.iter().map(|row| row.uid).collect();
    let mut commit = reader.commit();
    commit.sweep = Some(step);
    reader.context.writer.commit(commit).await
}

/// Rows that are gone from among others, as far as any sweep says so: a sweep over two days must not mistake the edge
/// of a mass deletion for a few rows.
async fn doubted_holes(reader: &Reader<'_>, evidence: &Evidence) -> Result<Vec<StoredRow>, Error> {
    let context = reader.context;
    let which = Doubts { doubt: Doubt::Absent, swept_at: None, least_sweeps: 1, after: None, limit: MANY };
    let doubted = context.store.doubts(context.em_id, reader.kind.entity(), which).await?;
    Ok(doubted.into_iter().map(|doubted| doubted.row).filter(|row| evidence.may_be_hidden(row)).collect())
}

fn day_of(row: &StoredRow) -> (Uuid, chrono::NaiveDate) {
    (row.server, row.creation_time.date_naive())
}

/// Those of the rows that the source does not return when asked for by identity.
async fn not_returned(
    reader: &mut Reader<'_>,
    rows: &[StoredRow],
    control: Option<Uuid>,
) -> Result<HashSet<Uuid>, Error> {
    let mut proven = HashSet::new();
    let room = reader.uids_a_request().saturating_sub(1).max(1);
    for some in rows.chunks(room) {
        reader.check_cancelled()?;
        let mut asked: Vec<Uuid> = some.iter().map(|row| row.uid).collect();
        asked.extend(control);
        let mut came = HashSet::new();
        for _ in 0..if control.is_some() { 1 } else { ALONE } {
            came.extend(reader.by_uid(&asked).await?.iter().flat_map(Decoded::identities));
        }
        if control.is_none_or(|control| came.contains(&control)) {
            proven.extend(some.iter().map(|row| row.uid).filter(|uid| !came.contains(uid)));
        }
    }
    Ok(proven)
}

/// Looks which servers, jobs, policies and plans are still listed; what two sweeps on two days do not find is gone.
pub(super) async fn sweep_parents(context: &Context<'_>, started_at: DateTime<Utc>) -> Result<(), Error> {
    let mut sees_less = false;
    for entity in PARENTS {
        let _share = context.gate.read().await;
        let listed = match listed(context, *entity).await {
            Err(error) if error.stops_all() => return Err(error),
            Err(Error::Unavailable) => continue,
            Err(error) => {
                tracing::debug!(kind = entity.name, %error, "not listed");
                continue;
            }
            Ok(listed) => listed,
        };
        let known = context.store.listed_parents(context.em_id, *entity, false).await?;
        let absent: Vec<Uuid> = known.iter().filter(|uid| !listed.contains(uid)).copied().collect();
        sees_less |= *entity == BACKUP_SERVERS && !absent.is_empty();
        let now = context.client.now();
        let too_many = absent.len() > 5 && absent.len() * 2 > known.len();
        let sweep = Sweep {
            finished_at: Some(now),
            compared: known.len() as u64,
            absent: absent.len() as u64,
            ..Sweep::begin(SweepScope::Full, started_at, started_at)
        };
        let mut step = SweepStep::new(sweep);
        step.absent = absent;
        let mut commit = Commit::new(context.em_id, *entity, None, now);
        commit.sweep = Some(step.clone());
        context.writer.commit(commit).await?;
        if too_many || sees_less && *entity != BACKUP_SERVERS {
            continue;
        }
        context.writer.flush().await?;
        let doubted = context.store.doubts(context.em_id, *entity, confirmed(started_at)).await?;
        let away = doubted.iter().filter(|doubted| now - doubted.since >= PARENT_AWAY);
        let still: Vec<Uuid> = away.map(|doubted| doubted.row.uid).collect();
        if !still.is_empty() {
            step.absent.retain(|uid| !still.contains(uid));
            step.gone = still;
            let mut commit = Commit::new(context.em_id, *entity, None, now);
            commit.sweep = Some(step);
            context.writer.commit(commit).await?;
        }
    }
    Ok(())
}

/// The identities of everything of a parent's type.
async fn listed(context: &Context<'_>, entity: Entity) -> Result<HashSet<Uuid>, Error> {
    let mut all = HashSet::new();
    let mut page = 1;
    loop {
        let query = Query {
            kind: entity.name,
            form: Form::References,
            filter: None,
            sort: Some(Sort::Ascending("Name")),
            page_size: context.options.page_size,
            page,
        };
        let accept = |body: &[u8]| {
            let found = references(body)?;
            query.check(found.paging, found.records)?;
            Ok(found)
        };
        let found = until_cancelled(context, context.client.query(&query, accept)).await?;
        let found = found.map_err(|source| Error::Read { kind: entity.name, window: format!("page {page}"), source });
        let found = unless_unknown(context.client, entity.name, found).await?;
        all.extend(found.uids);
        if page >= found.paging.pages {
            return Ok(all);
        }
        page += 1;
    }
}
