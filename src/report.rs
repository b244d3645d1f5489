//! Named reports over the contract's views: questions that people ask about backups, each answered by one function.
//!
//! A report is built as data ([`Report`]) and shown in one of four forms: a table for the terminal, CSV, JSON, or one
//! HTML file with charts. What the numbers mean is written in the views; nothing is computed here that a view has.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use crate::config::Problem;
use crate::store::{self, Cell};

mod ask;
mod column;
mod failovers;
mod failures;
mod find;
pub mod form;
mod fresh;
mod growth;
mod job;
mod jobs;
mod monthly;
pub mod names;
mod overview;
mod period;
mod policy;
mod request;
mod restores;
mod rpo;
mod runs;
pub mod views;
mod vm;
mod window;

pub use period::zone;
pub use request::{About, Asked, Request, Subject, about};

pub(crate) use fresh::{SILENT, is_alone};

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be made of what was asked for.
    #[error(transparent)]
    Request(#[from] Problem),
    /// Nothing was read yet.
    #[error("the database holds no session yet: run `vemsync sync` first, or `vemsync demo` to try it")]
    Empty,
    /// The database cannot be read.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// An answer, in whatever form it will be shown.
#[derive(Debug, Clone)]
pub struct Report {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is about, such as `Job "Nightly"`.
    pub title: String,
    /// The time that it speaks of, and how its times are shown.
    pub period: Period,
    /// What it says, in the order in which it is read.
    pub sections: Vec<Section>,
    /// How current the data is.
    pub freshness: Freshness,
}

/// The time that a report speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// From then …
    pub since: DateTime<Utc>,
    /// … up to then, which is not part of it.
    pub until: DateTime<Utc>,
    /// The moment that counts as now.
    pub as_of: DateTime<Utc>,
    /// The zone of the times that are shown, and of days that are counted here.
    pub zone: Tz,
}

/// How current the data is.
#[derive(Debug, Clone, Default)]
pub struct Freshness {
    /// When the slowest stream was last read to its end.
    pub read_until: Option<DateTime<Utc>>,
    /// What is behind, a line each: a server that has sent nothing, a stream that was not read.
    pub behind: Vec<String>,
}

/// A part of a report.
#[derive(Debug, Clone)]
pub struct Section {
    /// Its name, unique in the report: the JSON key, the HTML anchor, what `--table` takes.
    pub id: &'static str,
    /// Its heading.
    pub title: String,
    /// What has to be known to read it; empty where nothing has.
    pub note: String,
    /// What it shows.
    pub body: Body,
}

/// What a section shows.
#[derive(Debug, Clone)]
pub enum Body {
    /// Single numbers that say how things stand.
    Figures(Vec<Figure>),
    /// Rows.
    Table(Table),
    /// A picture, in HTML only: a table says the same elsewhere.
    Chart(Chart),
}

/// A single number.
#[derive(Debug, Clone)]
pub struct Figure {
    /// A machine's name for it.
    pub name: &'static str,
    /// What is counted.
    pub label: String,
    /// How much.
    pub value: Cell,
    /// In what.
    pub unit: Unit,
    /// Whether it is good news.
    pub tone: Tone,
}

/// Rows under a head.
#[derive(Debug, Clone)]
pub struct Table {
    /// The head.
    pub columns: Vec<Column>,
    /// A cell a column.
    pub rows: Vec<Vec<Cell>>,
    /// What to say where there are no rows, such as `Every machine is within its RPO`.
    pub if_empty: &'static str,
    /// The session that each row is about, by its type and identity; empty where rows are about more than one.
    pub sessions: Vec<(String, Uuid)>,
}

/// What a name in a report stands for, for pages that have more to say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// A job, or a CDP policy.
    Job {
        /// Its name.
        name: &'a str,
        /// Its backup server's name.
        server: &'a str,
    },
    /// A machine.
    Machine {
        /// Its name.
        name: &'a str,
        /// Its backup server's name.
        server: &'a str,
    },
    /// A session.
    Session {
        /// The API's query type.
        kind: &'a str,
        /// Its identity.
        uid: Uuid,
    },
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name in CSV and JSON: the view's, where it comes from one.
    pub name: &'static str,
    /// Its heading for people.
    pub title: &'static str,
    /// How its values are shown.
    pub unit: Unit,
}

/// How a value is shown to people; CSV and JSON have it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// As it is.
    Text,
    /// A long text that may be shortened on a terminal.
    Message,
    /// Success, Warning, Failed: coloured.
    Result,
    /// A whole number.
    Count,
    /// In percent.
    Percent,
    /// How many times something, such as 2.5 ×.
    Times,
    /// Bytes, as MiB, GiB, TiB.
    Bytes,
    /// Bytes more or fewer, with a sign.
    Change,
    /// Seconds, as 1 h 05 min.
    Seconds,
    /// Whole hours, as 2 d 3 h.
    Hours,
    /// A moment, in the report's zone.
    Time,
    /// A day.
    Day,
    /// A month, held as its first day.
    Month,
    /// Yes or no.
    Bool,
}

/// Whether something is good news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// Neither.
    Plain,
    /// As it should be.
    Good,
    /// To be looked at.
    Warning,
    /// To be mended.
    Bad,
}

/// A picture.
#[derive(Debug, Clone)]
pub enum Chart {
    /// A column a day, in parts: results a day.
    Columns {
        /// The days, oldest first.
        days: Vec<NaiveDate>,
        /// The parts from the bottom up.
        parts: Vec<Part>,
    },
    /// Values over time: durations, sizes.
    Lines {
        /// Unit of the values.
        unit: Unit,
        /// The lines.
        lines: Vec<Line>,
    },
    /// A row a job, a column a day, coloured by result.
    HeatMap {
        /// The days, oldest first.
        days: Vec<NaiveDate>,
        /// The rows.
        rows: Vec<HeatRow>,
    },
    /// When what ran: a row a job.
    Gantt {
        /// From then …
        from: DateTime<Utc>,
        /// … to then.
        to: DateTime<Utc>,
        /// The rows.
        rows: Vec<GanttRow>,
    },
}

/// A part of each column.
#[derive(Debug, Clone)]
pub struct Part {
    /// What it counts.
    pub name: String,
    /// Its colour.
    pub tone: Tone,
    /// A value a day.
    pub values: Vec<i64>,
}

/// Values over time.
#[derive(Debug, Clone)]
pub struct Line {
    /// What is measured.
    pub name: String,
    /// In order of time.
    pub points: Vec<(DateTime<Utc>, f64)>,
}

/// A row of a heat map.
#[derive(Debug, Clone)]
pub struct HeatRow {
    /// The job.
    pub name: String,
    /// A field a day; `None` where nothing ran.
    pub fields: Vec<Option<(Tone, String)>>,
}

/// A row of a Gantt chart.
#[derive(Debug, Clone)]
pub struct GanttRow {
    /// The job.
    pub name: String,
    /// Its runs.
    pub bars: Vec<Bar>,
}

/// A run.
#[derive(Debug, Clone)]
pub struct Bar {
    /// When it started.
    pub from: DateTime<Utc>,
    /// When it ended, or now.
    pub to: DateTime<Utc>,
    /// How it ended.
    pub tone: Tone,
    /// What to say about it.
    pub text: String,
}
