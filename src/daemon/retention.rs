//! Deletes what is older than `[retention] keep`: once a day, in small batches, between the passes.

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use super::Daemon;
use crate::store;
use crate::sync::Syncer;

/// Rows that one transaction deletes: it must not keep the passes waiting.
const BATCH: u32 = 500;

/// Between two rounds.
const EVERY: TimeDelta = TimeDelta::hours(24);

/// The rounds of one Enterprise Manager.
#[derive(Debug, Default)]
pub(super) struct Retention {
    last: Option<DateTime<Utc>>,
    round: Option<Round>,
}

/// A round under way.
#[derive(Debug)]
struct Round {
    before: DateTime<Utc>,
    /// How many of the kinds are done.
    done: usize,
    deleted: Vec<(&'static str, u64)>,
}

impl Retention {
    /// Goes on with the round that is due, until there is no time left or nothing more to delete.
    pub(super) async fn go_on(
        &mut self,
        daemon: &Daemon,
        syncer: &Syncer,
        keep: TimeDelta,
        until: Instant,
    ) -> store::Result<()> {
        let now = daemon.clock.now();
        if self.round.is_none() && self.last.is_some_and(|last| now - last < EVERY) {
            return Ok(());
        }
        let before = syncer.client().now() - keep;
        let round = self.round.get_or_insert(Round { before, done: 0, deleted: Vec::new() });
        while let Some(kind) = crate::kinds::KINDS.get(round.done) {
            if Instant::now() >= until || daemon.cancel.is_cancelled() {
                return Ok(());
            }
            let deleted = daemon.upkeep.purge(syncer.em_id(), kind, round.before, BATCH, daemon.clock.now()).await?;
            daemon.metrics.deleted(kind.name, deleted);
            match round.deleted.iter_mut().find(|(name, _)| *name == kind.name) {
                Some((_, sum)) => *sum += deleted,
                None => round.deleted.push((kind.name, deleted)),
            }
            if deleted < u64::from(BATCH) {
                round.done += 1;
            }
        }
        for (kind, deleted) in round.deleted.iter().filter(|(_, deleted)| *deleted > 0) {
            tracing::info!(kind, deleted, before = %round.before.format("%Y-%m-%d"), "deleted sessions that were older than [retention] keep");
        }
        self.last = Some(now);
        self.round = None;
        Ok(())
    }
}
