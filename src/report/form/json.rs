//! A report for programs: all of it but the charts.

use std::io::{self, Write};

use serde::{Serialize, Serializer};

use super::csv::utc;
use crate::escape;
use crate::report::{self, Column, Figure, Report, Table};
use crate::store::Cell;

/// Writes a report as one JSON object.
///
/// # Errors
/// What `out` refuses.
pub fn json(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let document = Document {
        report: report.name,
        title: &report.title,
        since: utc(report.period.since),
        until: utc(report.period.until),
        as_of: utc(report.period.as_of),
        time_zone: report.period.zone.name(),
        freshness: Freshness { read_until: report.freshness.read_until.map(utc), behind: &report.freshness.behind },
        sections: report.sections.iter().filter_map(section).collect(),
    };
    writeln!(out, "{}", escape::json(&serde_json::to_string_pretty(&document)?))
}

#[derive(Serialize)]
struct Document<'a> {
    report: &'a str,
    title: &'a str,
    since: String,
    until: String,
    as_of: String,
    time_zone: &'a str,
    freshness: Freshness<'a>,
    sections: Vec<Section<'a>>,
}

#[derive(Serialize)]
struct Freshness<'a> {
    read_until: Option<String>,
    behind: &'a [String],
}

#[derive(Serialize)]
struct Section<'a> {
    id: &'a str,
    title: &'a str,
    note: &'a str,
    #[serde(flatten)]
    body: Body<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Body<'a> {
    Rows(#[serde(serialize_with = "rows")] &'a Table),
    Figures(#[serde(serialize_with = "figures")] &'a [Figure]),
}

fn section(section: &report::Section) -> Option<Section<'_>> {
    let body = match &section.body {
        report::Body::Table(table) => Body::Rows(table),
        report::Body::Figures(figures) => Body::Figures(figures),
        report::Body::Chart(_) => return None,
    };
    Some(Section { id: section.id, title: &section.title, note: &section.note, body })
}

fn figures<S: Serializer>(figures: &[Figure], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(figures.iter().map(|figure| (figure.name, Value(&figure.value))))
}

fn rows<S: Serializer>(table: &Table, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(table.rows.iter().map(|cells| Row { columns: &table.columns, cells }))
}

/// An object whose keys stand in the order of the columns.
struct Row<'a> {
    columns: &'a [Column],
    cells: &'a [Cell],
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.columns.iter().zip(self.cells).map(|(column, cell)| (column.name, Value(cell))))
    }
}

struct Value<'a>(&'a Cell);

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Cell::Null => serializer.serialize_unit(),
            Cell::Text(text) => serializer.serialize_str(text),
            Cell::Uid(uid) => serializer.collect_str(uid),
            Cell::Int(value) => serializer.serialize_i64(*value),
            Cell::Real(value) => serializer.serialize_f64(*value),
            Cell::Time(time) => serializer.serialize_str(&utc(*time)),
            Cell::Day(day) => serializer.collect_str(day),
            Cell::Bool(value) => serializer.serialize_bool(*value),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::report::form::sample::report;

    #[test]
    fn values_are_raw_and_columns_keep_their_order() {
        let mut out = Vec::new();
        super::json(&report(), &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }
}
