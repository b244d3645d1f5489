//! One table as RFC 4180, for spreadsheets and programs.

use std::io::{self, Write};

use ::csv::{ErrorKind, QuoteStyle, Terminator, WriterBuilder};
use chrono::{DateTime, SecondsFormat, Utc};

use crate::report::{Body, Report, Section};
use crate::store::Cell;

/// Writes one table of a report: the section of that id, or the first that there is. Figures are a table of names and
/// values.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] if there is no such table.
pub fn csv(report: &Report, table: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
    write(find(report, table)?, out).map_err(|error| match error.into_kind() {
        ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    })
}

fn write(section: &Section, out: &mut dyn Write) -> ::csv::Result<()> {
    // Which field is quoted is decided by `field`: the crate can't be told by the field.
    let mut writer = WriterBuilder::new().quote_style(QuoteStyle::Never).terminator(Terminator::CRLF).from_writer(out);
    match &section.body {
        Body::Figures(figures) => {
            writer.write_record(["name", "value"])?;
            for figure in figures {
                writer.write_record([figure.name, &field(&figure.value)])?;
            }
        }
        Body::Table(table) => {
            writer.write_record(table.columns.iter().map(|column| column.name))?;
            for row in &table.rows {
                writer.write_record(row.iter().map(field))?;
            }
        }
        Body::Chart(_) => unreachable!("a chart is not found"),
    }
    Ok(writer.flush()?)
}

fn find<'a>(report: &'a Report, id: Option<&str>) -> io::Result<&'a Section> {
    let mut tables = report.sections.iter().filter(|section| !matches!(section.body, Body::Chart(_)));
    let found = tables.clone().find(|section| id.is_none_or(|id| section.id == id));
    found.ok_or_else(|| {
        let message = match id {
            None => format!("the report {} has no table", report.name),
            Some(id) => {
                let ids: Vec<&str> = tables.by_ref().map(|section| section.id).collect();
                format!("the report {} has no table {id:?}; it has {}", report.name, ids.join(", "))
            }
        };
        io::Error::new(io::ErrorKind::InvalidInput, message)
    })
}

/// A cell as it stands in the file.
fn field(cell: &Cell) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Text(text) => quoted(text),
        Cell::Uid(uid) => uid.to_string(),
        Cell::Int(value) => value.to_string(),
        Cell::Real(value) => {
            if value.is_finite() {
                value.to_string()
            } else {
                String::new()
            }
        }
        Cell::Time(time) => utc(*time),
        Cell::Day(day) => day.to_string(),
        Cell::Bool(value) => value.to_string(),
    }
}

/// Text in quotes where it needs them. What a spreadsheet would take for a formula is kept from being one by an
/// apostrophe before it.
fn quoted(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if !is_formula && !text.contains([',', '"', '\r', '\n']) {
        return text.to_owned();
    }
    format!("\"{}{}\"", if is_formula { "'" } else { "" }, text.replace('"', "\"\""))
}

/// A moment as programs read it.
pub(super) fn utc(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
