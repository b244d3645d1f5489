//! Asking the views for rows, and making the parts of a report from them.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::column::column;
use super::fresh::Stream;
use super::{Body, Figure, Period, Section, Table, Tone, Unit};
use crate::store::{Cell, Error, Filter, Select, View, Views};

/// More rows than this are not read at once, whatever is asked for.
pub(super) const MOST_READ: u32 = 100_000;

/// What a report is made from.
pub(super) struct Ask<'a> {
    pub(super) views: &'a dyn Views,
    pub(super) period: Period,
    /// The names of the jobs or machines that it is about.
    pub(super) names: Vec<String>,
    /// The backup server on which they are, where only that one is meant.
    pub(super) server: Option<String>,
    /// How current each stream is.
    pub(super) streams: Vec<Stream>,
}

impl Ask<'_> {
    /// These columns of the rows for which the filters hold, in an order.
    pub(super) async fn rows(
        &self,
        view: &'static View,
        columns: &[&'static str],
        filters: impl IntoIterator<Item = Filter>,
        order: &'static str,
    ) -> Result<Rows, Error> {
        read(self.views, view, columns, filters, order, MOST_READ).await
    }

    /// … for each of the report's names, on its server. The columns have to have the server's name.
    pub(super) async fn rows_of_names(
        &self,
        view: &'static View,
        columns: &[&'static str],
        name: &'static str,
        filters: &[Filter],
        order: &'static str,
    ) -> Result<Rows, Error> {
        let mut all = Rows { names: columns.to_vec(), cells: Vec::new() };
        for subject in &self.names {
            let filters = filters.iter().cloned().chain([Filter::Is(name, text(subject))]);
            all.cells.extend(self.rows(view, columns, filters, order).await?.cells);
        }
        // In the statement it would keep the databases from looking the name up first.
        Ok(match &self.server {
            Some(server) => all.only(|row| row.text("backup_server_name") == server),
            None => all,
        })
    }
}

/// The first rows of a view, in an order.
pub(super) async fn read(
    views: &dyn Views,
    view: &'static View,
    columns: &[&'static str],
    filters: impl IntoIterator<Item = Filter>,
    order: &'static str,
    most: u32,
) -> Result<Rows, Error> {
    let select = filters.into_iter().fold(Select::new(view, columns), Select::filter).order(order).limit(most);
    Ok(Rows { names: select.names(), cells: views.select(&select).await? })
}

/// Rows of a view.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    names: Vec<&'static str>,
    cells: Vec<Vec<Cell>>,
}

impl Rows {
    /// Rows that a test made up.
    #[cfg(test)]
    pub(super) fn of(names: &[&'static str], cells: Vec<Vec<Cell>>) -> Self {
        Self { names: names.to_vec(), cells }
    }

    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// These columns of them.
    pub(super) fn columns(&self, columns: &[&'static str]) -> Self {
        Self { names: columns.to_vec(), cells: self.iter().map(|row| row.cells(columns)).collect() }
    }

    /// With a column before the last one that says of which type all of the sessions are.
    pub(super) fn of_kind(mut self, kind: &'static str) -> Self {
        self.names.insert(self.names.len() - 1, "kind");
        self.cells.iter_mut().for_each(|row| row.insert(row.len() - 1, text(kind)));
        self
    }

    /// Only those rows.
    pub(super) fn only(mut self, is_wanted: impl Fn(Row<'_>) -> bool) -> Self {
        let names = &self.names;
        self.cells.retain(|cells| is_wanted(Row { names, cells }));
        self
    }

    /// Whether there may be more than were read.
    pub(super) fn is_cut(&self) -> bool {
        self.cells.len() >= MOST_READ as usize
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.cells.iter().map(|cells| Row { names: &self.names, cells })
    }

    /// In an order such as `day desc, vm_display_name`: text by its characters and what is not known last, in which the
    /// databases differ from each other.
    pub(super) fn sorted(mut self, order: &str) -> Self {
        let place = |key: &str| {
            let (name, is_descending) = key.strip_suffix(" desc").map_or((key, false), |name| (name, true));
            let at = self.names.iter().position(|known| *known == name);
            (at.unwrap_or_else(|| panic!("column {name} was not asked for")), is_descending)
        };
        let keys: Vec<(usize, bool)> = order.split(", ").map(place).collect();
        self.cells.sort_by(|a, b| {
            let by_key = keys.iter().map(|(at, is_descending)| compare(&a[*at], &b[*at], *is_descending));
            by_key.fold(Ordering::Equal, Ordering::then)
        });
        self
    }

    /// A table of the first rows, each of which is about the session that its last two columns name: its type and
    /// identity, which are no columns of the table.
    pub(super) fn table_of_sessions(self, most: usize, if_empty: &'static str) -> (Table, String) {
        let shown = self.names.len() - 2;
        let (mut sessions, mut cells) = (Vec::new(), Vec::new());
        for mut row in self.cells {
            let (uid, kind) = (row.pop(), row.pop());
            if let (Some(Cell::Text(kind)), Some(Cell::Uid(uid))) = (kind, uid) {
                sessions.push((kind, uid));
            }
            cells.push(row);
        }
        sessions.truncate(most);
        let (table, rest) = Self { names: self.names[..shown].to_vec(), cells }.table(most, if_empty);
        (Table { sessions, ..table }, rest)
    }

    /// A table of all columns of the first rows, and what to say about those that are left out.
    pub(super) fn table(self, most: usize, if_empty: &'static str) -> (Table, String) {
        let mut rows = self.cells;
        let rest = cap(&mut rows, most);
        (table(&self.names, rows, if_empty), rest)
    }
}

fn compare(a: &Cell, b: &Cell, is_descending: bool) -> Ordering {
    let order = match (a, b) {
        (Cell::Null, _) | (_, Cell::Null) => return (*a == Cell::Null).cmp(&(*b == Cell::Null)),
        (Cell::Text(a), Cell::Text(b)) => a.cmp(b),
        (Cell::Uid(a), Cell::Uid(b)) => a.cmp(b),
        (Cell::Int(a), Cell::Int(b)) => a.cmp(b),
        (Cell::Real(a), Cell::Real(b)) => a.total_cmp(b),
        (Cell::Time(a), Cell::Time(b)) => a.cmp(b),
        (Cell::Day(a), Cell::Day(b)) => a.cmp(b),
        (Cell::Bool(a), Cell::Bool(b)) => a.cmp(b),
        _ => unreachable!("a column has one type"),
    };
    if is_descending { order.reverse() } else { order }
}

/// A row of a view.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    names: &'a [&'static str],
    cells: &'a [Cell],
}

impl<'a> Row<'a> {
    pub(super) fn cell(self, name: &str) -> &'a Cell {
        let at = self.names.iter().position(|known| *known == name);
        &self.cells[at.unwrap_or_else(|| panic!("column {name} was not asked for"))]
    }

    /// These columns.
    pub(super) fn cells(self, names: &[&str]) -> Vec<Cell> {
        names.iter().map(|name| self.cell(name).clone()).collect()
    }

    /// The text, empty where there is none.
    pub(super) fn text(self, name: &str) -> &'a str {
        match self.cell(name) {
            Cell::Text(text) => text,
            _ => "",
        }
    }

    pub(super) fn int(self, name: &str) -> Option<i64> {
        match self.cell(name) {
            Cell::Int(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn real(self, name: &str) -> Option<f64> {
        match self.cell(name) {
            Cell::Real(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn time(self, name: &str) -> Option<DateTime<Utc>> {
        match self.cell(name) {
            Cell::Time(time) => Some(*time),
            _ => None,
        }
    }

    pub(super) fn uid(self, name: &str) -> Option<Uuid> {
        match self.cell(name) {
            Cell::Uid(uid) => Some(*uid),
            _ => None,
        }
    }

    /// Whether it is known to be so.
    pub(super) fn is(self, name: &str) -> bool {
        *self.cell(name) == Cell::Bool(true)
    }
}

/// Keeps the first rows and says how many there were behind them.
pub(super) fn cap<T>(rows: &mut Vec<T>, most: usize) -> String {
    let rest = rows.len().saturating_sub(most);
    rows.truncate(most);
    match rest {
        0 => String::new(),
        rest => format!("{rest} more {} not shown.", if rest == 1 { "is" } else { "are" }),
    }
}

/// Sentences one behind the other; empty ones are none.
pub(super) fn sentences(parts: &[&str]) -> String {
    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(" ")
}

/// A number with its noun.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

pub(super) fn table(columns: &[&'static str], rows: Vec<Vec<Cell>>, if_empty: &'static str) -> Table {
    Table { columns: columns.iter().map(|name| column(name)).collect(), rows, if_empty, sessions: Vec::new() }
}

pub(super) fn section(id: &'static str, title: impl Into<String>, note: impl Into<String>, body: Body) -> Section {
    Section { id, title: title.into(), note: note.into(), body }
}

pub(super) fn figure(name: &'static str, label: &str, value: Cell, unit: Unit, tone: Tone) -> Figure {
    Figure { name, label: label.to_owned(), value, unit, tone }
}

/// A count of what is neither good nor bad.
pub(super) fn count(name: &'static str, label: &str, count: usize) -> Figure {
    figure(name, label, int(count), Unit::Count, Tone::Plain)
}

/// A count of what there should be none of.
pub(super) fn count_bad(name: &'static str, label: &str, count: usize, tone: Tone) -> Figure {
    figure(name, label, int(count), Unit::Count, if count == 0 { Tone::Good } else { tone })
}

/// A share of what should be all.
pub(super) fn share(name: &'static str, label: &str, part: usize, whole: usize) -> Figure {
    let tone = match percent(part, whole) {
        Cell::Real(share) if share >= 98.0 => Tone::Good,
        Cell::Real(share) if share >= 90.0 => Tone::Warning,
        Cell::Real(_) => Tone::Bad,
        _ => Tone::Plain,
    };
    figure(name, label, percent(part, whole), Unit::Percent, tone)
}

/// A share in percent, cut to two digits: what is not all is not 100. Of nothing there is none.
pub(super) fn percent(part: usize, whole: usize) -> Cell {
    (part * 10_000).checked_div(whole).map_or(Cell::Null, |share| Cell::Real(share as f64 / 100.0))
}

pub(super) fn int(count: usize) -> Cell {
    Cell::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

pub(super) fn text(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

pub(super) fn maybe<T>(value: Option<T>, cell: fn(T) -> Cell) -> Cell {
    value.map_or(Cell::Null, cell)
}

/// The colour of a result.
pub(super) fn tone(result: &str) -> Tone {
    match result {
        "Success" => Tone::Good,
        "Warning" => Tone::Warning,
        "Failed" => Tone::Bad,
        _ => Tone::Plain,
    }
}

/// The lower middle of some values.
pub(super) fn median(mut values: Vec<i64>) -> Option<i64> {
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_alike_whatever_the_database_makes_of_text_and_nothing() {
        let cell = |value: &str| if value.is_empty() { Cell::Null } else { text(value) };
        let row = |name: &str, size: Option<i64>| vec![cell(name), maybe(size, Cell::Int)];
        let rows = Rows::of(
            &["vm_display_name", "total_size_bytes"],
            vec![row("", Some(1)), row("b", None), row("ä", Some(1)), row("B", Some(2)), row("a", Some(2))],
        );
        let names = |rows: &Rows| rows.iter().map(|row| row.text("vm_display_name").to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&rows.clone().sorted("vm_display_name")), ["B", "a", "b", "ä", ""]);
        assert_eq!(names(&rows.sorted("total_size_bytes desc, vm_display_name")), ["B", "a", "ä", "", "b"]);
    }

    #[test]
    fn a_share_that_is_not_all_is_not_100() {
        assert_eq!(percent(99_999, 100_000), Cell::Real(99.99));
        assert_eq!(percent(3, 3), Cell::Real(100.0));
        assert_eq!(percent(0, 0), Cell::Null);
    }

    #[test]
    fn what_is_cut_is_counted() {
        let mut rows = vec![1, 2, 3];
        assert_eq!(cap(&mut rows, 3), "");
        assert_eq!((cap(&mut rows, 2), rows.len()), ("1 more is not shown.".to_owned(), 2));
        assert_eq!(sentences(&["", "A.", "", "B."]), "A. B.");
        assert_eq!(median(vec![4, 1, 3, 2]), Some(2));
        assert_eq!(median(vec![]), None);
    }
}
