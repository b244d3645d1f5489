//! Rows that have not ended are read again: a filter on creation never sees again what started long ago, and one on
//! the end never sees what is running.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::read::{Page, Reader, Scope};
use super::scan::Scan;
use super::{Context, Error, KindOutcome, Window};
use crate::kinds;
use crate::planted::{self, Bug};
use crate::store::{Field, OpenRow, Reread};
use crate::timestamp::floor_second;

/// How far back a narrow pass looks: what is an hour old when it appears is not much older when the next pass comes.
const NARROW: TimeDelta = TimeDelta::minutes(75);

/// Rows open for longer are asked for less and less often.
const OLD: TimeDelta = TimeDelta::days(7);

/// Between two looks at a young row that has finished, but has no end.
const ENDLESS: TimeDelta = TimeDelta::minutes(10);

/// Reads the kind's open states at the source, and every row that is open here but not in that answer.
pub(super) async fn refresh(reader: &mut Reader<'_>) -> Result<(), Error> {
    if planted::is(Bug::NoOpenRefresh) {
        return Ok(());
    }
    let mut returned = HashSet::new();
    scan(reader, Scope::Open, Window::since(DateTime::UNIX_EPOCH), &mut returned).await?;
    reread(reader, &returned).await
}

/// What has started or ended within the last hour and what has not ended, in one request where that fits a page. No mark
/// moves.
pub(super) async fn narrow(reader: &mut Reader<'_>) -> Result<(), Error> {
    let since = floor_second(reader.context.client.now() - NARROW);
    let everything = Window::since(DateTime::UNIX_EPOCH);
    let mut returned = HashSet::new();
    match reader.window(Field::Creation, &Scope::Lately(since), everything).await? {
        Page::Whole(decoded) => {
            returned.extend(decoded.batch.uids());
            reader.store(*decoded).await?;
        }
        Page::Overflow { .. } => {
            scan(reader, Scope::All, Window::since(since), &mut returned).await?;
            // What started in that time and has ended or is open has come by now.
            let before = Window { from: DateTime::UNIX_EPOCH, to: Some(since) };
            scan(reader, Scope::Lately(since), before, &mut returned).await?;
        }
    }
    reread(reader, &returned).await
}

/// Stores the rows of a scope in a window of starts, and notes which they are.
async fn scan(
    reader: &mut Reader<'_>,
    scope: Scope,
    window: Window,
    returned: &mut HashSet<Uuid>,
) -> Result<(), Error> {
    let mut scan = Scan::new(Field::Creation, scope, window);
    while let Some(step) = scan.next(reader).await? {
        returned.extend(step.decoded.batch.uids());
        reader.store(step.decoded).await?;
    }
    Ok(())
}

/// Asks by UID for rows that are open here and did not just come.
pub(super) async fn reread(reader: &mut Reader<'_>, returned: &HashSet<Uuid>) -> Result<(), Error> {
    if planted::is(Bug::NoOpenRefresh) {
        return Ok(());
    }
    let context = reader.context;
    context.writer.flush().await?;
    let now = context.client.now();
    let wanted: Vec<Uuid> = context
        .store
        .open_rows(context.em_id, reader.kind)
        .await?
        .into_iter()
        .filter(|row| !returned.contains(&row.uid) && is_due(row, now))
        .map(|row| row.uid)
        .collect();
    for some in wanted.chunks(reader.uids_a_request()) {
        fetch(reader, some).await?;
    }
    Ok(())
}

/// Whether a row is to be asked for. Rows that are young and running at every pass; others after pauses that double
/// from a minute to a day. A young row that has finished without an end is never left alone for long: when its end
/// comes, it may lie too far back for any scan.
fn is_due(row: &OpenRow, now: DateTime<Utc>) -> bool {
    let is_old = now - row.creation_time > OLD;
    let Some(asked_at) = row.asked_at.filter(|_| row.is_finished || row.is_absent || is_old) else {
        return true;
    };
    let minutes = 1_i64 << (row.times - 1).clamp(0, 11);
    let longest = if row.is_finished && !row.is_absent && !is_old { ENDLESS } else { TimeDelta::days(1) };
    now - asked_at >= TimeDelta::minutes(minutes).min(longest)
}

/// Fetches rows by UID and stores them; what does not come is flagged.
async fn fetch(reader: &mut Reader<'_>, wanted: &[Uuid]) -> Result<(), Error> {
    reader.check_cancelled()?;
    let answers = reader.by_uid(wanted).await?;
    let came: HashSet<Uuid> = answers.iter().flat_map(|answer| answer.batch.uids()).collect();
    for decoded in answers {
        reader.store(decoded).await?;
    }
    let mut commit = reader.commit();
    commit.rereads = wanted.iter().map(|uid| Reread { uid: *uid, was_returned: came.contains(uid) }).collect();
    reader.context.writer.commit(commit).await
}

/// Fetches the job and policy sessions that tasks refer to and that no scan brought, once.
pub(super) async fn fetch_unseen_parents(context: &Context<'_>, outcomes: &mut [KindOutcome]) -> Result<(), Error> {
    for child in &context.options.kinds {
        let parent = child.parent_session.and_then(|parent| kinds::kind(parent.kind));
        // A type that failed, or that nobody asked for, stays out of it.
        let outcome = parent.and_then(|parent| {
            outcomes.iter_mut().find(|outcome| outcome.kind == parent.name && outcome.result.is_ok())
        });
        let (Some(parent), Some(outcome)) = (parent, outcome) else { continue };
        let unseen = context.store.unseen_parent_sessions(context.em_id, child).await?;
        let mut reader = Reader::new(context, parent);
        for some in unseen.chunks(reader.uids_a_request()) {
            match fetch(&mut reader, some).await {
                Err(error) if !error.stops_all() => {
                    outcome.result = Err(error);
                    break;
                }
                other => other?,
            }
        }
        outcome.reads += reader.reads;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timestamp::parse;

    #[test]
    fn old_and_endless_rows_back_off_to_a_day() {
        let now = parse("2025-06-10T00:00:00Z").expect("a time");
        let row = |age_days, is_finished, asked_minutes_ago: Option<i64>, times| OpenRow {
            uid: Uuid::nil(),
            creation_time: now - TimeDelta::days(age_days),
            is_finished,
            asked_at: asked_minutes_ago.map(|minutes| now - TimeDelta::minutes(minutes)),
            times,
            is_absent: false,
        };
        for (row, due) in [
            (row(1, false, Some(0), 9), true),
            (row(8, false, None, 0), true),
            (row(8, false, Some(0), 1), false),
            (row(8, false, Some(1), 1), true),
            (row(8, false, Some(3), 3), false),
            (row(8, false, Some(4), 3), true),
            (row(80, false, Some(1439), 60), false),
            (row(80, false, Some(1440), 60), true),
            (row(0, true, Some(0), 1), false),
            (row(0, true, Some(2), 2), true),
            (row(6, true, Some(9), 60), false),
            (row(6, true, Some(10), 60), true),
            (row(8, true, Some(10), 60), false),
        ] {
            assert_eq!(is_due(&row, now), due, "{row:?}");
        }
    }
}
