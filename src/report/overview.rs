//! The morning page: what needs someone today.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::ask::{Ask, Row, Rows, cap, count, count_bad, figure, maybe, section, sentences, share, table, text};
use super::runs::{self, Run};
use super::views::{JOB_RUNS, JOB_STATUS, RESTORE_AUDIT, VM_PROTECTION};
use super::{Body, Figure, Section, Tone, Unit, fresh};
use crate::store::{Cell, Error};

mod failed;
mod late;
mod slow;

pub(super) use late::worst_first;

/// Rows of a table here: it is a page, and each part has a report of its own.
const MOST: usize = 25;
/// Days of the charts.
const DAYS: u16 = 14;
/// What was not tried for so long is probably no longer backed up at all.
pub(super) const RETIRED: TimeDelta = TimeDelta::days(30);

pub(super) async fn build(ask: &Ask<'_>) -> Result<Vec<Section>, Error> {
    let period = ask.period;
    let days = period.last_days(DAYS);
    let chart_since = days.first().map_or(period.since, |day| period.day_start(*day));
    let (runs, cut) = runs::read(ask, chart_since.min(period.since), period.until).await?;
    let recent: Vec<&Run> = runs.iter().filter(|run| run.start >= period.since).collect();
    let jobs = ask.rows(&JOB_STATUS, late::JOB_COLUMNS, None, "").await?.sorted("job_name, backup_server_name");
    let machines = ask.rows(&VM_PROTECTION, late::MACHINE_COLUMNS, None, "").await?;
    let figures = figures(ask, &recent, &machines).await?;
    let charted: Vec<Run> = runs.iter().filter(|run| run.start >= chart_since).cloned().collect();
    let (by_day, columns) = runs::by_day(&charted, days.clone(), &period);
    let (heat_map, cold) = runs::heat_map(&charted, days, &period, 40);
    let (gantt, undrawn) = runs::gantt(&runs, &period, 60);
    let left_out = |jobs: usize| if jobs == 0 { String::new() } else { format!("{jobs} more jobs are not drawn.") };
    Ok(vec![
        section("figures", "In short", cut, Body::Figures(figures)),
        failed::section_of(ask).await?,
        late::jobs(ask, &jobs, &machines).await?,
        late::machines(ask, &machines),
        slow::running(ask).await?,
        slow::ended(ask, &recent, &jobs),
        silent(ask),
        section("results_chart", "Runs a day", "Ended runs, by the day on which they started.", columns),
        section("results", "Runs a day", "Ended runs, by the day on which they started.", Body::Table(by_day)),
        section(
            "heat_map",
            "Jobs by day",
            sentences(&["Jobs with trouble first; a day has the colour of its last run.", &left_out(cold)]),
            heat_map,
        ),
        section("gantt", "When jobs ran", left_out(undrawn), gantt),
    ])
}

async fn figures(ask: &Ask<'_>, recent: &[&Run], machines: &Rows) -> Result<Vec<Figure>, Error> {
    let ended = recent.iter().filter(|run| !run.is_running).count();
    let of = |tone: Tone| recent.iter().filter(|run| run.tone() == tone).count();
    let (good, warning, bad) = (of(Tone::Good), of(Tone::Warning), of(Tone::Bad));
    let tasks = ask.rows(&JOB_RUNS, &["task_failed_count"], ask.period.within("start_time"), "").await?;
    let tasks_failed: i64 = tasks.iter().filter_map(|row| row.int("task_failed_count")).sum();
    let restores = ask.rows(&RESTORE_AUDIT, &["result"], ask.period.within("start_time"), "").await?;
    let restores_failed = restores.iter().filter(|row| row.text("result") == "Failed").count();
    let (within, all) = protected(machines, ask.period.as_of - RETIRED);
    let age = fresh::oldest(&ask.streams).map(|age| age.num_seconds());
    Ok(vec![
        count("runs", "Job runs", recent.len()),
        count("runs_success", "ended Success", good),
        count_bad("runs_warning", "ended Warning", warning, Tone::Warning),
        count_bad("runs_failed", "ended Failed", bad, Tone::Bad),
        count("runs_running", "still run", recent.len() - ended),
        share("success_pct", "Good runs", good + warning, ended),
        share("success_pct_strict", "Good without a warning", good, ended),
        count_bad("tasks_failed", "Machines failed in them", usize::try_from(tasks_failed).unwrap_or(0), Tone::Bad),
        count("vms", "Machines", all),
        count("vms_within_rpo", "within their RPO", within),
        share("rpo_pct", "Within RPO", within, all),
        count("restores", "Restores", restores.len()),
        count_bad("restores_failed", "restores failed", restores_failed, Tone::Warning),
        figure("silent_seconds", "Longest silence of a server", maybe(age, Cell::Int), Unit::Seconds, Tone::Plain),
    ])
}

/// How many machines have a good enough backup of any sort, and how many machines there are. What was not tried since
/// then does not count.
pub(super) fn protected(machines: &Rows, tried_since: DateTime<Utc>) -> (usize, usize) {
    let mut known: BTreeMap<(String, &str), bool> = BTreeMap::new();
    for row in machines.iter().filter(|row| !is_retired(*row, tried_since)) {
        let within = known.entry(machine(row)).or_default();
        *within |= row.is("within_rpo");
    }
    (known.values().filter(|within| **within).count(), known.len())
}

/// A machine is told apart by its server.
fn machine(row: Row<'_>) -> (String, &str) {
    (row.uid("backup_server_uid").map(|uid| uid.to_string()).unwrap_or_default(), row.text("vm_display_name"))
}

pub(super) fn is_retired(row: Row<'_>, tried_since: DateTime<Utc>) -> bool {
    row.time("last_attempt_end_time").is_none_or(|tried| tried < tried_since)
}

/// Keeps as many rows as the page has, and says where the others are.
fn page<T>(rows: &mut Vec<T>, report: &str) -> String {
    let rest = cap(rows, MOST);
    if rest.is_empty() { rest } else { format!("{rest} `vemsync report {report}` has them.") }
}

fn silent(ask: &Ask<'_>) -> Section {
    let columns = ["em_name", "backup_server_name", "kind", "creation_mark", "silent_seconds"];
    let servers = fresh::silent_servers(&ask.streams).into_iter().map(|silent| {
        let server = maybe(silent.server, Cell::Text);
        vec![text(silent.em), server, Cell::Null, Cell::Time(silent.newest), Cell::Int(silent.silent_seconds)]
    });
    let streams = fresh::silent_streams(&ask.streams).into_iter().map(|stream| {
        let (newest, age) = (maybe(stream.newest, Cell::Time), maybe(stream.silent_seconds, Cell::Int));
        vec![text(&stream.em), text(&stream.server), text(&stream.kind), newest, age]
    });
    let rows: Vec<Vec<Cell>> = servers.chain(streams).collect();
    let note = "Nothing that started for more than 26 hours, and three times as long as with others. Without a kind: nothing at all.";
    let note = if rows.is_empty() { "" } else { note };
    let table = table(&columns, rows, "Every server sends what it should.");
    section("silent", "Who is silent", note, Body::Table(table))
}
