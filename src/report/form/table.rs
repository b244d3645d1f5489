//! A report on a terminal: tables without frames that fit, numbers to the right, no more colour than results need.

use std::io::{self, Write};

use comfy_table::{Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Row, Width, presets};

use super::{read_until, value};
use crate::escape;
use crate::report::{Body, Column, Figure, Report, Table, Tone, Unit};
use crate::store;

/// What stands between two columns.
const GAP: u16 = 2;
/// Columns of names and of messages may become as narrow as this; where that is not enough, rows are shown as lists.
const NARROWEST_NAME: u16 = 14;
const NARROWEST_MESSAGE: u16 = 32;
/// No row of a table is higher than this.
const MOST_LINES: usize = 3;
/// Longer messages are cut; JSON has all of them.
const LONGEST_MESSAGE: usize = 160;

/// Writes a report for a terminal of this width, or for something that has none. Its charts are left out.
///
/// # Errors
/// What `out` refuses.
pub fn table(report: &Report, width: Option<u16>, colour: bool, out: &mut dyn Write) -> io::Result<()> {
    let screen = Screen { report, width, colour };
    let zone = report.period.zone;
    screen.heading(&report.title, out)?;
    let period = value::period(&report.period);
    let as_of = value::time(report.period.as_of, zone);
    screen.paragraph(&format!("{period}, as of {as_of}. Times are in {}.", zone.name()), out)?;

    for section in &report.sections {
        if matches!(section.body, Body::Chart(_)) {
            continue;
        }
        writeln!(out)?;
        screen.heading(&section.title, out)?;
        screen.paragraph(&section.note, out)?;
        match &section.body {
            Body::Figures(figures) => screen.figures(figures, out)?,
            Body::Table(table) if table.rows.is_empty() => screen.paragraph(table.if_empty, out)?,
            Body::Table(table) => screen.rows(table, out)?,
            Body::Chart(_) => {}
        }
    }

    writeln!(out)?;
    screen.paragraph(&read_until(report), out)?;
    let behind = report.freshness.behind.iter().map(|line| vec![Cell::new("-"), toned(safe(line), Tone::Warning)]);
    screen.print(screen.grid(behind.map(Row::from)), out)
}

/// What is written to.
struct Screen<'a> {
    report: &'a Report,
    width: Option<u16>,
    colour: bool,
}

impl Screen<'_> {
    fn heading(&self, text: &str, out: &mut dyn Write) -> io::Result<()> {
        self.print(self.grid([vec![Cell::new(safe(text)).add_attribute(Attribute::Bold)].into()]), out)
    }

    fn paragraph(&self, text: &str, out: &mut dyn Write) -> io::Result<()> {
        if text.is_empty() { Ok(()) } else { self.print(self.grid([vec![safe(text)].into()]), out) }
    }

    fn figures(&self, figures: &[Figure], out: &mut dyn Write) -> io::Result<()> {
        let rows = figures.iter().map(|figure| {
            let value = toned(self.text(&figure.value, figure.unit), figure.tone);
            Row::from(vec![Cell::new(safe(&figure.label)), value.set_alignment(CellAlignment::Right)])
        });
        self.print(self.grid(rows), out)
    }

    fn rows(&self, table: &Table, out: &mut dyn Write) -> io::Result<()> {
        let least: Vec<u16> =
            table.columns.iter().enumerate().map(|(at, column)| self.least(table, at, column)).collect();
        let needed = least.iter().fold(0_u16, |sum, width| sum.saturating_add(*width).saturating_add(GAP));
        if self.width.is_some_and(|width| needed > width.saturating_add(GAP)) {
            return self.lists(table, out);
        }
        let mut grid = self.grid(table.rows.iter().map(|row| {
            let mut row = Row::from(table.columns.iter().zip(row).map(|(column, cell)| self.cell(cell, column.unit)));
            row.max_height(MOST_LINES);
            row
        }));
        let title = |column: &Column| Cell::new(column.title).add_attribute(Attribute::Bold);
        grid.set_header(table.columns.iter().map(title));
        for (at, (column, least)) in table.columns.iter().zip(least).enumerate() {
            let shown = grid.column_mut(at).expect("a column for each");
            let gap = if at + 1 < table.columns.len() { GAP } else { 0 };
            shown.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least.saturating_add(gap))));
            if value::is_number(column.unit) {
                shown.set_cell_alignment(CellAlignment::Right);
            }
        }
        self.print(grid, out)
    }

    /// How narrow a column may become: text and headings may be wrapped, numbers and times may not.
    fn least(&self, table: &Table, at: usize, column: &Column) -> u16 {
        let title = column.title.split(' ').map(width).max().unwrap_or(0);
        let cells = table.rows.iter().filter_map(|row| row.get(at));
        let widest = cells.map(|cell| width(&self.text(cell, column.unit))).max().unwrap_or(0);
        title.max(match column.unit {
            Unit::Text => widest.min(NARROWEST_NAME),
            Unit::Message => widest.min(NARROWEST_MESSAGE),
            _ => widest,
        })
    }

    /// Each row as a list, its headings on the left.
    fn lists(&self, table: &Table, out: &mut dyn Write) -> io::Result<()> {
        for (at, row) in table.rows.iter().enumerate() {
            if at > 0 {
                writeln!(out)?;
            }
            let lines = table.columns.iter().zip(row);
            let line = |(column, cell): (&Column, _)| vec![Cell::new(column.title), self.cell(cell, column.unit)];
            self.print(self.grid(lines.map(|pair| Row::from(line(pair)))), out)?;
        }
        Ok(())
    }

    fn cell(&self, cell: &store::Cell, unit: Unit) -> Cell {
        toned(self.text(cell, unit), value::tone(cell, unit))
    }

    fn text(&self, cell: &store::Cell, unit: Unit) -> String {
        let text = value::text(cell, unit, self.report.period.zone);
        if unit != Unit::Message {
            return safe(&text);
        }
        let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((end, _)) = line.char_indices().nth(LONGEST_MESSAGE) {
            line.truncate(end);
            line.push('…');
        }
        safe(&line)
    }

    fn grid(&self, rows: impl IntoIterator<Item = Row>) -> comfy_table::Table {
        let mut grid = comfy_table::Table::new();
        grid.load_style(presets::NOTHING).add_rows(rows).force_no_tty().style_text_only();
        if self.colour {
            grid.enforce_styling();
        }
        if let Some(width) = self.width {
            grid.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
        }
        grid
    }

    fn print(&self, mut grid: comfy_table::Table, out: &mut dyn Write) -> io::Result<()> {
        if grid.is_empty() {
            return Ok(());
        }
        let last = grid.column_count().saturating_sub(1);
        for (at, column) in grid.column_iter_mut().enumerate() {
            column.set_padding((0, if at == last { 0 } else { GAP }));
        }
        writeln!(out, "{}", grid.trim_fmt())
    }
}

fn toned(text: String, tone: Tone) -> Cell {
    let cell = Cell::new_owned(text);
    match tone {
        Tone::Plain => cell,
        Tone::Good => cell.fg(Color::DarkGreen),
        Tone::Warning => cell.fg(Color::DarkYellow),
        Tone::Bad => cell.fg(Color::Red).add_attribute(Attribute::Bold),
    }
}

fn safe(text: &str) -> String {
    escape::control(text).into_owned()
}

/// Not quite what the terminal makes of it, but near enough to decide on a layout.
fn width(text: &str) -> u16 {
    u16::try_from(text.chars().count()).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use crate::report::Report;
    use crate::report::form::sample::report;

    fn shown(report: &Report, width: Option<u16>, colour: bool) -> String {
        let mut out = Vec::new();
        super::table(report, width, colour, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_report_fits_its_terminal() {
        insta::assert_snapshot!("wide", shown(&report(), Some(200), false));
        insta::assert_snapshot!("narrow", shown(&report(), Some(60), false));
    }

    #[test]
    fn without_a_terminal_nothing_is_wrapped() {
        let text = shown(&report(), None, false);
        assert!(text.contains(&"long".repeat(30)));
        assert!(text.contains("The first line, and \"another\"\n"));
    }

    #[test]
    fn colours_change_nothing_but_colour() {
        let coloured = shown(&report(), Some(100), true);
        assert!(coloured.contains("\u{1b}[1m"));
        let mut plain = String::new();
        let mut parts = coloured.split("\u{1b}[");
        plain.push_str(parts.next().unwrap());
        for part in parts {
            plain.push_str(part.split_once('m').unwrap().1);
        }
        assert_eq!(plain, shown(&report(), Some(100), false));
    }
}
