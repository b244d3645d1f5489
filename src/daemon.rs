//! `vemsync run`: narrow passes every interval, wide ones every quarter of an hour, until someone asks to stop.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::clock::Clock;
use crate::config::ManagerSettings;
use crate::em::{Client, Limits};
use crate::escape;
use crate::store::{self, Store};
use crate::sync::{Error, KindOutcome, Mode, Options, Summary, Syncer};
use crate::telemetry;

/// Between two passes in which marks rise.
const WIDE_EVERY: Duration = Duration::from_secs(15 * 60);

/// What sweeps may add to the requests of the passes.
const SWEEP_REQUESTS_A_MINUTE: f64 = 30.0;

/// Requests of a sweep between two looks at the clock.
const SWEEP_PORTION: u32 = 5;

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
        let span = telemetry::manager(&manager.name);
        followers.spawn(follow(daemon.clone(), manager).instrument(span));
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
    let mut sweeps = Sweeps::new();
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
                    tracing::error!("{}", escape::chain(error));
                }
                growing_pause(&daemon, failures)
            }
            Ok(summary) => {
                if is_wide {
                    last_wide = Some(begun);
                }
                report(mode, &summary, &mut failures);
                if let Some(syncer) = &syncer {
                    sweeps.go_on(&daemon, syncer, &summary, begun).await;
                }
                daemon.interval.saturating_sub(begun.elapsed())
            }
            Err(Error::Interrupted) => break,
            Err(error @ Error::Store(store::Error::Fenced { .. })) => {
                tracing::warn!("{}", escape::chain(&error));
                Duration::ZERO
            }
            Err(error) => {
                failures += 1;
                // One line when it begins, one when it ends.
                if failures == 1 {
                    tracing::error!("{}", escape::chain(&error));
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

/// The sweeps of one Enterprise Manager, between its passes.
struct Sweeps {
    /// Requests that may be sent, saved up for a minute at the most.
    saved: f64,
    saved_at: Instant,
    /// Kinds whose last sweep failed.
    failing: BTreeSet<&'static str>,
}

impl Sweeps {
    fn new() -> Self {
        Self { saved: SWEEP_REQUESTS_A_MINUTE, saved_at: Instant::now(), failing: BTreeSet::new() }
    }

    /// Spends what a pass left of the interval on the sweeps that are due.
    async fn go_on(&mut self, daemon: &Daemon, syncer: &Syncer, pass: &Summary, begun: Instant) {
        let until = begun + daemon.interval.mul_f64(0.75);
        let mut options = daemon.options.clone();
        let is_unknown = |kind: &KindOutcome| matches!(kind.result, Err(Error::Unavailable));
        options.kinds.retain(|kind| !pass.kinds.iter().any(|outcome| outcome.kind == kind.name && is_unknown(outcome)));
        // What failed last must not use up what the others need.
        options.kinds.sort_by_key(|kind| self.failing.contains(kind.name));
        let mut is_first = true;
        loop {
            let wait = self.wait();
            // Passes that take longer than the interval must not keep sweeps from ever being done.
            if Instant::now() + wait > until && !(is_first && wait.is_zero()) {
                return;
            }
            if !wait.is_zero() {
                syncer.rest(wait).await;
            }
            match self.portion(syncer, &options).await {
                // What fails now is tried again after the next pass.
                Ok(is_to_go_on) if is_to_go_on && !daemon.cancel.is_cancelled() => {}
                Ok(_) | Err(Error::Interrupted) => return,
                Err(error) => {
                    tracing::warn!("a sweep was put off: {}", escape::chain(&error));
                    return;
                }
            }
            is_first = false;
        }
    }

    /// How long until there are requests enough for a portion.
    fn wait(&mut self) -> Duration {
        let a_second = SWEEP_REQUESTS_A_MINUTE / 60.0;
        let now = Instant::now();
        self.saved = (self.saved + (now - self.saved_at).as_secs_f64() * a_second).min(SWEEP_REQUESTS_A_MINUTE);
        self.saved_at = now;
        Duration::from_secs_f64(((f64::from(SWEEP_PORTION) - self.saved) / a_second).max(0.0))
    }

    /// A portion of each sweep that is due. Returns whether there is more, and none of it failed.
    async fn portion(&mut self, syncer: &Syncer, options: &Options) -> Result<bool, Error> {
        let due = syncer.due_sweeps(options).await?;
        let mut is_well = true;
        for scope in &due {
            let summary = syncer.sweep(*scope, options, Some(SWEEP_PORTION.into())).await?;
            self.saved -= summary.requests.max(1) as f64;
            for kind in &summary.kinds {
                match &kind.result {
                    Ok(()) => {
                        self.failing.remove(kind.kind);
                    }
                    Err(error) => {
                        is_well = false;
                        // One line when it begins.
                        if self.failing.insert(kind.kind) {
                            tracing::warn!(kind = kind.kind, "a sweep is tried again later: {}", escape::chain(error));
                        }
                    }
                }
            }
        }
        Ok(is_well && !due.is_empty())
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

fn report(mode: Mode, summary: &Summary, failures: &mut u32) {
    if *failures > 0 {
        tracing::info!(failures, "reading again after failures");
        *failures = 0;
    }
    let sum =
        |count: fn(&crate::store::Counts) -> u64| summary.kinds.iter().map(|kind| count(&kind.counts)).sum::<u64>();
    let (new, changed, rejected) = (sum(|c| c.inserted), sum(|c| c.updated), sum(|c| c.rejected));
    for kind in &summary.kinds {
        if let Err(error) = &kind.result
            && !matches!(error, Error::Unavailable)
        {
            tracing::error!(kind = kind.kind, "{}", escape::chain(error));
        }
    }
    if new + changed + rejected > 0 {
        tracing::info!(mode = mode.name(), new, changed, rejected, "pass");
    } else {
        tracing::debug!(mode = mode.name(), requests = summary.requests, "idle pass");
    }
}
