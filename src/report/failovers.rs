//! Cloud failovers and their tests: who asked for them, why, and how each machine fared.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::ask::{Ask, Row, cap, count, count_bad, section, sentences, table};
use super::views::FAILOVER_AUDIT;
use super::{Body, Section, Tone};
use crate::store::{Cell, Error};

const MOST: usize = 1000;

pub(super) async fn build(ask: &Ask<'_>) -> Result<Vec<Section>, Error> {
    let columns = [
        "session_uid",
        "start_time",
        "plan_name",
        "action",
        "result",
        "duration_seconds",
        "vm_name",
        "vm_result",
        "vm_duration_seconds",
        "requested_by",
        "requested_at",
        "reason",
    ];
    let order = "coalesce(start_time, requested_at) desc";
    let rows = ask.rows(&FAILOVER_AUDIT, &columns, None, order).await?;
    // An action that came to no session has only the time at which it was asked for.
    let time = |row: &Row<'_>| row.time("start_time").or(row.time("requested_at"));
    let is_inside = |row: &Row<'_>| time(row).is_some_and(|time| time >= ask.period.since && time < ask.period.until);
    let mut inside: Vec<Row<'_>> = rows.iter().filter(is_inside).collect();
    inside.sort_by_key(|row| (Reverse(time(row)), row.uid("session_uid"), row.text("vm_name").to_owned()));
    let mut sessions: BTreeMap<_, Row<'_>> = BTreeMap::new();
    for row in &inside {
        sessions.entry((row.uid("session_uid"), time(row))).or_insert(*row);
    }
    let with = |column: &str, value: &str| sessions.values().filter(|row| row.text(column) == value).count();
    let figures = vec![
        count("failovers", "Failovers", sessions.len()),
        count("failover_tests", "asked for as tests", with("action", "test")),
        count_bad("failed", "Failed", with("result", "Failed"), Tone::Bad),
    ];
    let rest = cap(&mut inside, MOST);
    let shown = &columns[1..];
    let rows: Vec<Vec<Cell>> = inside.iter().map(|row| row.cells(shown)).collect();
    let table = table(shown, rows, "Nothing failed over.");
    let note = "A row a machine. Action, who asked and why are known of what was sent through vemsync: Enterprise \
                Manager itself does not tell a test from the real thing.";
    Ok(vec![
        section("figures", "In short", "", Body::Figures(figures)),
        section("failovers", "Failovers, newest first", sentences(&[note, &rest]), Body::Table(table)),
    ])
}
