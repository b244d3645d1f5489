//! Jobs and machines whose last good backup is older than it may be, each with why.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::{RETIRED, is_retired, page};
use crate::report::ask::{Ask, Row, Rows, counted, median, section, sentences, table, text};
use crate::report::views::JOB_RUNS;
use crate::report::{Body, Section};
use crate::store::{Cell, Error, Filter};

pub(super) const JOB_COLUMNS: &[&str] = &[
    "job_uid",
    "job_name",
    "backup_server_name",
    "last_start_time",
    "last_result",
    "last_good_end_time",
    "hours_since_good",
    "median_duration_seconds_30d",
    "schedule_enabled",
    "source_missing_since",
];

pub(super) const MACHINE_COLUMNS: &[&str] = &[
    "backup_server_uid",
    "backup_server_name",
    "vm_display_name",
    "protection",
    "job_name",
    "last_attempt_end_time",
    "last_good_end_time",
    "hours_since_good",
    "rpo_hours",
    "within_rpo",
    "consecutive_failures",
    "last_failure_reason",
];

/// Where nothing is known of a job's machines.
const USUAL_RPO_HOURS: i64 = 24;

/// Jobs whose schedule is on and that have had no good run for longer than their machines' RPO.
pub(super) async fn jobs(ask: &Ask<'_>, jobs: &Rows, machines: &Rows) -> Result<Section, Error> {
    let rpo = Rpo::of(machines);
    let scheduled =
        jobs.iter().filter(|row| row.is("schedule_enabled") && *row.cell("source_missing_since") == Cell::Null);
    let as_of = ask.period.as_of;
    let is_late = |row: &Row<'_>| {
        row.time("last_good_end_time").is_none_or(|good| good < as_of - TimeDelta::hours(rpo.hours(*row)))
    };
    let tried_since = as_of - RETIRED;
    let (mut late, retired): (Vec<Row<'_>>, Vec<Row<'_>>) = scheduled
        .filter(is_late)
        .partition(|row| row.time("last_start_time").is_some_and(|start| start >= tried_since));
    late.sort_by_key(|row| std::cmp::Reverse(row.int("hours_since_good").unwrap_or(i64::MAX)));
    let rest = page(&mut late, "jobs");
    let shown =
        ["job_name", "backup_server_name", "last_start_time", "last_result", "last_good_end_time", "hours_since_good"];
    let mut rows = Vec::new();
    for row in late {
        let rpo_hours = rpo.hours(row);
        let mut cells = row.cells(&shown);
        cells.extend([Cell::Int(rpo_hours), reason(ask, row, rpo_hours).await?]);
        rows.push(cells);
    }
    let retired = match retired.len() {
        0 => String::new(),
        n => format!("{} not started for 30 days, which may be retired.", counted(n, "more job was", "more jobs were")),
    };
    let columns = [&shown[..], &["rpo_hours", "reason"]].concat();
    let table = table(&columns, rows, "Every job with a schedule has had a good run in time.");
    Ok(section("late_jobs", "Jobs that are late", sentences(&[&retired, &rest]), Body::Table(table)))
}

/// What the last run said, or that there was none.
async fn reason(ask: &Ask<'_>, job: Row<'_>, rpo_hours: i64) -> Result<Cell, Error> {
    let (Some(uid), Some(start)) = (job.uid("job_uid"), job.time("last_start_time")) else { return Ok(Cell::Null) };
    if (ask.period.as_of - start).num_hours() > rpo_hours {
        return Ok(text(format!("it has not started since {}", ask.period.show(start))));
    }
    let filters = [Filter::Is("job_uid", Cell::Uid(uid)), Filter::From("start_time", Cell::Time(start))];
    let runs = ask.rows(&JOB_RUNS, &["is_running", "message"], filters, "start_time desc").await?;
    let cell = runs.iter().next().map_or(Cell::Null, |run| match run.cell("message") {
        Cell::Null if run.is("is_running") => text("it is running"),
        message => message.clone(),
    });
    Ok(cell)
}

/// The RPO of each job, which is the least of its machines'.
struct Rpo {
    by_job: BTreeMap<(String, String), i64>,
    usual: i64,
}

impl Rpo {
    fn of(machines: &Rows) -> Self {
        let mut by_job: BTreeMap<(String, String), i64> = BTreeMap::new();
        let mut all = Vec::new();
        for row in machines.iter() {
            let Some(hours) = row.int("rpo_hours") else { continue };
            let least = by_job.entry(key(row)).or_insert(hours);
            *least = hours.min(*least);
            all.push(hours);
        }
        Self { by_job, usual: median(all).unwrap_or(USUAL_RPO_HOURS) }
    }

    fn hours(&self, job: Row<'_>) -> i64 {
        self.by_job.get(&key(job)).copied().unwrap_or(self.usual)
    }
}

fn key(row: Row<'_>) -> (String, String) {
    (row.text("backup_server_name").to_owned(), row.text("job_name").to_owned())
}

/// Machines beyond their RPO, a row a protection.
pub(super) fn machines(ask: &Ask<'_>, machines: &Rows) -> Section {
    let late = machines.iter().filter(|row| !row.is("within_rpo"));
    let (retired, mut late): (Vec<Row<'_>>, Vec<Row<'_>>) =
        late.partition(|row| is_retired(*row, ask.period.as_of - RETIRED));
    worst_first(&mut late);
    let rest = page(&mut late, "rpo");
    let retired = match retired.len() {
        0 => String::new(),
        n => format!("{} tried for 30 days, and may be retired.", counted(n, "more was not", "more were not")),
    };
    let columns = [
        "vm_display_name",
        "backup_server_name",
        "protection",
        "job_name",
        "last_good_end_time",
        "hours_since_good",
        "rpo_hours",
        "consecutive_failures",
        "last_failure_reason",
    ];
    let rows = late.iter().map(|row| row.cells(&columns)).collect();
    let table = table(&columns, rows, "Every machine is within its RPO.");
    section("late_vms", "Machines beyond their RPO", sentences(&[&retired, &rest]), Body::Table(table))
}

/// Those first that were never good, then those that are most overdue.
pub(in crate::report) fn worst_first(rows: &mut [Row<'_>]) {
    rows.sort_by_key(|row| {
        let overdue = row.int("hours_since_good").map_or(i64::MAX, |hours| hours - row.int("rpo_hours").unwrap_or(0));
        let name = (row.text("vm_display_name").to_owned(), row.text("backup_server_name").to_owned());
        (row.is("within_rpo"), std::cmp::Reverse(overdue), name, row.text("protection").to_owned())
    });
}
