//! What runs, or ran, far longer than it usually does.

use std::collections::BTreeMap;

use super::MOST;
use crate::report::ask::{Ask, Row, Rows, cap, section, sentences, table};
use crate::report::runs::Run;
use crate::report::views::RUNNING_SESSIONS;
use crate::report::{Body, Section};
use crate::store::{Cell, Error};

/// How many times the median is long.
const TIMES: f64 = 2.0;
/// What still runs has to be so much over it.
const RUNNING_OVER_SECONDS: i64 = 3600;
/// What has ended, so much: twice of nearly nothing is nothing.
const ENDED_OVER_SECONDS: i64 = 600;

/// Sessions that run now.
pub(super) async fn running(ask: &Ask<'_>) -> Result<Section, Error> {
    let columns = [
        "kind",
        "job_name",
        "object_name",
        "backup_server_name",
        "start_time",
        "running_seconds",
        "median_duration_seconds",
        "times_median",
        "kind",
        "uid",
    ];
    let rows = ask.rows(&RUNNING_SESSIONS, &columns, None, "start_time, uid").await?;
    let is_long = |row: Row<'_>| {
        let over = row.int("running_seconds").unwrap_or(0) - row.int("median_duration_seconds").unwrap_or(i64::MAX);
        row.real("times_median").is_some_and(|times| times >= TIMES) && over >= RUNNING_OVER_SECONDS
    };
    let long = rows.only(is_long);
    let (table, rest) = long.table_of_sessions(MOST, "Nothing that runs takes much longer than usual.");
    let note = "At least twice its usual time, and an hour more than that time.";
    let note = if table.rows.is_empty() { String::new() } else { sentences(&[note, &rest]) };
    Ok(section("long_running", "What runs too long", note, Body::Table(table)))
}

/// Runs of the period that have ended.
pub(super) fn ended(ask: &Ask<'_>, runs: &[&Run], jobs: &Rows) -> Section {
    let columns = [
        "job_name",
        "backup_server_name",
        "start_time",
        "end_time",
        "result",
        "duration_seconds",
        "median_duration_seconds_30d",
        "times_median",
    ];
    let medians: BTreeMap<_, i64> =
        jobs.iter().filter_map(|row| Some((row.uid("job_uid")?, row.int("median_duration_seconds_30d")?))).collect();
    let mut long: Vec<(i64, Vec<Cell>)> = runs
        .iter()
        .filter(|run| run.start >= ask.period.since)
        .filter_map(|run| {
            let (seconds, median) = (run.seconds?, *medians.get(&run.job.uid?)?);
            let times = seconds as f64 / median.max(1) as f64;
            let over = seconds - median;
            (times >= TIMES && over >= ENDED_OVER_SECONDS).then(|| (over, cells(run, seconds, median, times)))
        })
        .collect();
    long.sort_by_key(|(over, _)| std::cmp::Reverse(*over));
    let rest = cap(&mut long, MOST);
    let note = "At least twice the median of 30 days, and ten minutes more.";
    let note = if long.is_empty() { String::new() } else { sentences(&[note, &rest]) };
    let rows = long.into_iter().map(|(_, cells)| cells).collect();
    let table = table(&columns, rows, "No run took much longer than usual.");
    section("long_ended", "What took too long", note, Body::Table(table))
}

fn cells(run: &Run, seconds: i64, median: i64, times: f64) -> Vec<Cell> {
    vec![
        Cell::Text(run.job.name.clone()),
        Cell::Text(run.job.server.clone()),
        Cell::Time(run.start),
        run.end.map_or(Cell::Null, Cell::Time),
        Cell::Text(run.result.clone()),
        Cell::Int(seconds),
        Cell::Int(median),
        Cell::Real((times * 100.0).round() / 100.0),
    ]
}
