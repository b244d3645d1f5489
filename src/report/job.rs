//! One job: its runs, how long and how large they are, and which machines fail.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::ask::{Ask, Row, Rows, cap, int, section, table, tone};
use super::views::{FAILURES, JOB_RUNS, JOB_STATUS};
use super::{Body, Chart, Line, Section, Unit, jobs, runs};
use crate::store::{Cell, Error};

const MOST: usize = 500;
/// Days of the chart.
const DAYS: u16 = 62;

const BY_SERVER: &str = "job_name, backup_server_name";
const UNKNOWN: &str = "Nothing is known of it.";

const RUNS: &[&str] = &[
    "start_time",
    "end_time",
    "backup_server_name",
    "result",
    "is_running",
    "is_retry",
    "duration_seconds",
    "task_count",
    "task_warning_count",
    "task_failed_count",
    "total_size_bytes",
    "message",
    "kind",
    "session_uid",
];

pub(super) async fn build(ask: &Ask<'_>) -> Result<Vec<Section>, Error> {
    let period = &ask.period;
    let columns = [jobs::STATE, &jobs::SUCCESS[2..]].concat();
    let status = ask.rows_of_names(&JOB_STATUS, &columns, "job_name", &[], "").await?.sorted(BY_SERVER);
    let of_job = |columns| status.columns(columns).table(MOST, UNKNOWN).0;
    let order = "start_time desc, session_uid";
    let all = ask.rows_of_names(&JOB_RUNS, RUNS, "job_name", &period.within("start_time"), order).await?;
    let ended = all.iter().filter(|row| !row.is("is_running"));
    let dated = ended.filter_map(|row| Some((period.day_of(row.time("start_time")?), tone(row.text("result")))));
    let (_, days) = runs::counted_by_day(dated, period.days(DAYS));
    let duration = lines(&all, "duration_seconds", Unit::Seconds);
    let size = lines(&all, "total_size_bytes", Unit::Bytes);
    let machines = failing(ask).await?;
    let (runs, rest) = all.table_of_sessions(MOST, "It did not run.");
    let size_note = "What Enterprise Manager calls the total size: that of the machines or their restore points.";
    Ok(vec![
        section("status", "How it stands", "", Body::Table(of_job(jobs::STATE))),
        section("success", "How often it is good", jobs::MEANING, Body::Table(of_job(jobs::SUCCESS))),
        section("days_chart", "Runs a day", "Ended runs, by the day on which they started.", days),
        section("duration_chart", "Duration", "", duration),
        section("size_chart", "Size", size_note, size),
        machines,
        section("runs", "Runs, newest first", rest, Body::Table(runs)),
    ])
}

/// A value of each run over time, a line a server.
fn lines(runs: &Rows, column: &str, unit: Unit) -> Body {
    let mut servers: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for row in runs.iter().filter(|row| !row.is("is_running")) {
        // A run that failed has no size, rather than the size of nothing.
        let value = row.int(column).filter(|value| *value > 0);
        if let (Some(start), Some(value)) = (row.time("start_time"), value) {
            servers.entry(row.text("backup_server_name")).or_default().push((start, value as f64));
        }
    }
    let lines = servers.into_iter().map(|(server, mut points)| {
        points.sort_by_key(|(time, _)| *time);
        Line { name: server.to_owned(), points }
    });
    Body::Chart(Chart::Lines { unit, lines: lines.collect() })
}

/// Machines that ended Failed or Warning in it, those that failed most first.
async fn failing(ask: &Ask<'_>) -> Result<Section, Error> {
    let columns = ["end_time", "result", "backup_server_name", "vm_display_name", "reason", "later_good"];
    let filters = ask.period.within("end_time");
    let rows = ask.rows_of_names(&FAILURES, &columns, "job_name", &filters, "end_time desc, uid").await?;
    let mut machines: BTreeMap<(&str, &str), Vec<Row<'_>>> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.text("vm_display_name").is_empty()) {
        machines.entry((row.text("vm_display_name"), row.text("backup_server_name"))).or_default().push(row);
    }
    let with = |rows: &[Row<'_>], result: &str| rows.iter().filter(|row| row.text("result") == result).count();
    let mut machines: Vec<_> = machines.into_values().collect();
    machines.sort_by_key(|rows| Reverse((with(rows, "Failed"), rows.len())));
    let rest = cap(&mut machines, MOST);
    let cells = |rows: Vec<Row<'_>>| -> Vec<Cell> {
        let newest = rows[0];
        let mut cells = newest.cells(&["vm_display_name", "backup_server_name"]);
        cells.extend([int(with(&rows, "Failed")), int(with(&rows, "Warning"))]);
        cells.extend(newest.cells(&["end_time", "later_good", "reason"]));
        cells
    };
    let names = ["vm_display_name", "backup_server_name", "failed", "warning", "last_end_time", "later_good", "reason"];
    let table = table(&names, machines.into_iter().map(cells).collect(), "No machine failed in it.");
    Ok(section("failing", "Machines that fail", rest, Body::Table(table)))
}
