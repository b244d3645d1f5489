//! One machine: how it is protected, and how it went.

use std::collections::BTreeMap;

use chrono::NaiveTime;

use super::ask::{Ask, Rows, section, sentences, tone};
use super::views::{MACHINE_PROTECTION, MACHINE_SESSIONS, RESTORE_AUDIT, SIZE_GROWTH, VM_DAILY_STATUS};
use super::{Body, Chart, HeatRow, Line, Section, Unit};
use crate::store::{Cell, Error};

const MOST: usize = 500;
/// Days of the heat map.
const DAYS: u16 = 31;

const NEWEST_FIRST: &str = "day desc, backup_server_name";
const UTC_DAYS: &str = "Days are UTC.";

pub(super) async fn build(ask: &Ask<'_>) -> Result<Vec<Section>, Error> {
    let (daily_note, daily_chart, daily) = days(ask).await?;
    let (size_note, size_chart, sizes) = sizes(ask).await?;
    Ok(vec![
        protections(ask).await?,
        section("days_chart", "Days", daily_note.clone(), daily_chart),
        section("days", "Days", daily_note, daily),
        tasks(ask).await?,
        section("size_chart", "Size", size_note.clone(), size_chart),
        section("sizes", "Sizes", size_note, sizes),
        restores(ask).await?,
    ])
}

async fn protections(ask: &Ask<'_>) -> Result<Section, Error> {
    let columns = [
        "backup_server_name",
        "protection",
        "job_name",
        "within_rpo",
        "last_attempt_end_time",
        "last_attempt_result",
        "last_good_end_time",
        "hours_since_good",
        "rpo_hours",
        "consecutive_failures",
        "last_failure_reason",
    ];
    let order = "backup_server_name, protection, job_name";
    let rows = ask.rows_of_names(&MACHINE_PROTECTION, &columns, "vm_display_name", &[], "").await?.sorted(order);
    let (table, rest) = rows.table(MOST, "It is not protected.");
    Ok(section("protections", "How it is protected", rest, Body::Table(table)))
}

/// Its status by day: a table, and a row of colours a server.
async fn days(ask: &Ask<'_>) -> Result<(String, Body, Body), Error> {
    let columns = ["day", "backup_server_name", "runs", "best_result", "last_result"];
    let filters = ask.period.within_days("day");
    let rows = ask.rows_of_names(&VM_DAILY_STATUS, &columns, "vm_display_name", &filters, "day desc").await?;
    let rows = rows.sorted(NEWEST_FIRST);
    let days = ask.period.days(DAYS);
    let mut servers: BTreeMap<&str, BTreeMap<_, _>> = BTreeMap::new();
    for row in rows.iter() {
        if let Cell::Day(day) = row.cell("day") {
            let best = row.text("best_result");
            servers.entry(row.text("backup_server_name")).or_default().insert(*day, (tone(best), best.to_owned()));
        }
    }
    let heat = servers.into_iter().map(|(server, status)| HeatRow {
        name: server.to_owned(),
        fields: days.iter().map(|day| status.get(day).cloned()).collect(),
    });
    let chart = Body::Chart(Chart::HeatMap { rows: heat.collect(), days });
    let (table, rest) = rows.table(MOST, "Nothing ended in these days.");
    Ok((sentences(&["The best result of each day.", UTC_DAYS, &rest]), chart, Body::Table(table)))
}

/// Its task sessions, newest first.
async fn tasks(ask: &Ask<'_>) -> Result<Section, Error> {
    let columns = [
        "creation_time",
        "end_time",
        "kind",
        "backup_server_name",
        "parent_name",
        "state",
        "result",
        "duration_seconds",
        "message",
        "kind",
        "uid",
    ];
    let filters = ask.period.within("creation_time");
    let order = "creation_time desc, uid";
    let rows = ask.rows_of_names(&MACHINE_SESSIONS, &columns, "vm_display_name", &filters, order).await?;
    let (table, rest) = rows.table_of_sessions(MOST, "No job tried it.");
    Ok(section("tasks", "Last sessions", rest, Body::Table(table)))
}

async fn sizes(ask: &Ask<'_>) -> Result<(String, Body, Body), Error> {
    let columns = ["day", "backup_server_name", "total_size_bytes", "change_7d_bytes", "change_30d_bytes"];
    let filters = ask.period.within_days("day");
    let rows = ask.rows_of_names(&SIZE_GROWTH, &columns, "vm_display_name", &filters, "day desc").await?;
    let rows = rows.sorted(NEWEST_FIRST);
    let chart = Body::Chart(Chart::Lines { unit: Unit::Bytes, lines: lines(&rows) });
    let (table, rest) = rows.table(MOST, "No good session told a size.");
    let note = "What Enterprise Manager calls the total size, of the last good session of each day.";
    Ok((sentences(&[note, UTC_DAYS, &rest]), chart, Body::Table(table)))
}

fn lines(rows: &Rows) -> Vec<Line> {
    let mut servers: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for row in rows.iter() {
        if let (Cell::Day(day), Some(size)) = (row.cell("day"), row.int("total_size_bytes")) {
            let midnight = day.and_time(NaiveTime::MIN).and_utc();
            servers.entry(row.text("backup_server_name")).or_default().push((midnight, size as f64));
        }
    }
    let line = |(server, mut points): (&str, Vec<_>)| {
        points.sort_by_key(|(time, _)| *time);
        Line { name: server.to_owned(), points }
    };
    servers.into_iter().map(line).collect()
}

async fn restores(ask: &Ask<'_>) -> Result<Section, Error> {
    let columns = [
        "start_time",
        "end_time",
        "backup_server_name",
        "restore_type",
        "result",
        "duration_seconds",
        "restore_point_time",
        "restore_point_age_seconds",
        "message",
        "uid",
    ];
    let rows = ask.rows_of_names(&RESTORE_AUDIT, &columns, "vm_display_name", &[], "start_time desc, uid").await?;
    let (table, rest) = rows.of_kind("RestoreSession").table_of_sessions(MOST, "It was never restored.");
    Ok(section("restores", "Restores", sentences(&["All there ever were.", &rest]), Body::Table(table)))
}
