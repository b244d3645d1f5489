//! `vemsync copy`: moves a whole history to another database, and proves that all of it is there.

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

use super::{Exit, complain, print, secret, terminal, work};
use crate::config::{DatabaseSettings, Place, Problem, Problems};
use crate::lifecycle::Signals;
use crate::store::copy::{self, Compared, CopyError, Progress, Step, Watch};

/// Arguments of `copy`.
#[derive(Debug, Args)]
pub struct CopyArgs {
    /// Database to copy: sqlite:PATH or postgres://USER@HOST/DATABASE. It is not changed
    #[arg(long, value_name = "URL", value_parser = secret)]
    pub from: SecretString,

    /// Database to copy it to, empty or from a copy that was interrupted
    #[arg(long, value_name = "URL", value_parser = secret)]
    pub to: SecretString,

    /// File with Postgres' password for --from, closed to others (mode 600)
    #[arg(long, value_name = "FILE")]
    pub from_password_file: Option<PathBuf>,

    /// File with Postgres' password for --to
    #[arg(long, value_name = "FILE")]
    pub to_password_file: Option<PathBuf>,

    /// Copy nothing: compare the two
    #[arg(long)]
    pub verify: bool,
}

impl CopyArgs {
    /// Both databases. Relative paths begin in `folder`.
    ///
    /// # Errors
    /// What is wrong with the two URLs.
    pub fn databases(&self, folder: &Path) -> Result<(DatabaseSettings, DatabaseSettings), Problems> {
        let mut problems = Problems::default();
        let mut read = |flag, url: &SecretString, file: &Option<PathBuf>| {
            let (url, place) = (url.expose_secret(), Place::Flag(flag));
            let read = match file {
                Some(file) => DatabaseSettings::with_password_file(url, file, folder, place),
                None => DatabaseSettings::from_url(url, folder, place),
            };
            read.map_err(|problem| problems.push(problem)).ok()
        };
        let from = read("--from", &self.from, &self.from_password_file);
        let to = read("--to", &self.to, &self.to_password_file);
        if let (Some(from), Some(to)) = (&from, &to)
            && copy::is_same(from.url.expose_secret(), to.url.expose_secret())
        {
            let what = "that is the database to copy from";
            problems.push(Problem::new(Place::Flag("--to"), what, "give another one"));
        }
        let both = problems.unless_any(from.zip(to))?;
        Ok(both.expect("a database that is none is a problem"))
    }
}

/// Copies and compares, or only compares. Ends with 0 only if both databases hold the same.
pub(super) async fn run(args: &CopyArgs, folder: &Path) -> anyhow::Result<Exit> {
    let begun = Instant::now();
    let (from, to) = args.databases(folder)?;
    let cancel = CancellationToken::new();
    let _signals = Signals::cancel(cancel.clone(), Exit::Interrupted);
    let progress = progress();
    let watch = Watch { cancel: &cancel, progress: &progress };
    let (from_url, to_url) = (from.url.expose_secret(), to.url.expose_secret());
    let outcome = if args.verify {
        copy::compare(from_url, to_url, watch).await.map(|tables| (None, tables))
    } else {
        copy::copy(from_url, to_url, watch).await.map(|copied| (Some(copied.written), copied.tables))
    };
    let (written, tables) = match outcome {
        Err(error) => return Ok(refuse(&error)),
        Ok(outcome) => outcome,
    };
    print(|out| {
        write_tables(out, &tables)?;
        if let Some(written) = written {
            let seconds = begun.elapsed().as_secs_f64();
            writeln!(out, "\n{written} rows written to {} in {seconds:.1} s", to.display)?;
        }
        Ok(())
    })?;
    let differing: Vec<&str> = tables.iter().filter(|table| !table.is_equal()).map(|table| table.table).collect();
    if differing.is_empty() {
        return Ok(Exit::Done);
    }
    let differing = differing.join(", ");
    complain(&format!("not equal: {differing}: stop what writes to either database, then run this again"));
    Ok(Exit::Incomplete)
}

fn refuse(error: &CopyError) -> Exit {
    complain(&crate::escape::chain(error));
    match error {
        CopyError::Database { source, .. } => work::database(source),
        CopyError::Interrupted => Exit::Interrupted,
        CopyError::Busy { .. } | CopyError::Foreign { .. } | CopyError::Columns { .. } => Exit::Incomplete,
    }
}

fn write_tables(out: &mut dyn Write, tables: &[Compared]) -> io::Result<()> {
    const SHOWN: usize = 12;
    let mut table = terminal::table(["TABLE", "ROWS", "CHECKSUM", ""]);
    for compared in tables {
        let rows = compared.rows.map(|rows| rows.to_string());
        let checksums = compared.checksums.each_ref().map(|checksum| checksum[..SHOWN].to_owned());
        let shown = |[ours, theirs]: [String; 2]| if ours == theirs { ours } else { format!("{ours} / {theirs}") };
        let verdict = if compared.is_equal() { "equal" } else { "DIFFERS" };
        table.add_row([compared.table, &shown(rows), &shown(checksums), verdict]);
    }
    terminal::align_right(&mut table, 1..=1);
    writeln!(out, "{}", table.trim_fmt())
}

/// A bar for the table under way on a terminal, nothing elsewhere.
fn progress() -> impl Fn(Progress) + Send + Sync {
    let bar: Mutex<Option<(&'static str, Step, ProgressBar)>> = Mutex::default();
    let is_shown = io::stderr().is_terminal();
    move |progress: Progress| {
        if !is_shown {
            return;
        }
        let mut bar = bar.lock().unwrap_or_else(PoisonError::into_inner);
        let (table, step, shown) = bar.get_or_insert_with(|| {
            let bar = ProgressBar::new(progress.rows);
            let style = ProgressStyle::with_template("{msg:39} {bar:30} {pos} of {len} rows, {per_sec}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            (progress.table, progress.step, bar)
        });
        if (*table, *step) != (progress.table, progress.step) {
            (*table, *step) = (progress.table, progress.step);
            shown.reset();
            shown.set_length(progress.rows);
        }
        let what = match progress.step {
            Step::Copying => "copying",
            Step::Comparing => "comparing",
        };
        shown.set_message(format!("{what} {}", progress.table));
        shown.set_position(progress.done);
    }
}
