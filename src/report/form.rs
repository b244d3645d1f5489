//! How a report is shown: as tables on a terminal, as CSV, as JSON, or as one HTML file with charts.
//!
//! CSV and JSON hold values as they are, for programs: times in UTC, sizes in bytes, durations in seconds. The other two
//! are for people, who see what [`value`] makes of them.

use clap::ValueEnum;

use super::{Freshness, Report};

mod chart;
mod csv;
mod file;
mod html;
mod json;
#[cfg(test)]
mod sample;
mod table;
#[cfg(test)]
mod tests;
pub mod value;

pub use self::csv::csv;
pub use chart::class;
pub use file::write_file;
pub use html::{Href, STYLE, behind, clean, head, html, page, sections};
pub use json::json;
pub use table::table;

/// In which form a report is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Form {
    /// Tables for a terminal.
    #[default]
    Table,
    /// One of its tables, for spreadsheets.
    Csv,
    /// All of it but the charts, for programs.
    Json,
    /// One file with charts, to send, print or put on the wall.
    Html,
}

/// How current the data is; what is behind is listed after it.
fn read_until(report: &Report) -> String {
    let Freshness { read_until, behind } = &report.freshness;
    let behind = if behind.is_empty() { "" } else { " What is behind:" };
    match read_until {
        Some(time) => format!("Data is read up to {}.{behind}", value::time(*time, report.period.zone)),
        None => format!("Not all data has been read yet.{behind}"),
    }
}
