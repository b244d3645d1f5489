//! Every job: its last run and its success.

use std::cmp::Reverse;

use super::ask::{Ask, Row, cap, count, count_bad, counted, section, sentences, table};
use super::views::JOB_STATUS;
use super::{Body, Section, Tone};
use crate::store::{Cell, Error};

const MOST: usize = 1000;

/// How a job stands.
pub(super) const STATE: &[&str] = &[
    "job_name",
    "job_type",
    "backup_server_name",
    "schedule_enabled",
    "last_start_time",
    "last_result",
    "last_good_end_time",
    "hours_since_good",
    "last_duration_seconds",
    "median_duration_seconds_30d",
];

/// How often it was good.
pub(super) const SUCCESS: &[&str] = &[
    "job_name",
    "backup_server_name",
    "runs_7d",
    "success_pct_strict_7d",
    "success_pct_7d",
    "recovered_by_retry_7d",
    "runs_30d",
    "success_pct_strict_30d",
    "success_pct_30d",
    "recovered_by_retry_30d",
];

pub(super) const MEANING: &str = "Good is the share of runs with Success or Warning, strict of those with Success \
                                  alone; repaired are failed runs that a retry made good.";

pub(super) async fn build(ask: &Ask<'_>) -> Result<Vec<Section>, Error> {
    let columns = [STATE, &SUCCESS[2..], &["source_missing_since"]].concat();
    let all = ask.rows(&JOB_STATUS, &columns, None, "").await?.sorted("job_name, backup_server_name");
    let is_gone = |row: &Row<'_>| *row.cell("source_missing_since") != Cell::Null;
    let is_current = |row: &Row<'_>| row.time("last_start_time").is_some_and(|start| start >= ask.period.since);
    let (gone, there): (Vec<Row<'_>>, Vec<Row<'_>>) = all.iter().partition(is_gone);
    let (mut current, idle): (Vec<Row<'_>>, Vec<Row<'_>>) = there.into_iter().partition(is_current);
    let with = |result: &str| current.iter().filter(|row| row.text("last_result") == result).count();
    let figures = vec![
        count("jobs", "Jobs that run", current.len()),
        count_bad("last_failed", "whose last run Failed", with("Failed"), Tone::Bad),
        count_bad("last_warning", "whose last run ended Warning", with("Warning"), Tone::Warning),
        count("idle", "Jobs that did not run", idle.len()),
    ];
    current.sort_by_key(|row| {
        let trouble = match row.text("last_result") {
            "Failed" => 0,
            "Warning" => 1,
            _ => 2,
        };
        (trouble, Reverse(row.int("hours_since_good").unwrap_or(i64::MAX)))
    });
    let rest = cap(&mut current, MOST);
    let since = ask.period.show(ask.period.since);
    let idle = match idle.len() {
        0 => String::new(),
        n => format!("{} not run since {since}: --since goes further back.", counted(n, "more has", "more have")),
    };
    let gone = match gone.len() {
        0 => String::new(),
        n => format!("{} gone from Enterprise Manager.", counted(n, "more is", "more are")),
    };
    let table_of = |columns: &[&'static str]| {
        Body::Table(table(columns, current.iter().map(|row| row.cells(columns)).collect(), "No job has run."))
    };
    Ok(vec![
        section("figures", "In short", "", Body::Figures(figures)),
        section("jobs", "Jobs, trouble first", sentences(&[&idle, &gone, &rest]), table_of(STATE)),
        section("success", "How often they are good", MEANING, table_of(SUCCESS)),
    ])
}
