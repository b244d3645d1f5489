//! The sweeps of one Enterprise Manager, in the time that its passes leave.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::Daemon;
use crate::escape;
use crate::sync::{Error, KindOutcome, Options, Summary, Syncer};

/// What sweeps may add to the requests of the passes.
const REQUESTS_A_MINUTE: f64 = 30.0;

/// Requests of a sweep between two looks at the clock.
const PORTION: u32 = 5;

/// The sweeps of one Enterprise Manager, between its passes.
pub(super) struct Sweeps {
    /// Requests that may be sent, saved up for a minute at the most.
    saved: f64,
    saved_at: Instant,
    /// Kinds whose last sweep failed.
    failing: BTreeSet<&'static str>,
}

impl Sweeps {
    pub(super) fn new() -> Self {
        Self { saved: REQUESTS_A_MINUTE, saved_at: Instant::now(), failing: BTreeSet::new() }
    }

    /// Spends what a pass left of the interval on the sweeps that are due.
    pub(super) async fn go_on(
        &mut self,
        daemon: &Daemon,
        name: &str,
        syncer: &Syncer,
        options: &Options,
        pass: &Summary,
        until: Instant,
    ) {
        let mut options = options.clone();
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
            match self.portion(daemon, name, syncer, &options).await {
                // What fails now is tried again after the next pass.
                Ok(is_to_go_on) if is_to_go_on && !syncer.cancel.is_cancelled() => {}
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
        let a_second = REQUESTS_A_MINUTE / 60.0;
        let now = Instant::now();
        self.saved = (self.saved + (now - self.saved_at).as_secs_f64() * a_second).min(REQUESTS_A_MINUTE);
        self.saved_at = now;
        Duration::from_secs_f64(((f64::from(PORTION) - self.saved) / a_second).max(0.0))
    }

    /// A portion of each sweep that is due. Returns whether there is more, and none of it failed.
    async fn portion(
        &mut self,
        daemon: &Daemon,
        name: &str,
        syncer: &Syncer,
        options: &Options,
    ) -> Result<bool, Error> {
        let due = syncer.due_sweeps(options).await?;
        let mut is_well = true;
        for scope in &due {
            let summary = syncer.sweep(*scope, options, Some(PORTION.into())).await?;
            daemon.metrics.sweep(name, &summary);
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
