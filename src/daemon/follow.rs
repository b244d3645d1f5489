//! Follows one Enterprise Manager: pass after pass, whatever happens to it, to the database or to the configuration.
//!
//! What goes wrong is noted in [`crate::health::Health`], and logged when it begins and when it ends, not at each try.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret as _;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::retention::Retention;
use super::sweeps::Sweeps;
use super::{Daemon, Order, refusal};
use crate::escape;
use crate::health::{self, Condition};
use crate::store::{self, Counts, Fingerprint, Refusal};
use crate::sync::{Error, Mode, Options, Summary, Syncer};

/// Between the beginnings of two passes in which marks rise, at the most.
const WIDE_EVERY: Duration = Duration::from_secs(15 * 60);

/// Between two looks at a database that is away.
const DATABASE_PAUSE: Duration = Duration::from_secs(5);

/// Between two looks at an Enterprise Manager that is away, where passes come more often.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Follows it as ordered, until the daemon ends. Without an order it waits for one.
pub(super) async fn follow(daemon: Arc<Daemon>, name: String, mut orders: watch::Receiver<Option<Order>>) {
    loop {
        let order = orders.borrow_and_update().clone();
        let cancel = daemon.cancel.child_token();
        let mut following = pin!(async {
            match order {
                Some(order) => {
                    daemon.health.enter(&name, &order.sync.kinds, order.sync.interval, daemon.clock.now());
                    Box::pin(Follower::new(&daemon, order, cancel.clone()).run()).await;
                }
                None => {
                    daemon.health.leave(&name);
                    cancel.cancelled().await;
                }
            }
        });
        tokio::select! {
            () = &mut following => break,
            changed = orders.changed() => {
                // The commit under way is finished.
                cancel.cancel();
                following.await;
                if changed.is_err() {
                    break;
                }
            }
        }
    }
    daemon.health.leave(&name);
}

struct Follower<'a> {
    daemon: &'a Arc<Daemon>,
    order: Order,
    options: Options,
    cancel: CancellationToken,
    syncer: Option<Syncer>,
    last_wide: Option<Instant>,
    /// Failures in a row.
    failures: u32,
    sweeps: Sweeps,
    retention: Retention,
}

impl<'a> Follower<'a> {
    fn new(daemon: &'a Arc<Daemon>, order: Order, cancel: CancellationToken) -> Self {
        let options = Options { live_every: Some(order.sync.interval), ..Options::new(&order.sync, order.keep) };
        Self {
            daemon,
            order,
            options,
            cancel,
            syncer: None,
            last_wide: None,
            failures: 0,
            sweeps: Sweeps::new(),
            retention: Retention::default(),
        }
    }

    async fn run(mut self) {
        drop(self.sleep(self.order.delay).await);
        while !self.cancel.is_cancelled() {
            let pause = match self.watched_pass().await {
                Ok(pause) => pause,
                Err(Error::Interrupted) => break,
                Err(error) => self.fail(error).await,
            };
            // Managers that were started together need not be asked together.
            let pause = pause.mul_f64(0.9 + fastrand::f64() / 10.0);
            match &self.syncer {
                Some(syncer) => syncer.rest(pause).await,
                None => drop(self.sleep(pause).await),
            }
        }
        if let Some(syncer) = &self.syncer {
            syncer.log_off().await;
        }
    }

    /// A pass, and a word about it where it takes longer than streams may go unread.
    async fn watched_pass(&mut self) -> Result<Duration, Error> {
        let (daemon, name) = (self.daemon, self.order.manager.name.clone());
        let patience = health::patience(self.order.sync.interval);
        let mut pass = pin!(self.pass());
        if let Ok(done) = tokio::time::timeout(patience, &mut pass).await {
            return done;
        }
        match daemon.health.condition(&name) {
            Some(Condition::Starting) => tracing::info!("the first pass is under way: all there is, newest first"),
            Some(Condition::Following) => {
                daemon.health.turn(&name, Condition::Slow, None, daemon.clock.now());
                let patience = health::span(TimeDelta::from_std(patience).unwrap_or_default());
                tracing::warn!("a pass takes longer than {patience}: {}", health::SLOW);
            }
            // That has been told, or it stands by.
            _ => {}
        }
        pass.await
    }

    /// One pass, and what there is time for after it. Returns the pause until the next one.
    async fn pass(&mut self) -> Result<Duration, Error> {
        let syncer = match &self.syncer {
            Some(syncer) => syncer,
            None => {
                let connected = self.connect().await?;
                self.syncer.insert(connected)
            }
        };
        let (daemon, name, interval) = (self.daemon, &self.order.manager.name, self.order.sync.interval);
        let (begun, began) = (Instant::now(), daemon.clock.now());
        // Rather too early than too late; and not all of them in step.
        let wide_after = WIDE_EVERY.mul_f64(0.9 + fastrand::f64() / 10.0).saturating_sub(interval);
        let is_wide = self.last_wide.is_none_or(|last| last.elapsed() >= wide_after);
        let mode = if is_wide { Mode::Wide } else { Mode::Narrow };
        let summary = syncer.pass(mode, &self.options).await?;
        daemon.metrics.pass(name, mode, &summary, begun.elapsed());
        let news = daemon.health.note(name, mode, began, &summary);
        // A pass in which no kind was read is none: the manager went away after the logon.
        if summary.is_void() {
            let error = summary.kinds.into_iter().find_map(|kind| kind.result.err());
            return Err(error.expect("a void pass failed in every kind"));
        }
        if is_wide {
            self.last_wide = Some(begun);
        }
        self.failures = 0;
        let now = daemon.clock.now();
        // It is slow until a pass is quick again.
        let is_slow = begun.elapsed() > health::patience(interval);
        if (!is_slow || daemon.health.condition(name) != Some(Condition::Slow))
            && let Some((condition, since)) = daemon.health.turn(name, Condition::Following, None, now)
        {
            announce(&condition, since, now);
        }
        for (kind, error) in news {
            match error {
                Some(error) => tracing::error!(kind, "{error}"),
                None => tracing::info!(kind, "read again"),
            }
        }
        report(mode, &summary);
        let until = begun + interval.mul_f64(0.75);
        self.sweeps.go_on(daemon, name, syncer, &self.options, &summary, until).await;
        if let Some(keep) = self.order.keep {
            let until = begun + interval.mul_f64(0.9);
            match self.retention.go_on(daemon, syncer, keep, until).await {
                // A visitor has the turn: after the next pass, then.
                Ok(()) | Err(store::Error::Fenced { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        daemon.upkeep.shrink().await?;
        Ok(interval.saturating_sub(begun.elapsed()))
    }

    /// Logs on, once that may be tried, and enters the Enterprise Manager in the database.
    async fn connect(&self) -> Result<Syncer, Error> {
        let (daemon, manager) = (self.daemon, &self.order.manager);
        let refusals = daemon.upkeep.refusals(&manager.name).await?;
        let ours: Vec<&Refusal> = refusals.iter().filter(|refusal| refusal.credentials.fits(self.account())).collect();
        let times: Vec<DateTime<Utc>> = ours.iter().map(|refusal| refusal.refused_at).collect();
        let now = daemon.clock.now();
        if let (Some(last), Some(next)) = (ours.last(), refusal::next_try(&times))
            && let Ok(wait) = (next - now).to_std()
        {
            let condition = Condition::Refused(last.message.clone());
            if daemon.health.turn(&manager.name, condition, Some(next), now).is_some() {
                let next = next.format("%H:%M");
                tracing::error!(
                    "the account was refused before the start; it is tried again at {next}, or with another password"
                );
            }
            self.sleep(wait).await?;
        }
        let client = (daemon.client)(manager).map_err(Error::Source)?;
        let (store, clock) = (daemon.store.clone(), daemon.clock.clone());
        let connected = Syncer::connect(manager, client, store, clock, self.cancel.clone()).await?;
        daemon.upkeep.forget_refusals(&manager.name).await?;
        let (daemon, name) = (daemon.clone(), manager.name.clone());
        Ok(connected.leading(Box::new(move |leader| {
            let condition = leader.map_or(Condition::Starting, |leader| Condition::StandingBy(leader.to_owned()));
            daemon.health.turn(&name, condition, None, daemon.clock.now());
        })))
    }

    /// Takes note of a failure and returns how long to wait. One line when it begins; one more when it has ended.
    async fn fail(&mut self, error: Error) -> Duration {
        let (daemon, name) = (self.daemon, &self.order.manager.name);
        let now = daemon.clock.now();
        let mut said = escape::chain(&error);
        let interval = self.order.sync.interval;
        let (condition, pause) = match &error {
            Error::Store(store::Error::Fenced { holder }) => {
                match holder {
                    Some(holder) => tracing::info!("{holder} has taken over: this instance asks for its turn again"),
                    None => tracing::debug!("the lease was not renewed in time: this instance asks for its turn again"),
                }
                return Duration::ZERO;
            }
            Error::Store(_) => (Condition::DatabaseAway(said.clone()), interval.min(DATABASE_PAUSE)),
            refused if refused.is_refusal() => {
                // A client that was refused stays silent; a new one may ask again, later.
                if let Some(refused) = self.syncer.take() {
                    refused.log_off().await;
                }
                said = error.away();
                (Condition::Refused(said.clone()), self.remember_refusal(now, &said).await)
            }
            _ => {
                said = error.away();
                self.failures += 1;
                let growing = interval.saturating_mul(1 << self.failures.min(3)) / 2;
                (Condition::Away(said.clone()), growing.min(LONGEST_PAUSE).max(interval))
            }
        };
        let next_try = TimeDelta::from_std(pause).ok().map(|pause| now + pause);
        if daemon.health.turn(name, condition, next_try, now).is_some() {
            tracing::error!("{said}");
        }
        pause
    }

    /// Keeps a refusal across restarts, and returns how long to wait after it.
    async fn remember_refusal(&self, now: DateTime<Utc>, said: &str) -> Duration {
        let (upkeep, name) = (&self.daemon.upkeep, &self.order.manager.name);
        let mut times = Vec::new();
        let remembered = async {
            let mut ours = upkeep.refusals(name).await?;
            ours.retain(|refusal| refusal.credentials.fits(self.account()));
            times.extend(ours.iter().map(|refusal| refusal.refused_at));
            // One byte is told of a password, however often it is refused.
            let known = ours.pop().map(|refusal| refusal.credentials);
            let credentials = known.unwrap_or_else(|| Fingerprint::of(self.account()));
            upkeep.add_refusal(name, &Refusal { refused_at: now, credentials, message: said.to_owned() }).await
        };
        if let Err(error) = remembered.await {
            tracing::warn!("the refusal is not remembered across a restart: {}", escape::chain(&error));
        }
        times.push(now);
        refusal::next_try(&times).and_then(|next| (next - now).to_std().ok()).unwrap_or_default()
    }

    fn account(&self) -> [&str; 3] {
        let manager = &self.order.manager;
        [manager.url.as_str(), &manager.username, manager.password.expose_secret()]
    }

    async fn sleep(&self, pause: Duration) -> Result<(), Error> {
        tokio::select! {
            () = self.cancel.cancelled() => Err(Error::Interrupted),
            () = tokio::time::sleep(pause) => Ok(()),
        }
    }
}

/// Says that what was wrong is over.
fn announce(before: &Condition, since: DateTime<Utc>, now: DateTime<Utc>) {
    let span = health::span(now - since);
    match before {
        Condition::Starting => tracing::info!("following"),
        Condition::Away(_) => tracing::info!("Enterprise Manager is back after {span}"),
        Condition::DatabaseAway(_) => tracing::info!("the database is back after {span}"),
        Condition::Refused(_) => tracing::info!("the account is let in again after {span}"),
        Condition::Slow => tracing::info!("passes are in time again after {span}"),
        Condition::StandingBy(_) | Condition::Following => {}
    }
}

fn report(mode: Mode, summary: &Summary) {
    let sum = |count: fn(&Counts) -> u64| summary.kinds.iter().map(|kind| count(&kind.counts)).sum::<u64>();
    let (new, changed, rejected) = (sum(|c| c.inserted), sum(|c| c.updated), sum(|c| c.rejected));
    if new + changed + rejected > 0 {
        tracing::info!(mode = mode.name(), new, changed, rejected, "pass");
    } else {
        tracing::debug!(mode = mode.name(), requests = summary.requests, "idle pass");
    }
}
