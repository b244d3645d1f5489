//! `vemsync report`: builds a report and shows it in one of its forms.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use secrecy::ExposeSecret as _;

use super::{Exit, print};
use crate::config::{Place, Problem, Problems, Settings};
use crate::report::form::{self, Form};
use crate::report::{Asked, Body, Error, Report, Request, names};
use crate::store;

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Which report; without one, they are listed
    pub name: Option<String>,

    /// The job or machine that it is to be about
    pub subject: Option<String>,

    /// How to show it [default: by the ending of -o, or a table]
    #[arg(long, value_name = "FORM")]
    pub format: Option<Form>,

    /// From when: 2026-03-01, 2026-03-01T06:00:00+02:00, or 7d before now
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<String>,

    /// Up to when, exclusive [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<String>,

    /// Zone of the times and days, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,

    /// Write to a file, which is complete or as it was
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Only this table of it: its name in JSON
    #[arg(long, value_name = "ID")]
    pub table: Option<String>,
}

impl ReportArgs {
    fn form(&self) -> Form {
        let ending = self.output.as_deref().and_then(Path::extension).and_then(|ending| ending.to_str());
        self.format.unwrap_or_else(|| match ending.map(str::to_ascii_lowercase).as_deref() {
            Some("html" | "htm") => Form::Html,
            Some("csv") => Form::Csv,
            Some("json") => Form::Json,
            _ => Form::Table,
        })
    }
}

/// Shows a report, or lists those that there are.
pub(super) async fn run(settings: &Settings, args: &ReportArgs) -> anyhow::Result<Exit> {
    let Some(name) = args.name.as_deref() else {
        print(|out| writeln!(out, "{}", names::list()))?;
        return Ok(Exit::Done);
    };
    let asked = Asked::new(&Request {
        name,
        subject: args.subject.as_deref(),
        since: args.since.as_deref(),
        until: args.until.as_deref(),
        time_zone: args.time_zone.as_deref(),
    })?;
    let mut report = build(settings.database.url.expose_secret(), &asked).await?;
    if let Some(id) = &args.table {
        only(id, &mut report)?;
    }
    match &args.output {
        Some(path) => form::write_file(path, |out| write(&report, args.form(), None, out))
            .with_context(|| format!("{} cannot be written", path.display()))?,
        None => print(|out| write(&report, args.form(), Some(&io::stdout()), out))?,
    }
    Ok(Exit::Done)
}

async fn build(url: &str, asked: &Asked) -> anyhow::Result<Report> {
    let attempt = async || asked.build(&*store::connect_views(url).await?).await;
    let built = match attempt().await {
        // Someone began to write: from now on that can be seen, and waited for.
        Err(Error::Store(store::Error::Disturbed)) => attempt().await,
        other => other,
    };
    built.map_err(problem)
}

/// The error as the exit status goes by it.
pub(super) fn problem(error: Error) -> anyhow::Error {
    match error {
        Error::Request(problem) => Problems::from(problem).into(),
        Error::Store(error) => error.into(),
        Error::Empty => error.into(),
    }
}

/// Shows a report on standard output as a table.
pub(super) fn show(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    write(report, Form::Table, Some(&io::stdout()), out)
}

/// Leaves one table of a report.
fn only(id: &str, report: &mut Report) -> Result<(), Problems> {
    let ids =
        report.sections.iter().filter(|section| !matches!(section.body, Body::Chart(_))).map(|section| section.id);
    let ids: Vec<&str> = ids.collect();
    if !ids.contains(&id) {
        let what = format!("the report {} has no table \"{id}\"", report.name);
        return Err(Problem::new(Place::Flag("--table"), what, format!("it has {}", ids.join(", "))).into());
    }
    report.sections.retain(|section| section.id == id);
    Ok(())
}

fn write(report: &Report, form: Form, terminal: Option<&io::Stdout>, out: &mut dyn Write) -> io::Result<()> {
    match form {
        Form::Table => {
            let is_terminal = terminal.is_some_and(io::IsTerminal::is_terminal);
            let width = terminal.and_then(|_| comfy_table::Table::new().width());
            let colour = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            form::table(report, width, colour, out)
        }
        Form::Csv => form::csv(report, None, out),
        Form::Json => form::json(report, out),
        Form::Html => form::html(report, out),
    }
}
