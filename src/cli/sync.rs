//! `vemsync sync` and `vemsync backfill`: one pass, or a range of history, over every configured Enterprise Manager.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::backfill::BackfillArgs;
use super::{Exit, complain, print, terminal, work};
use crate::config::{ManagerSettings, Problems, Settings};
use crate::escape;
use crate::lifecycle::Signals;
use crate::store::{Schema, Store};
use crate::sync::{Error, HistoryRange, KindOutcome, Mode, Options, Summary};
use crate::telemetry;

/// One wide pass over everything.
pub(super) async fn sync(settings: &Settings) -> anyhow::Result<Exit> {
    let cancel = CancellationToken::new();
    let _signals = Signals::cancel(cancel.clone(), Exit::Interrupted);
    let store = work::open(settings, Schema::Migrate).await?;
    let mut worst = Exit::Done;
    for manager in &settings.managers {
        let begun = Instant::now();
        let options = work::options(settings);
        let outcome =
            pass(manager, store.clone(), &cancel, &options).instrument(telemetry::manager(&manager.name)).await;
        worst = finish(manager, outcome, begun, worst)?;
        if matches!(worst, Exit::Database | Exit::Interrupted) {
            break;
        }
    }
    store.close().await;
    Ok(worst)
}

async fn pass(
    manager: &ManagerSettings,
    store: Arc<dyn Store>,
    cancel: &CancellationToken,
    options: &Options,
) -> Result<Summary, Error> {
    let syncer = work::connect(manager, store, cancel.clone()).await?;
    let outcome = syncer.pass(Mode::Wide, options).await;
    syncer.log_off().await;
    let mut summary = outcome?;
    // Logon and logoff are part of what it took.
    summary.requests = syncer.client().requests();
    Ok(summary)
}

/// A range of history of everything.
pub(super) async fn backfill(settings: &Settings, args: &BackfillArgs) -> anyhow::Result<Exit> {
    let cancel = CancellationToken::new();
    let _signals = Signals::cancel(cancel.clone(), Exit::Interrupted);
    // A range that makes no sense is found before anything is opened.
    args.range(work::clock().now()).map_err(Problems::from)?;
    let store = work::open(settings, Schema::Migrate).await?;
    let mut worst = Exit::Done;
    for manager in &settings.managers {
        let begun = Instant::now();
        let options = work::options(settings);
        let outcome = history(manager, store.clone(), &cancel, &options, args);
        let outcome = match outcome.instrument(telemetry::manager(&manager.name)).await {
            Ok(None) => continue,
            Ok(Some(summary)) => Ok(summary),
            Err(error) => Err(error),
        };
        worst = finish(manager, outcome, begun, worst)?;
        if matches!(worst, Exit::Database | Exit::Interrupted) {
            break;
        }
    }
    store.close().await;
    Ok(worst)
}

/// `None` for a dry run, which has printed what it found.
async fn history(
    manager: &ManagerSettings,
    store: Arc<dyn Store>,
    cancel: &CancellationToken,
    options: &Options,
    args: &BackfillArgs,
) -> Result<Option<Summary>, Error> {
    let syncer = work::connect(manager, store, cancel.clone()).await?;
    // The range ends at Enterprise Manager's now; rows of the second under way belong to it.
    let until = args.until.unwrap_or(syncer.client().now() + chrono::TimeDelta::seconds(1));
    let range = HistoryRange { since: args.since, until, again: args.again };
    let outcome = if args.dry_run {
        syncer.count(range, options).await.map(|counts| {
            let shown = print(|out| {
                writeln!(
                    out,
                    "{}: rows from {} to {}",
                    manager.name,
                    terminal::time(range.since),
                    terminal::time(until)
                )?;
                for (kind, rows) in &counts {
                    writeln!(out, "  {kind:<24} {rows:>10}")?;
                }
                writeln!(out, "Nothing was read: leave out --dry-run to read them.")
            });
            if let Err(error) = shown {
                tracing::warn!(%error, "the result could not be printed");
            }
            None
        })
    } else {
        syncer.pass(Mode::Backfill(range), options).await.map(Some)
    };
    syncer.log_off().await;
    let mut summary = outcome?;
    if let Some(summary) = &mut summary {
        summary.requests = syncer.client().requests();
    }
    Ok(summary)
}

/// Prints what became of a manager and returns the worst status so far.
fn finish(manager: &ManagerSettings, outcome: Result<Summary, Error>, begun: Instant, worst: Exit) -> io::Result<Exit> {
    match outcome {
        Ok(summary) => {
            print(|out| write_summary(out, &manager.name, &summary, begun))?;
            Ok(if summary.is_complete() { worst } else { worse(worst, Exit::Incomplete) })
        }
        Err(error) => {
            complain(&format!("{}: {}", manager.name, escape::chain(&error)));
            Ok(worse(worst, work::exit(&error)))
        }
    }
}

/// Of two statuses the one that an operator has to act on first.
pub(super) fn worse(a: Exit, b: Exit) -> Exit {
    let rank = |exit: &Exit| match exit {
        Exit::Done => 0,
        Exit::Incomplete => 1,
        Exit::Refused => 2,
        Exit::Usage => 3,
        Exit::Database => 4,
        Exit::Interrupted => 5,
    };
    if rank(&b) > rank(&a) { b } else { a }
}

pub(super) fn write_summary(out: &mut dyn Write, name: &str, summary: &Summary, begun: Instant) -> io::Result<()> {
    let mut table = terminal::table(["KIND", "READ", "NEW", "CHANGED", "REJECTED", ""]);
    for outcome in &summary.kinds {
        let counts = outcome.counts;
        let row = [counts.read, counts.inserted, counts.updated, counts.rejected].map(|count| count.to_string());
        let [read, new, changed, rejected] = row;
        table.add_row([outcome.kind.to_owned(), read, new, changed, rejected, remark(outcome)]);
    }
    terminal::align_right(&mut table, 1..=4);
    writeln!(out, "{}", table.trim_fmt())?;
    let total = |count: fn(&KindOutcome) -> u64| summary.kinds.iter().map(count).sum::<u64>();
    let (new, changed) = (total(|kind| kind.counts.inserted), total(|kind| kind.counts.updated));
    let rejected = total(|kind| kind.counts.rejected);
    let found =
        if new + changed == 0 { "nothing new".to_owned() } else { format!("{new} new rows, {changed} changed") };
    writeln!(
        out,
        "{name}: {found}; {} requests in {:.1} s{}",
        summary.requests,
        begun.elapsed().as_secs_f64(),
        if rejected > 0 { format!("; {rejected} records rejected, see `vemsync rejects list`") } else { String::new() }
    )
}

fn remark(outcome: &KindOutcome) -> String {
    match &outcome.result {
        Ok(()) => String::new(),
        Err(Error::Unavailable) => "not known to this Enterprise Manager".to_owned(),
        Err(error) => format!("FAILED: {}", escape::chain(error)),
    }
}
