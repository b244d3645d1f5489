//! Every machine's last good backup against its RPO.

use std::collections::BTreeMap;

use super::ask::{
    Ask, Row, Rows, cap, count, count_bad, counted, int, percent, section, sentences, share, table, text,
};
use super::overview::{is_retired, protected, worst_first};
use super::views::{CDP_STATUS, VM_PROTECTION};
use super::{Body, Section, Tone};
use crate::store::Error;

/// Rows of the long tables.
const MOST: usize = 1000;

const COLUMNS: &[&str] = &[
    "backup_server_uid",
    "backup_server_name",
    "vm_display_name",
    "protection",
    "job_name",
    "last_attempt_end_time",
    "last_attempt_result",
    "last_good_end_time",
    "hours_since_good",
    "rpo_hours",
    "within_rpo",
    "consecutive_failures",
    "last_failure_reason",
];

pub(super) async fn build(ask: &Ask<'_>) -> Result<Vec<Section>, Error> {
    let all = ask.rows(&VM_PROTECTION, COLUMNS, None, "").await?;
    let (retired, mut rows): (Vec<Row<'_>>, Vec<Row<'_>>) =
        all.iter().partition(|row| is_retired(*row, ask.period.since));
    worst_first(&mut rows);
    let (within, machines) = protected(&all, ask.period.since);
    let late = rows.iter().filter(|row| !row.is("within_rpo")).count();
    let figures = vec![
        count("vms", "Machines", machines),
        count("vms_within_rpo", "within their RPO", within),
        share("rpo_pct", "Within RPO", within, machines),
        count_bad("late", "Protections beyond their RPO", late, Tone::Bad),
    ];
    let retired = match retired.len() {
        0 => String::new(),
        n => format!(
            "{} tried since {}, and may be retired: --since goes further back.",
            counted(n, "more was not", "more were not"),
            ask.period.show(ask.period.since)
        ),
    };
    let servers = by_server(&all, ask);
    let rest = cap(&mut rows, MOST);
    let shown = &COLUMNS[1..];
    let rows = rows.iter().map(|row| row.cells(shown)).collect();
    let machines = table(shown, rows, "No machine was backed up.");
    let mut sections = vec![
        section(
            "figures",
            "In short",
            "A machine counts as protected if any of its protections is within its RPO.",
            Body::Figures(figures),
        ),
        section("servers", "By server", "", Body::Table(servers)),
        section("vms", "Machines, worst first", sentences(&[&retired, &rest]), Body::Table(machines)),
    ];
    sections.extend(cdp(ask).await?);
    Ok(sections)
}

fn by_server(all: &Rows, ask: &Ask<'_>) -> super::Table {
    let mut servers: BTreeMap<&str, BTreeMap<(String, &str), bool>> = BTreeMap::new();
    for row in all.iter().filter(|row| !is_retired(*row, ask.period.since)) {
        let uid = row.uid("backup_server_uid").map(|uid| uid.to_string()).unwrap_or_default();
        let machines = servers.entry(row.text("backup_server_name")).or_default();
        *machines.entry((uid, row.text("vm_display_name"))).or_default() |= row.is("within_rpo");
    }
    let rows = servers.into_iter().map(|(server, machines)| {
        let within = machines.values().filter(|within| **within).count();
        vec![text(server), int(machines.len()), int(within), percent(within, machines.len())]
    });
    table(&["backup_server_name", "vm_count", "vms_within_rpo", "rpo_pct"], rows.collect(), "No machine was backed up.")
}

/// Continuous replication has no runs to be late: its longest gap says as much.
async fn cdp(ask: &Ask<'_>) -> Result<Option<Section>, Error> {
    let columns = [
        "policy_name",
        "vm_display_name",
        "sessions_30d",
        "failed_30d",
        "good_pct_30d",
        "longest_gap_seconds",
        "last_good_end_time",
    ];
    let order = "longest_gap_seconds desc, policy_name, vm_display_name";
    let rows = ask.rows(&CDP_STATUS, &columns, None, "").await?.sorted(order);
    if rows.len() == 0 {
        return Ok(None);
    }
    let (table, rest) = rows.table(MOST, "");
    Ok(Some(section("cdp", "Continuous replication, longest gap first", rest, Body::Table(table))))
}
