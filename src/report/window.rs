//! When jobs run: how many at once, and when each usually starts and ends.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, DurationRound as _, NaiveTime, TimeDelta, Timelike as _, Utc};

use super::ask::{Ask, cap, count, figure, int, maybe, median, section, sentences, table, text};
use super::runs::{self, Job, Run};
use super::{Body, Period, Section, Table, Tone, Unit};
use crate::store::{Cell, Error};

/// Jobs in the table and in the chart.
const MOST_JOBS: usize = 500;
const MOST_BARS: usize = 150;
/// Hours in the table.
const MOST_HOURS: usize = 72;
/// What is usual is seen in so many days.
const USUAL: TimeDelta = TimeDelta::days(14);
/// A run that started longer ago than this before the period is not looked for.
const LONGEST_RUN: TimeDelta = TimeDelta::days(2);
/// Of more starts than this a day there is no usual one.
const MOST_STARTS_A_DAY: f64 = 3.0;

pub(super) async fn build(ask: &Ask<'_>) -> Result<Vec<Section>, Error> {
    let period = &ask.period;
    let from = (period.until - USUAL).min(period.since - LONGEST_RUN);
    let (all, cut) = runs::read(ask, from, period.until).await?;
    let inside: Vec<&Run> = all.iter().filter(|run| run.touches(period)).collect();
    let peak = peak(&inside, period);
    let first = inside.iter().map(|run| run.start.max(period.since)).min();
    let last = inside.iter().map(|run| run.until(period)).max();
    let longest = inside.iter().filter_map(|run| run.seconds).max();
    let figures = vec![
        count("runs", "Runs", inside.len()),
        figure("at_once", "Most at once", int(peak.0), Unit::Count, Tone::Plain),
        figure("at_once_time", "Most at once at", maybe(peak.1, Cell::Time), Unit::Time, Tone::Plain),
        figure("first_start_time", "First start", maybe(first, Cell::Time), Unit::Time, Tone::Plain),
        figure("last_end_time", "Last end", maybe(last, Cell::Time), Unit::Time, Tone::Plain),
        figure("longest_duration_seconds", "Longest", maybe(longest, Cell::Int), Unit::Seconds, Tone::Plain),
    ];
    let (gantt, undrawn) = runs::gantt(&all, period, MOST_BARS);
    let undrawn = if undrawn == 0 { String::new() } else { format!("{undrawn} more jobs are not drawn.") };
    let (jobs, rest) = jobs(&all, &inside, period);
    let usual = "Usual start and end are medians over 14 days.";
    let (hours, more_hours) = hours(&inside, period);
    Ok(vec![
        section("figures", "In short", cut, Body::Figures(figures)),
        section("gantt", "When jobs ran", undrawn, gantt),
        section("jobs", "Jobs", sentences(&[usual, &rest]), Body::Table(jobs)),
        section("hours", "By hour", more_hours, Body::Table(hours)),
    ])
}

/// How many runs there were at once at most, and from when.
fn peak(runs: &[&Run], period: &Period) -> (usize, Option<DateTime<Utc>>) {
    let mut changes: Vec<(DateTime<Utc>, bool)> = Vec::with_capacity(runs.len() * 2);
    for run in runs {
        let (start, end) = (run.start.max(period.since), run.until(period).min(period.until));
        // A run that took no time was there at its moment all the same.
        changes.extend([(start, true), (end.max(start + TimeDelta::microseconds(1)), false)]);
    }
    // One that ends when another starts is not there with it: false is less than true.
    changes.sort_unstable();
    let (mut now, mut most) = (0, (0, None));
    for (time, is_start) in changes {
        now = if is_start { now + 1 } else { now - 1 };
        if now > most.0 {
            most = (now, Some(time));
        }
    }
    most
}

/// Jobs of the period, in the order of their usual start; those that have none come last.
fn jobs(all: &[Run], inside: &[&Run], period: &Period) -> (Table, String) {
    let mut by_job: BTreeMap<&Job, (Vec<&Run>, Vec<&Run>)> = BTreeMap::new();
    for run in inside {
        by_job.entry(&run.job).or_default().0.push(run);
    }
    for run in all.iter().filter(|run| !run.is_retry && run.start >= period.until - USUAL) {
        if let Some((_, usual)) = by_job.get_mut(&run.job) {
            usual.push(run);
        }
    }
    let mut rows: Vec<(_, Vec<Cell>)> = by_job
        .into_iter()
        .map(|(job, (inside, usual))| {
            let days: BTreeSet<_> = usual.iter().map(|run| period.day_of(run.start)).collect();
            let a_day = usual.len() as f64 / days.len().max(1) as f64;
            let start = usual_time(usual.iter().map(|run| period.time_of_day(run.start)));
            let end = usual_time(usual.iter().filter_map(|run| run.end).map(|end| period.time_of_day(end)));
            let is_often = a_day > MOST_STARTS_A_DAY;
            let (shown_start, shown_end) = if is_often {
                (text(format!("{a_day:.0} × a day")), Cell::Null)
            } else {
                (maybe(start, show_cell), maybe(end, show_cell))
            };
            let seconds = |runs: &[&Run]| runs.iter().filter_map(|run| run.seconds).collect::<Vec<_>>();
            let last = inside.last().expect("a job is here because of a run");
            let cells = vec![
                text(&job.name),
                text(&job.server),
                shown_start,
                shown_end,
                maybe(median(seconds(&usual)), Cell::Int),
                int(inside.len()),
                maybe(seconds(&inside).into_iter().max(), Cell::Int),
                Cell::Time(last.start),
                maybe(last.end, Cell::Time),
                if last.is_running { Cell::Null } else { text(&last.result) },
            ];
            ((is_often, start), cells)
        })
        .collect();
    rows.sort_by_key(|(order, _)| *order);
    let mut rows: Vec<Vec<Cell>> = rows.into_iter().map(|(_, cells)| cells).collect();
    let rest = cap(&mut rows, MOST_JOBS);
    let columns = [
        "job_name",
        "backup_server_name",
        "usual_start",
        "usual_end",
        "median_duration_seconds",
        "runs",
        "longest_duration_seconds",
        "start_time",
        "end_time",
        "result",
    ];
    (table(&columns, rows, "Nothing ran."), rest)
}

fn show_cell(time: NaiveTime) -> Cell {
    text(time.format("%H:%M").to_string())
}

/// The time of day from which all others are least far, around the clock: half past eleven and half past midnight have
/// midnight between them, not noon.
fn usual_time(times: impl Iterator<Item = NaiveTime>) -> Option<NaiveTime> {
    const DAY: i64 = 24 * 3600;
    // What is usual shows in so many, and the work grows with their square.
    let times: Vec<NaiveTime> = times.take(60).collect();
    let seconds: Vec<i64> = times.iter().map(|time| i64::from(time.num_seconds_from_midnight())).collect();
    let far = |from: i64| -> i64 { seconds.iter().map(|to| (from - to).abs()).map(|d| d.min(DAY - d)).sum() };
    (0..times.len()).min_by_key(|n| (far(seconds[*n]), seconds[*n])).map(|n| times[n])
}

/// The last hours of the period, newest first: how many runs started and how many there were at once at most.
fn hours(inside: &[&Run], period: &Period) -> (Table, String) {
    let hour = TimeDelta::hours(1);
    let first = period.since.duration_trunc(hour).unwrap_or(period.since);
    let starts = std::iter::successors(Some(first), |start| Some(*start + hour));
    let mut starts: Vec<DateTime<Utc>> = starts.take_while(|start| *start < period.until).collect();
    starts.reverse();
    let rest = cap(&mut starts, MOST_HOURS);
    let row = |start: DateTime<Utc>| {
        let slot = Period { since: start.max(period.since), until: (start + hour).min(period.until), ..*period };
        let there: Vec<&Run> = inside.iter().copied().filter(|run| run.touches(&slot)).collect();
        let started = there.iter().filter(|run| run.start >= slot.since).count();
        vec![Cell::Time(start), int(started), int(peak(&there, &slot).0)]
    };
    (table(&["hour", "started", "at_once"], starts.into_iter().map(row).collect(), "Nothing ran."), rest)
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::super::runs::tests::{period, run, time};
    use super::*;

    #[test]
    fn runs_are_at_once_only_where_they_overlap() {
        let night = period("2026-03-01T00:00:00Z", "2026-03-01T12:00:00Z", Tz::UTC);
        let runs = [
            run("a", "x", "2026-02-28T23:00:00Z", 120, "Success"),
            run("b", "x", "2026-03-01T01:00:00Z", 60, "Success"),
            run("c", "x", "2026-03-01T01:30:00Z", 0, "Success"),
            run("d", "x", "2026-03-01T02:00:00Z", 60, "Success"),
            run("e", "x", "2026-03-01T11:00:00Z", -1, "None"),
        ];
        let all: Vec<&Run> = runs.iter().collect();
        assert_eq!(peak(&all, &night), (2, Some(time("2026-03-01T01:30:00Z"))));
        assert_eq!(peak(&[], &night), (0, None));
        let (hours, rest) = hours(&all, &night);
        assert_eq!(rest, "");
        let row = |hour: &str, started, at_once| {
            vec![Cell::Time(time(&format!("2026-03-01T{hour}:00:00Z"))), Cell::Int(started), Cell::Int(at_once)]
        };
        assert_eq!(hours.rows.len(), 12);
        assert_eq!(hours.rows[0], row("11", 1, 1));
        assert_eq!(hours.rows[9..], [row("02", 1, 1), row("01", 2, 2), row("00", 0, 1)]);
    }

    #[test]
    fn what_is_usual_is_found_around_the_clock() {
        let usual = |times: &[&str]| {
            usual_time(times.iter().map(|time| time.parse().unwrap())).map(|time: NaiveTime| time.to_string())
        };
        assert_eq!(usual(&["23:30:00", "00:10:00", "00:30:00"]).as_deref(), Some("00:10:00"));
        assert_eq!(usual(&["22:00:00", "22:05:00", "22:01:00", "09:00:00"]).as_deref(), Some("22:01:00"));
        assert_eq!(usual(&[]), None);
    }

    #[test]
    fn usual_times_follow_the_zone_through_a_change_of_its_clocks() {
        let berlin = period("2026-03-30T00:00:00Z", "2026-03-31T00:00:00Z", Tz::Europe__Berlin);
        // Every night at 22:00 of Berlin, before and after the change on the 29th.
        let mut runs: Vec<Run> =
            (26..=28).map(|day| run("n", "x", &format!("2026-03-{day}T21:00:00Z"), 60, "Success")).collect();
        runs.extend((29..=30).map(|day| run("n", "x", &format!("2026-03-{day}T20:00:00Z"), 60, "Success")));
        let inside: Vec<&Run> = runs.iter().filter(|run| run.touches(&berlin)).collect();
        let (table, _) = jobs(&runs, &inside, &berlin);
        assert_eq!(table.rows.len(), 1);
        assert_eq!(table.rows[0][2..6], [text("22:00"), text("23:00"), Cell::Int(3600), Cell::Int(1)]);
    }

    #[test]
    fn of_what_starts_every_hour_there_is_no_usual_start() {
        let utc = period("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", Tz::UTC);
        let runs: Vec<Run> =
            (0..24).map(|hour| run("h", "x", &format!("2026-03-01T{hour:02}:00:00Z"), 5, "Success")).collect();
        let inside: Vec<&Run> = runs.iter().collect();
        let (table, _) = jobs(&runs, &inside, &utc);
        assert_eq!(table.rows[0][2..4], [text("24 × a day"), Cell::Null]);
    }
}
