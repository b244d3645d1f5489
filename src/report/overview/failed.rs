//! What failed and was not repaired since, grouped so that one cause is one line.

use std::collections::{BTreeMap, BTreeSet};

use super::page;
use crate::report::ask::{Ask, Row, Rows, counted, int, maybe, section, sentences, table, text};
use crate::report::views::FAILURES;
use crate::report::{Body, Section};
use crate::store::{Cell, Error, Filter};

const COLUMNS: &[&str] =
    &["end_time", "backup_server_name", "job_name", "vm_display_name", "reason", "reason_group", "later_good"];

pub(super) async fn section_of(ask: &Ask<'_>) -> Result<Section, Error> {
    let filters = ask.period.within("end_time").into_iter().chain([Filter::Is("result", text("Failed"))]);
    let rows = ask.rows(&FAILURES, COLUMNS, filters, "end_time desc, uid").await?;
    let (groups, repaired) = groups(&rows);
    let mut rows: Vec<Vec<Cell>> = groups.into_iter().map(Group::cells).collect();
    let rest = page(&mut rows, "failures");
    let repaired = match repaired {
        0 => String::new(),
        n => format!("{} repaired by a good run since.", counted(n, "more failure was", "more failures were")),
    };
    let names = ["backup_server_name", "job_name", "vm_count", "vms", "failures", "last_end_time", "reason"];
    let table = table(&names, rows, "Nothing that failed is left unrepaired.");
    Ok(section("failed", "What failed and was not repaired", sentences(&[&repaired, &rest]), Body::Table(table)))
}

/// One cause: machines of a job that failed for like reasons.
struct Group<'a> {
    /// The newest.
    newest: Row<'a>,
    vms: BTreeSet<&'a str>,
    failures: usize,
}

/// Failures by server, job and reason, those of most machines first; and how many were repaired.
fn groups(rows: &Rows) -> (Vec<Group<'_>>, usize) {
    let (repaired, open): (Vec<Row<'_>>, Vec<Row<'_>>) = rows.iter().partition(|row| row.is("later_good"));
    // A job that failed because its machines did is told with them.
    let job = |row: &Row<'_>| (row.text("backup_server_name").to_owned(), row.text("job_name").to_owned());
    let is_job = |row: &Row<'_>| row.text("vm_display_name").is_empty();
    let told: BTreeSet<(String, String)> = open.iter().filter(|row| !is_job(row)).map(job).collect();
    let mut groups: BTreeMap<_, Group<'_>> = BTreeMap::new();
    for row in open.into_iter().filter(|row| !is_job(row) || !told.contains(&job(row))) {
        let key = (job(&row), row.text("reason_group").to_owned());
        let group = groups.entry(key).or_insert_with(|| Group { newest: row, vms: BTreeSet::new(), failures: 0 });
        group.failures += 1;
        group.vms.extend(Some(row.text("vm_display_name")).filter(|name| !name.is_empty()));
    }
    let mut groups: Vec<Group<'_>> = groups.into_values().collect();
    groups.sort_by_key(|group| (std::cmp::Reverse(group.vms.len()), std::cmp::Reverse(group.newest.time("end_time"))));
    (groups, repaired.len())
}

impl Group<'_> {
    fn cells(self) -> Vec<Cell> {
        let mut cells = self.newest.cells(&["backup_server_name", "job_name"]);
        let names = Some(some(&self.vms)).filter(|names| !names.is_empty());
        cells.extend([int(self.vms.len()), maybe(names, Cell::Text), int(self.failures)]);
        cells.extend(self.newest.cells(&["end_time", "reason"]));
        cells
    }
}

/// The first few names, and how many more there are.
fn some(names: &BTreeSet<&str>) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<&str> = names.iter().copied().take(SHOWN).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        rest => format!("{} and {rest} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(failures: &[(&str, &str, &str, bool)]) -> Rows {
        let cell = |value: &str| if value.is_empty() { Cell::Null } else { text(value) };
        let cells = failures.iter().enumerate().map(|(n, (job, vm, reason, later_good))| {
            let end = format!("2026-03-01T0{}:00:00Z", 9 - n).parse().unwrap();
            vec![
                Cell::Time(end),
                text("x"),
                text(*job),
                cell(vm),
                text(format!("{reason} {n}")),
                text(*reason),
                Cell::Bool(*later_good),
            ]
        });
        Rows::of(COLUMNS, cells.collect())
    }

    #[test]
    fn one_cause_is_one_line_and_a_job_is_told_with_its_machines() {
        let rows = rows(&[
            ("alone", "", "no space", false),
            ("nightly", "", "some failed", false),
            ("nightly", "a", "no host", false),
            ("nightly", "a", "no host", false),
            ("nightly", "b", "no host", false),
            ("nightly", "c", "no space", false),
            ("nightly", "d", "no space", true),
        ]);
        let (groups, repaired) = groups(&rows);
        assert_eq!(repaired, 1);
        let told: Vec<(&str, String, usize, &str)> = groups
            .iter()
            .map(|group| (group.newest.text("job_name"), some(&group.vms), group.failures, group.newest.text("reason")))
            .collect();
        assert_eq!(
            told,
            [
                ("nightly", "a, b".to_owned(), 3, "no host 2"),
                ("nightly", "c".to_owned(), 1, "no space 5"),
                ("alone", String::new(), 1, "no space 0"),
            ]
        );
        assert_eq!(some(&["a", "b", "c", "d", "e"].into()), "a, b, c and 2 more");
    }
}
