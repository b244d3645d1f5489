//! `vemsync run`: narrow passes every interval, wide ones every quarter of an hour, until someone asks to stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::ManagerSettings;
use crate::em::{Client, Limits};
use crate::escape;
use crate::store::{self, Store};
use crate::sync::{Error, Mode, Options, Summary, Syncer};

/// Between two passes in which marks rise.
const WIDE_EVERY: Duration = Duration::from_secs(15 * 60);

/// What sweeps may add to the requests of the passes.
const SWEEP_REQUESTS_A_MINUTE: u64 = 30;

/// Requests of a sweep between two looks at the clock.
const SWEEP_PORTION: u64 = 5;

/// After a refused logon: accounts lock.
const AFTER_REFUSAL: Duration = Duration::from_secs(20 * 60);

/// The longest pause after failures that may pass by themselves.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// What the daemon works with.
pub struct Daemon {
    /// Where the rows go.
    pub store: Arc<dyn Store>,
    /// This machine's clock.
    pub clock: Arc<dyn Clock>,
    /// What a pass reads.
    pub options: Options,
    /// Between two passes.
    pub interval: Duration,
    /// Ends everything after the current commit.
    pub cancel: CancellationToken,
}

/// Follows all of them until cancelled.
///
/// # Errors
/// If a follower died, which is a fault of this program: the supervisor should start it anew.
pub async fn run(daemon: Arc<Daemon>, managers: Vec<ManagerSettings>) -> anyhow::Result<()> {
    let mut followers = JoinSet::new();
    for manager in managers {
        followers.spawn(follow(daemon.clone(), manager));
    }
    while let Some(ended) = followers.join_next().await {
        if let Err(death) = ended {
            daemon.cancel.cancel();
            return Err(anyhow::Error::new(death).context("a follower died"));
        }
    }
    Ok(())
}

async fn follow(daemon: Arc<Daemon>, manager: ManagerSettings) {
    let mut syncer: Option<Syncer> = None;
    let mut last_wide: Option<Instant> = None;
    let mut failures: u32 = 0;
    while !daemon.cancel.is_cancelled() {
        let begun = Instant::now();
        let is_wide = last_wide.is_none_or(|last| last.elapsed() >= WIDE_EVERY);
        let mode = if is_wide { Mode::Wide } else { Mode::Narrow };
        let outcome = pass(&daemon, &manager, &mut syncer, mode).await;
        let pause = match outcome {
            // A pass in which no kind was read is none: the manager went away after the logon.
            Ok(summary) if summary.is_void() => {
                failures += 1;
                if failures == 1
                    && let Some(error) = summary.kinds.iter().find_map(|kind| kind.result.as_ref().err())
                {
                    tracing::error!(em = manager.name, "{}", escape::chain(error));
                }
                growing_pause(&daemon, failures)
            }
            Ok(summary) => {
                if is_wide {
                    last_wide = Some(begun);
                }
                report(&manager, mode, &summary, &mut failures);
                if let Some(syncer) = &syncer {
                    sweep(&daemon, &manager, syncer, begun).await;
                }
                daemon.interval.saturating_sub(begun.elapsed())
            }
            Err(Error::Interrupted) => break,
            Err(error @ Error::Store(store::Error::Fenced { .. })) => {
                tracing::warn!(em = manager.name, "{}", escape::chain(&error));
                Duration::ZERO
            }
            Err(error) => {
                failures += 1;
                // One line when it begins, one when it ends.
                if failures == 1 {
                    tracing::error!(em = manager.name, "{}", escape::chain(&error));
                }
                if error.is_refusal() {
                    // A client that was refused stays silent; a new one may ask again, later.
                    if let Some(refused) = syncer.take() {
                        refused.log_off().await;
                    }
                    AFTER_REFUSAL
                } else {
                    growing_pause(&daemon, failures)
                }
            }
        };
        // Managers that were started together need not be asked together.
        let pause = pause.mul_f64(0.9 + fastrand::f64() / 10.0);
        if let Some(syncer) = &syncer {
            syncer.rest(pause).await;
            continue;
        }
        tokio::select! {
            () = daemon.cancel.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
    if let Some(syncer) = syncer {
        syncer.log_off().await;
    }
}

/// Goes on with the sweep that is due, in what a pass left of the interval and of the requests.
async fn sweep(daemon: &Daemon, manager: &ManagerSettings, syncer: &Syncer, begun: Instant) {
    let most = daemon.interval.as_secs() * SWEEP_REQUESTS_A_MINUTE / 60;
    let mut sent = 0;
    while sent < most.max(SWEEP_PORTION) && begun.elapsed() < daemon.interval.mul_f64(0.75) {
        let outcome = async {
            let due = syncer.due_sweep(&daemon.options).await?;
            let Some(scope) = due else { return Ok(None) };
            syncer.sweep(scope, &daemon.options, Some(SWEEP_PORTION)).await.map(Some)
        };
        match outcome.await {
            Ok(Some(summary)) => {
                sent += summary.requests.max(1);
                // What fails now is tried again after the next pass, which says so itself if it fails, too.
                if summary.kinds.iter().any(|kind| kind.result.is_err()) {
                    return;
                }
            }
            Ok(None) | Err(Error::Interrupted) => return,
            Err(error) => {
                tracing::warn!(em = manager.name, "a sweep was put off: {}", escape::chain(&error));
                return;
            }
        }
    }
}

fn growing_pause(daemon: &Daemon, failures: u32) -> Duration {
    daemon.interval.saturating_mul(1 << failures.min(6)).min(LONGEST_PAUSE)
}

async fn pass(
    daemon: &Daemon,
    manager: &ManagerSettings,
    syncer: &mut Option<Syncer>,
    mode: Mode,
) -> Result<Summary, Error> {
    if syncer.is_none() {
        let client = Client::new(manager, Limits::default(), daemon.clock.clone()).map_err(Error::Source)?;
        let (store, clock) = (daemon.store.clone(), daemon.clock.clone());
        let connected = Syncer::connect(manager, client, store, clock, daemon.cancel.clone()).await?;
        *syncer = Some(connected.leading());
    }
    match syncer {
        Some(syncer) => syncer.pass(mode, &daemon.options).await,
        None => Err(Error::Interrupted),
    }
}

fn report(manager: &ManagerSettings, mode: Mode, summary: &Summary, failures: &mut u32) {
    if *failures > 0 {
        tracing::info!(em = manager.name, failures, "reading again after failures");
        *failures = 0;
    }
    let sum =
        |count: fn(&crate::store::Counts) -> u64| summary.kinds.iter().map(|kind| count(&kind.counts)).sum::<u64>();
    let (new, changed, rejected) = (sum(|c| c.inserted), sum(|c| c.updated), sum(|c| c.rejected));
    for kind in &summary.kinds {
        if let Err(error) = &kind.result
            && !matches!(error, Error::Unavailable)
        {
            tracing::error!(em = manager.name, kind = kind.kind, "{}", escape::chain(error));
        }
    }
    if new + changed + rejected > 0 {
        tracing::info!(em = manager.name, mode = mode.name(), new, changed, rejected, "pass");
    } else {
        tracing::debug!(em = manager.name, mode = mode.name(), requests = summary.requests, "idle pass");
    }
}
