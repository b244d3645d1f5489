//! How the results of commands look on a terminal: tables without frames, numbers to the right, times in UTC.

use chrono::{DateTime, Utc};
use comfy_table::{CellAlignment, Table, presets};

/// A table with this head.
pub(super) fn table<const N: usize>(head: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head);
    // The first column begins at the margin; the gap between columns is all that remains of the frame.
    if let Some(first) = table.column_mut(0) {
        first.set_padding((0, 1));
    }
    table
}

/// Sets columns of numbers to the right.
pub(super) fn align_right(table: &mut Table, columns: std::ops::RangeInclusive<usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// The beginning of a long text; `--json` has all of it.
pub(super) fn shortened(text: &str) -> String {
    const LONGEST: usize = 160;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A time to the second.
pub(super) fn time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// A time to the second, or a dash.
pub(super) fn maybe_time(value: Option<DateTime<Utc>>) -> String {
    value.map_or_else(|| "-".to_owned(), time)
}
