//! What ended Failed or Warning: by reason, and each.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::ask::{Ask, MOST_READ, Row, Rows, cap, count_bad, int, section, share, table, text, tone};
use super::runs::counted_by_day;
use super::views::FAILURES;
use super::{Body, Section, Table, Tone};
use crate::store::{Cell, Error};

const MOST_REASONS: usize = 100;
const MOST_FAILURES: usize = 1000;
/// Days of the chart.
const DAYS: u16 = 31;

const COLUMNS: &[&str] = &[
    "end_time",
    "result",
    "kind",
    "backup_server_name",
    "job_name",
    "vm_display_name",
    "later_good",
    "reason",
    "reason_group",
];

pub(super) async fn build(ask: &Ask<'_>) -> Result<Vec<Section>, Error> {
    let rows = ask.rows(&FAILURES, COLUMNS, ask.period.within("end_time"), "end_time desc, uid").await?;
    let cut = if rows.is_cut() { format!("Only the newest {MOST_READ} were read.") } else { String::new() };
    let of = |result: &str, sort: fn(&str) -> bool| {
        rows.iter().filter(|row| row.text("result") == result && sort(row.text("kind"))).count()
    };
    let repaired = rows.iter().filter(|row| row.is("later_good")).count();
    let figures = vec![
        count_bad("vms_failed", "Machines in runs that Failed", of("Failed", is_machine), Tone::Bad),
        count_bad("runs_failed", "Runs that Failed", of("Failed", is_run), Tone::Bad),
        count_bad("others_failed", "Restores and failovers that Failed", of("Failed", is_other), Tone::Bad),
        count_bad("warning", "All that ended Warning", of("Warning", |_| true), Tone::Warning),
        share("repaired_pct", "Followed by a good one", repaired, rows.len()),
    ];
    let ends = rows.iter().filter_map(|row| Some((ask.period.day_of(row.time("end_time")?), tone(row.text("result")))));
    let (_, chart) = counted_by_day(ends, ask.period.days(DAYS));
    let (reasons, more_reasons) = by_reason(&rows);
    let mut each: Vec<Row<'_>> = rows.iter().collect();
    let rest = cap(&mut each, MOST_FAILURES);
    let shown = &COLUMNS[..COLUMNS.len() - 1];
    let each = table(shown, each.iter().map(|row| row.cells(shown)).collect(), "Nothing failed.");
    Ok(vec![
        section("figures", "In short", cut, Body::Figures(figures)),
        section("days_chart", "By day", "By the day on which they ended.", chart),
        section("reasons", "By reason", more_reasons, Body::Table(reasons)),
        section("failures", "Each, newest first", rest, Body::Table(each)),
    ])
}

/// Failures with the same message but for names and numbers, the most frequent first.
fn by_reason(rows: &Rows) -> (Table, String) {
    let mut groups: BTreeMap<(&str, &str), Vec<Row<'_>>> = BTreeMap::new();
    for row in rows.iter() {
        groups.entry((row.text("result"), row.text("reason_group"))).or_default().push(row);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|((result, _), rows)| (*result != "Failed", Reverse(rows.len())));
    let more = cap(&mut groups, MOST_REASONS);
    let cells = |((result, group), rows): ((&str, &str), Vec<Row<'_>>)| {
        let distinct = |column: &str| {
            let names = rows.iter().map(|row| (row.text("backup_server_name"), row.text(column)));
            names.filter(|(_, name)| !name.is_empty()).collect::<BTreeSet<_>>().len()
        };
        let group = if group.is_empty() { Cell::Null } else { text(group) };
        let end = |row: Option<&Row<'_>>| row.map_or(Cell::Null, |row| row.cell("end_time").clone());
        let unrepaired = rows.iter().filter(|row| !row.is("later_good")).count();
        vec![
            text(result),
            int(rows.len()),
            int(unrepaired),
            int(distinct("job_name")),
            int(distinct("vm_display_name")),
            end(rows.last()),
            end(rows.first()),
            group,
        ]
    };
    let columns =
        ["result", "failures", "unrepaired", "jobs", "vm_count", "first_end_time", "last_end_time", "reason_group"];
    (table(&columns, groups.into_iter().map(cells).collect(), "Nothing failed."), more)
}

fn is_machine(kind: &str) -> bool {
    kind.ends_with("TaskSession")
}

fn is_other(kind: &str) -> bool {
    matches!(kind, "RestoreSession" | "CloudFailoverSession")
}

fn is_run(kind: &str) -> bool {
    !is_machine(kind) && !is_other(kind)
}
