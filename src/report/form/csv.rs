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

#[cfg(test)]
mod tests {
    use super::csv;
    use crate::escape;
    use crate::report::Report;
    use crate::report::form::sample::{charts, report, section};
    use crate::report::{Body, Column, Table, Unit};
    use crate::store::Cell;

    fn written(report: &Report, table: Option<&str>) -> String {
        let mut out = Vec::new();
        csv(report, table, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_are_raw_and_nothing_is_a_formula() {
        let tables = ["summary", "units", "odd", "late"].map(|id| written(&report(), Some(id)));
        let lines: Vec<_> = tables.iter().flat_map(|table| table.split('\n')).map(escape::control).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn without_a_name_it_is_the_first_table() {
        assert_eq!(written(&report(), None), written(&report(), Some("summary")));
    }

    #[test]
    fn a_table_that_is_not_there_is_an_error_that_names_those_that_are() {
        let error = csv(&report(), Some("days"), &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), "the report sample has no table \"days\"; it has summary, units, odd, late");

        let mut report = report();
        report.sections = charts().into_iter().map(|chart| section("chart", "", "", Body::Chart(chart))).collect();
        assert_eq!(csv(&report, None, &mut Vec::new()).unwrap_err().to_string(), "the report sample has no table");
    }

    #[test]
    fn what_a_spreadsheet_would_run_is_text_and_a_number_stays_one() {
        let cells = [
            ("=1+1", "\"'=1+1\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@A1", "\"'@A1\""),
            ("\t=1", "\"'\t=1\""),
            ("\r=1", "\"'\r=1\""),
            ("=\"a\"", "\"'=\"\"a\"\"\""),
            ("a=1", "a=1"),
            ("a,b", "\"a,b\""),
            ("", ""),
        ];
        let row = |text: &str| vec![Cell::Text(text.to_owned()), Cell::Int(-1), Cell::Real(-0.5)];
        let columns = ["text", "int", "real"].map(|name| Column { name, title: name, unit: Unit::Text }).to_vec();
        let table =
            Table { columns, rows: cells.iter().map(|(text, _)| row(text)).collect(), if_empty: "", sessions: vec![] };
        let mut report = report();
        report.sections = vec![section("table", "", "", Body::Table(table))];
        let expected: String = cells.iter().map(|(_, field)| format!("{field},-1,-0.5\r\n")).collect();
        assert_eq!(written(&report, None), format!("text,int,real\r\n{expected}"));
    }

    #[test]
    fn a_full_disk_is_told_as_such() {
        struct Full;
        impl std::io::Write for Full {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        assert_eq!(csv(&report(), None, &mut Full).unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    }
}
