//! History: the first reading of a kind, down to its floor, and ranges that someone asks for. Newest first, resumable.

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use uuid::Uuid;

use super::read::{Reader, Scope};
use super::scan::Scan;
use super::streams::{density, first_end_mark};
use super::{Error, Greatest, Progress, Window, open};
use crate::config;
use crate::em::Client;
use crate::em::query::{Filter, Op, Operand};
use crate::kind::SessionKind;
use crate::store::{Backfill, Field, Mark};
use crate::timestamp::floor_second;

/// How far back rows are counted where another run has read them.
const LATELY: TimeDelta = TimeDelta::hours(48);

/// A range of history that someone asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryRange {
    /// Its first second.
    pub since: DateTime<Utc>,
    /// The second after its last.
    pub until: DateTime<Utc>,
    /// Whether what is done already is read again.
    pub again: bool,
}

/// Reads a kind for the first time, or goes on where that was interrupted. The creation marks appear when the floor is
/// reached, as the first value that was seen of each server: what came late meanwhile lies above them.
pub(super) async fn first(reader: &mut Reader<'_>) -> Result<(), Error> {
    let context = reader.context;
    let backfills = context.store.backfills(context.em_id, reader.kind).await?;
    let begun = backfills.into_iter().find(|backfill| backfill.first_marks.is_some());
    let now = context.client.now();
    let started_at = begun.as_ref().map_or(now, |begun| begun.started_at);
    let floor = match context.options.backfill {
        config::Backfill::All => DateTime::UNIX_EPOCH,
        config::Backfill::For(span) => floor_second(started_at - span).max(DateTime::UNIX_EPOCH),
    };
    let settled = begun.as_ref().and_then(|begun| begun.floor);
    let floor = settled.map_or(floor, |settled| settled.min(floor));
    let floor = context.options.keep.map_or(floor, |keep| floor.max(floor_second(started_at - keep)));
    let window = match &begun {
        Some(begun) => Window { from: floor.min(begun.from), to: Some(begun.from) },
        None => Window::since(floor),
    };
    let is_resumed = begun.is_some();
    let mut first_marks: Greatest = begun.and_then(|begun| begun.first_marks).unwrap_or_default().into_iter().collect();
    let mut reached = window.to;
    let mut last_live = Instant::now();
    let mut rows = 0;
    let mut scan = Scan::new(Field::Creation, Scope::All, window);
    while let Some(step) = scan.next(reader).await? {
        rows += step.decoded.records as u64;
        for (server, greatest) in &scan.greatest {
            first_marks.entry(*server).or_insert_with(|| floor_second((*greatest).min(now)));
        }
        reached = step.reached.or(reached);
        let mut commit = reader.commit();
        commit.batch = step.decoded.batch;
        commit.rejects = step.decoded.rejects;
        commit.backfills.push(Backfill {
            server: Uuid::nil(),
            started_at,
            from: reached.unwrap_or(started_at),
            until: started_at,
            first_marks: Some(first_marks.iter().map(|(server, mark)| (*server, *mark)).collect()),
            finished_at: step.is_last.then_some(now),
            floor: settled,
        });
        if step.is_last {
            // What an earlier run has read counts for the streams' density, as far as it is quickly counted.
            let (since, rows) = if is_resumed {
                context.writer.flush().await?;
                let since = floor.max(started_at - LATELY);
                (since, context.store.rows_by_server(context.em_id, reader.kind, since).await?.into_iter().collect())
            } else {
                (floor, std::mem::take(&mut scan.rows))
            };
            let hours = ((started_at - since).as_seconds_f64() / 3600.0).max(1.0);
            let rows_per_hour = |server: &Uuid| density(rows.get(server).copied().unwrap_or_default(), hours);
            commit.marks = first_marks
                .iter()
                .flat_map(|(server, mark)| opening_marks(reader, *server, *mark, started_at, rows_per_hour(server)))
                .collect();
        }
        context.writer.commit(commit).await?;
        (context.options.progress)(Progress {
            kind: reader.kind.name,
            reached: reached.unwrap_or(started_at),
            floor,
            from: started_at,
            rows,
        });
        if context.options.live_every.is_some_and(|every| last_live.elapsed() >= every) && !step.is_last {
            open::narrow(reader).await?;
            last_live = Instant::now();
        }
    }
    Ok(())
}

fn opening_marks(
    reader: &Reader<'_>,
    server: Uuid,
    mark: DateTime<Utc>,
    started_at: DateTime<Utc>,
    rows_per_hour: f64,
) -> [Mark; 2] {
    let overlap = reader.context.options.overlap;
    let creation = Mark {
        server,
        field: Field::Creation,
        mark,
        scanned_at: started_at,
        overlap_seconds: overlap.num_seconds(),
        rows_per_hour,
    };
    [creation, first_end_mark(server, started_at, overlap, rows_per_hour)]
}

/// Reads what of a range is not done yet, or all of it again. Rows that changed after a request was sent are left as
/// they are: a daemon beside this may know better.
pub(super) async fn read(reader: &mut Reader<'_>, range: HistoryRange) -> Result<(), Error> {
    let context = reader.context;
    let started_at = context.client.now();
    let done = context.store.backfills(context.em_id, reader.kind).await?;
    // What is to come cannot be read yet, and nothing is older than the API's own time.
    let since = floor_second(range.since).max(DateTime::UNIX_EPOCH);
    let until = floor_second(range.until).min(floor_second(started_at) + TimeDelta::seconds(1));
    if since >= until {
        return Ok(());
    }
    let whole = Window { from: since, to: Some(until) };
    let gaps = if range.again { vec![whole] } else { gaps(whole, &done) };
    let mut rows = 0;
    for (i, gap) in gaps.iter().enumerate() {
        // One line a stretch; the time tells them apart.
        let begun_at = started_at + TimeDelta::microseconds(i64::try_from(i).unwrap_or_default());
        let mut reached = gap.to.unwrap_or(started_at);
        let mut scan = Scan::new(Field::Creation, Scope::All, *gap);
        while let Some(step) = scan.next(reader).await? {
            rows += step.decoded.records as u64;
            reached = step.reached.unwrap_or(reached);
            let mut commit = reader.commit();
            commit.batch = step.decoded.batch;
            commit.rejects = step.decoded.rejects;
            commit.unless_changed_since = Some(step.asked_at);
            commit.backfills.push(Backfill {
                server: Uuid::nil(),
                started_at: begun_at,
                from: reached,
                until: gap.to.unwrap_or(started_at),
                first_marks: None,
                finished_at: step.is_last.then_some(started_at),
                floor: None,
            });
            context.writer.commit(commit).await?;
            (context.options.progress)(Progress {
                kind: reader.kind.name,
                reached,
                floor: whole.from,
                from: until,
                rows,
            });
            // Another instance may have the turn here.
            if scan.is_between_windows() {
                reader.enter().await;
            }
        }
    }
    Ok(())
}

/// What of a window no backfill has read, newest first.
fn gaps(window: Window, done: &[Backfill]) -> Vec<Window> {
    let mut done: Vec<(DateTime<Utc>, DateTime<Utc>)> = done
        .iter()
        .filter(|backfill| backfill.server.is_nil())
        .map(|backfill| (backfill.from, floor_second(backfill.until)))
        .collect();
    done.sort_unstable_by_key(|(_, until)| std::cmp::Reverse(*until));
    let mut gaps = Vec::new();
    let Some(mut end) = window.to else {
        return vec![window];
    };
    for (from, until) in done {
        if until < end && until > window.from {
            gaps.push(Window { from: until, to: Some(end) });
        }
        if until > window.from {
            end = end.min(from);
        }
    }
    if end > window.from {
        gaps.push(Window { from: window.from, to: Some(end) });
    }
    gaps
}

/// How many rows a kind has in a range.
pub(super) async fn count(client: &Client, kind: &SessionKind, range: HistoryRange) -> Result<u64, Error> {
    let creation = kind.query.creation;
    let filter = Filter::All(vec![
        Filter::Compare(creation, Op::GreaterOrEqual, Operand::Second(range.since)),
        Filter::Compare(creation, Op::Less, Operand::Second(range.until)),
    ]);
    let counted = client.count(kind.entity(), Some(filter)).await;
    counted.map_err(|source| Error::Read { kind: kind.name, window: "counting".to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timestamp::parse;

    fn window(from: &str, to: &str) -> Window {
        Window { from: parse(from).expect("a time"), to: parse(to) }
    }

    #[test]
    fn only_what_is_not_done_is_read() {
        let done = |from: &str, until: &str| Backfill {
            server: Uuid::nil(),
            started_at: DateTime::UNIX_EPOCH,
            from: parse(from).expect("a time"),
            until: parse(until).expect("a time"),
            first_marks: None,
            finished_at: None,
            floor: None,
        };
        let whole = window("2025-01-01", "2025-02-01");
        assert_eq!(gaps(whole, &[]), [whole]);
        assert_eq!(gaps(whole, &[done("2024-12-01", "2025-03-01")]), []);
        assert_eq!(
            gaps(
                whole,
                &[done("2025-01-10", "2025-01-15"), done("2025-01-20", "2025-03-01"), done("2025-01-12", "2025-01-14")]
            ),
            [window("2025-01-15", "2025-01-20"), window("2025-01-01", "2025-01-10")]
        );
        assert_eq!(gaps(whole, &[done("2023-01-01", "2023-02-01")]), [whole]);
    }
}
