//! One slice of a sweep: read at the source, compared here, committed.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{DayCount, State, WIDEST_OVERLAP};
use crate::batch::Batch;
use crate::decode::Decoded;
use crate::kinds::common;
use crate::planted::{self, Bug};
use crate::store::{Field, Likeness, StoredRow, SweepStep};
use crate::sync::Error;
use crate::sync::read::{Reader, Scope};
use crate::sync::scan::Scan;
use crate::sync::window::Window;
use crate::timestamp::floor_second;

/// The part of a page that a slice aims to fill, in percent: where it overflows, a request was for nothing.
const AIM: u32 = 75;

/// Rows that are fetched one by one; where more are missing, the slice is read whole.
const FEW: usize = 100;

/// Compares the next slice below what is done. Its lower end lies where the stored rows fill a page.
pub(super) async fn compare(reader: &mut Reader<'_>, state: &mut State) -> Result<(), Error> {
    let reached = state.sweep.reached;
    let to = state.is_begun.then_some(reached);
    let has_content = reached > state.content_from;
    let lowest = if has_content { state.sweep.from.max(floor_second(state.content_from)) } else { state.sweep.from };
    let granted = if has_content { reader.granted } else { reader.granted_references };
    let (from, stored) = stored_rows(reader, lowest, to, (granted * AIM / 100).max(1)).await?;
    let window = Window { from, to };
    if has_content {
        by_content(reader, state, window, stored).await
    } else {
        by_reference(reader, state, window, stored).await
    }
}

/// About so many of the newest rows below `to`, and the whole second where they begin.
async fn stored_rows(
    reader: &Reader<'_>,
    lowest: DateTime<Utc>,
    to: Option<DateTime<Utc>>,
    aim: u32,
) -> Result<(DateTime<Utc>, Vec<StoredRow>), Error> {
    let context = reader.context;
    let mut limit = aim;
    loop {
        let mut rows = context.store.stored_rows(context.em_id, reader.kind, lowest, to, limit).await?;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            return Ok((lowest, rows));
        };
        if rows.len() < limit as usize {
            return Ok((lowest, rows));
        }
        // The oldest second may have more rows than these.
        let from = floor_second(last.creation_time) + TimeDelta::seconds(1);
        if from <= first.creation_time {
            rows.retain(|row| row.creation_time >= from);
            return Ok((from, rows));
        }
        limit = limit.saturating_mul(4);
    }
}

/// Compares identities; only what is not stored is read.
async fn by_reference(
    reader: &mut Reader<'_>,
    state: &mut State,
    mut window: Window,
    mut stored: Vec<StoredRow>,
) -> Result<(), Error> {
    let found = loop {
        match reader.references(window).await? {
            Some(found) => break found,
            None if window.is_one_second() => return by_content(reader, state, window, stored).await,
            None => window = window.cut(None, reader.context.client.now()).0,
        }
    };
    stored.retain(|row| row.creation_time >= window.from);
    let listed: HashSet<Uuid> = found.uids.iter().copied().collect();
    let known: HashSet<Uuid> = stored.iter().map(|row| row.uid).collect();
    let unknown: Vec<Uuid> = listed.difference(&known).copied().collect();
    // A list without a row that is stored is not believed before the rows themselves were asked for, nor is an answer
    // without a list.
    let is_doubtful = !found.has_container || !known.is_subset(&listed);
    if is_doubtful || unknown.len() > FEW || found.records > found.uids.len() {
        return by_content(reader, state, window, stored).await;
    }
    let mut parts = Vec::new();
    for some in unknown.chunks(reader.uids_a_request()) {
        parts.extend(reader.by_uid(some).await?);
    }
    state.sweep.compared += stored.len() as u64;
    let mut slice = Slice::new(window, false);
    slice.see_listed(state, &stored);
    finish(reader, state, slice, parts).await
}

/// Reads the rows and compares their values.
async fn by_content(
    reader: &mut Reader<'_>,
    state: &mut State,
    window: Window,
    stored: Vec<StoredRow>,
) -> Result<(), Error> {
    let mut scan = Scan::new(Field::Creation, Scope::All, window);
    let mut parts: Vec<Decoded> = Vec::new();
    let mut upper = window.to;
    while let Some(step) = scan.next(reader).await? {
        parts.push(step.decoded);
        let Some(from) = step.reached else { continue };
        let parts = std::mem::take(&mut parts);
        let listed: HashSet<Uuid> = parts.iter().flat_map(Decoded::identities).collect();
        let is_inside = |row: &&StoredRow| row.creation_time >= from && upper.is_none_or(|to| row.creation_time < to);
        let (there, absent): (Vec<StoredRow>, Vec<StoredRow>) =
            stored.iter().filter(is_inside).partition(|row| listed.contains(&row.uid));
        let mut slice = Slice::new(Window { from, to: upper }, true);
        slice.see_listed(state, &there);
        for row in &absent {
            state.count(row.server, row.creation_time, DayCount { unproven: 1, ..DayCount::default() });
        }
        state.sweep.absent += absent.len() as u64;
        slice.absent = absent.iter().map(|row| row.uid).collect();
        finish(reader, state, slice, parts).await?;
        upper = Some(from);
    }
    Ok(())
}

/// What a slice found.
struct Slice {
    window: Window,
    has_content: bool,
    absent: Vec<Uuid>,
    reverted: Vec<Uuid>,
    /// Rows that are marked as missing and are there.
    returned: Vec<Uuid>,
    late: HashMap<Uuid, TimeDelta>,
}

impl Slice {
    fn new(window: Window, has_content: bool) -> Self {
        Self {
            window,
            has_content,
            absent: Vec::new(),
            reverted: Vec::new(),
            returned: Vec::new(),
            late: HashMap::new(),
        }
    }

    fn see_listed(&mut self, state: &mut State, rows: &[StoredRow]) {
        let oldest = rows.iter().map(|row| row.creation_time).min();
        state.oldest_listed = [state.oldest_listed, oldest].into_iter().flatten().min();
    }

    /// Judges a row that the source has.
    fn judge(&mut self, state: &mut State, row: &Row, stored: Option<&Likeness>) {
        state.sweep.compared += u64::from(self.has_content || stored.is_none());
        if stored.is_some_and(|like| like.is_marked) {
            self.returned.push(row.uid);
        }
        let is_reverted = |like: &Likeness| like.is_final && !row.is_finished && !like.is_marked;
        // An end that was seen once is not lost because it is not shown just now.
        let is_further = |like: &Likeness| like.is_final && row.is_finished && row.end.is_none();
        let count = match stored {
            Some(like) if like.is_equal || is_further(like) => DayCount { equal: 1, ..DayCount::default() },
            Some(like) if is_reverted(like) => {
                self.reverted.push(row.uid);
                DayCount { different: 1, ..DayCount::default() }
            }
            Some(like) => {
                let is_missed = like.is_final && row.is_below(state, Field::End) && !like.is_equal;
                state.sweep.different += u64::from(is_missed);
                state.unsettled += u64::from(!is_missed);
                DayCount { different: 1, ..DayCount::default() }
            }
            None => {
                // What runs is read at every pass, whenever it started.
                let is_missed = row.is_below(state, Field::Creation) && row.is_below(state, Field::End);
                if is_missed {
                    state.sweep.missing += 1;
                    self.note_lateness(state, row);
                }
                state.unsettled += u64::from(!is_missed);
                DayCount { missing: 1, ..DayCount::default() }
            }
        };
        state.count(row.server, row.created, count);
    }

    fn note_lateness(&mut self, state: &mut State, row: &Row) {
        if let Some((mark, _)) = state.starts.get(&(Field::Creation, row.server)) {
            let lateness = *mark - row.created;
            let late = self.late.entry(row.server).or_default();
            *late = lateness.max(*late);
            let most = state.sweep.max_lateness_seconds.unwrap_or_default();
            state.sweep.max_lateness_seconds = Some(most.max(lateness.num_seconds()));
        }
    }
}

/// A row that the source has, as far as it is judged.
struct Row {
    uid: Uuid,
    server: Uuid,
    created: DateTime<Utc>,
    /// Whether its state is one in which sessions end.
    is_finished: bool,
    /// When it ended; `None` while it has not.
    end: Option<DateTime<Utc>>,
}

impl Row {
    fn of(batch: &Batch, row: usize, finished: &[&str]) -> Option<Self> {
        let is_finished = batch.text_at(common::STATE, row).is_some_and(|state| finished.contains(&state));
        Some(Self {
            uid: batch.uid(row),
            server: batch.uid_at(common::BACKUP_SERVER_UID, row).unwrap_or_default(),
            created: batch.time_at(common::CREATION_TIME, row)?,
            is_finished,
            end: batch.time_at(common::END_TIME, row).filter(|_| is_finished),
        })
    }

    /// Whether the row lies below where the next pass will begin to read its stream.
    fn is_below(&self, state: &State, field: Field) -> bool {
        let time = if field == Field::Creation { Some(self.created) } else { self.end };
        let start = state.starts.get(&(field, self.server)).map(|(_, start)| *start);
        time.zip(start).is_some_and(|(time, start)| time < start)
    }
}

/// Compares the rows that were read, and commits what the slice gave.
async fn finish(
    reader: &mut Reader<'_>,
    state: &mut State,
    mut slice: Slice,
    parts: Vec<Decoded>,
) -> Result<(), Error> {
    let context = reader.context;
    // Where a second holds more rows than a page, some come again and again.
    let mut judged = HashSet::new();
    for part in &parts {
        let found = context.store.compare(&part.batch, reader.kind).await?;
        let found: HashMap<Uuid, Likeness> = found.into_iter().map(|like| (like.uid, like)).collect();
        for row in (0..part.batch.len()).filter_map(|row| Row::of(&part.batch, row, reader.kind.finished)) {
            if judged.insert(row.uid) {
                slice.judge(state, &row, found.get(&row.uid));
            }
        }
    }
    state.sweep.reached = slice.window.from;
    state.is_begun = true;
    let mut step = SweepStep::new(state.sweep.clone());
    step.slice = Some((slice.window.from, slice.window.to));
    step.has_content = slice.has_content;
    if planted::is(Bug::MissingAtOnce) {
        step.gone.clone_from(&slice.absent);
    }
    step.absent = slice.absent;
    if state.order.comparison.stores {
        step.reopened = slice.reverted.iter().filter(|uid| state.reopened.contains(uid)).copied().collect();
    }
    step.reverted = slice.reverted;
    step.returned = slice.returned;
    for (server, late) in &slice.late {
        let Some(overlap_seconds) = widen(state, *server, *late) else { continue };
        step.overlaps.push((*server, overlap_seconds));
        let server = context.server_name(*server).await?;
        tracing::warn!(
            server,
            late_seconds = late.num_seconds(),
            overlap_seconds,
            "sessions of a backup server came later than its overlap: it is read further back from now on"
        );
    }
    for part in parts {
        let mut commit = reader.commit();
        commit.rejects = part.rejects;
        if state.order.comparison.stores {
            commit.reopened = part.batch.uids().filter(|uid| step.reopened.contains(uid)).collect();
            commit.batch = part.batch;
        }
        context.writer.commit(commit).await?;
    }
    // Only now is the slice done.
    let mut last = reader.commit();
    last.sweep = Some(step);
    context.writer.commit(last).await
}

/// The overlap that a server needs whose rows come so late; doubled, for it will not be the last time.
fn widen(state: &mut State, server: Uuid, late: TimeDelta) -> Option<i64> {
    let overlap = state.overlaps.entry(server).or_default();
    let widest = WIDEST_OVERLAP.num_seconds();
    let mut wider = overlap.saturating_mul(2).max(900);
    // Beyond the widest, no overlap would have helped: one step is enough.
    while wider < late.num_seconds() && late <= WIDEST_OVERLAP {
        wider = wider.saturating_mul(2);
    }
    let wider = wider.min(widest);
    if wider <= *overlap || late.num_seconds() <= *overlap {
        return None;
    }
    *overlap = wider;
    Some(wider)
}
