//! Which machines grew or shrank most, and how much there is in all.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{Days, NaiveDate, NaiveTime};

use super::ask::{Ask, Row, read, section, sentences, table, text};
use super::views::{DAILY_RESULTS, SIZE_GROWTH};
use super::{Body, Chart, Line, Section, Table, Unit};
use crate::store::{Cell, Error, Filter};

/// Machines in each table.
const MOST: u32 = 50;
/// How far back a day with data is looked for.
const LOOK_BACK: Days = Days::new(31);

// The databases disagree on where what is not known is sorted.
const BY_WEEK: &str = "change_7d_bytes is null, abs(change_7d_bytes) desc";
const BY_MONTH: &str = "change_30d_bytes is null, abs(change_30d_bytes) desc";

const MEANING: &str = "What Enterprise Manager calls the total size: that of the machine or its restore points, not what \
                       was read or sent. Days are UTC.";

pub(super) async fn build(ask: &Ask<'_>) -> Result<Vec<Section>, Error> {
    let day = newest_day(ask).await?;
    let (lines, totals) = totals(ask).await?;
    let at = day.map_or_else(String::new, |day| format!("As of {day}."));
    let note = sentences(&[&at, MEANING]);
    let week = changes(ask, day, ["change_7d_bytes", "change_30d_bytes"], BY_WEEK).await?;
    let month = changes(ask, day, ["change_30d_bytes", "change_7d_bytes"], BY_MONTH).await?;
    let sums = "Sizes of the good sessions of each day, added up: a machine with several counts as often.";
    Ok(vec![
        section("changes_7d", "Largest changes over 7 days", note.clone(), Body::Table(week)),
        section("changes_30d", "Largest changes over 30 days", note, Body::Table(month)),
        section("totals_chart", "In all", sentences(&[sums, "Days are UTC."]), lines),
        section("totals", "In all", sentences(&[sums, "Days are UTC."]), Body::Table(totals)),
    ])
}

/// The newest day that is over and has data, or else the day that has begun.
async fn newest_day(ask: &Ask<'_>) -> Result<Option<NaiveDate>, Error> {
    let today = ask.period.until.date_naive();
    let filters = |from: NaiveDate, before: NaiveDate| {
        [Filter::From("day", Cell::Day(from)), Filter::Before("day", Cell::Day(before))]
    };
    let yesterday = today - Days::new(1);
    // Yesterday is nearly always the one, and a month takes a while to read.
    for (from, before) in [(yesterday, today), (today - LOOK_BACK, yesterday), (today, today + Days::new(1))] {
        let newest = read(ask.views, &SIZE_GROWTH, &["day"], filters(from, before), "day desc", 1).await?;
        if let Some(Cell::Day(day)) = newest.iter().next().map(|row| row.cell("day").clone()) {
            return Ok(Some(day));
        }
    }
    Ok(None)
}

/// The machines that changed most until that day.
async fn changes(
    ask: &Ask<'_>,
    day: Option<NaiveDate>,
    [change, other]: [&'static str; 2],
    order: &'static str,
) -> Result<Table, Error> {
    let columns = ["vm_display_name", "backup_server_name", "total_size_bytes", change, other];
    let Some(day) = day else { return Ok(table(&columns, Vec::new(), "No session has told a size.")) };
    let filters = [Filter::Is("day", Cell::Day(day))];
    let rows = read(ask.views, &SIZE_GROWTH, &columns, filters, order, MOST).await?;
    let rows = rows.sorted("vm_display_name, backup_server_name");
    let mut changed: Vec<Row<'_>> =
        rows.iter().filter(|row| row.int(change).is_some_and(|change| change != 0)).collect();
    changed.sort_by_key(|row| Reverse(row.int(change).map(i64::unsigned_abs)));
    Ok(table(&columns, changed.iter().map(|row| row.cells(&columns)).collect(), "No change over that time is known."))
}

/// The size of all sessions by day and kind: a line a kind, and a table.
async fn totals(ask: &Ask<'_>) -> Result<(Body, Table), Error> {
    let columns = ["day", "kind", "runs", "total_size_bytes"];
    let rows = ask.rows(&DAILY_RESULTS, &columns, ask.period.within_days("day"), "").await?;
    let mut sums: BTreeMap<(&str, NaiveDate), (i64, i64)> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.text("kind").ends_with("TaskSession")) {
        if let Cell::Day(day) = row.cell("day") {
            let (runs, size) = sums.entry((row.text("kind"), *day)).or_default();
            *runs += row.int("runs").unwrap_or(0);
            *size = size.saturating_add(row.int("total_size_bytes").unwrap_or(0));
        }
    }
    let mut lines: Vec<Line> = Vec::new();
    for ((kind, day), (_, size)) in &sums {
        let point = (day.and_time(NaiveTime::MIN).and_utc(), *size as f64);
        match lines.last_mut().filter(|line| line.name == *kind) {
            Some(line) => line.points.push(point),
            None => lines.push(Line { name: (*kind).to_owned(), points: vec![point] }),
        }
    }
    let mut cells: Vec<Vec<Cell>> = sums
        .into_iter()
        .map(|((kind, day), (runs, size))| vec![Cell::Day(day), text(kind), Cell::Int(runs), Cell::Int(size)])
        .collect();
    // Newest day first; the sort keeps the order of the kinds.
    cells.sort_by(|a, b| match (&a[0], &b[0]) {
        (Cell::Day(a), Cell::Day(b)) => b.cmp(a),
        _ => std::cmp::Ordering::Equal,
    });
    let table = table(&columns, cells, "No session has told a size.");
    Ok((Body::Chart(Chart::Lines { unit: Unit::Bytes, lines }), table))
}
