//! `vemsync run`: follows every Enterprise Manager until someone asks to stop, and says how it is.
//!
//! One follower an Enterprise Manager does narrow passes every interval and wide ones every quarter of an hour
//! (`daemon/follow.rs`), and between them what can wait: sweeps, and deleting what has grown too old. The supervisor
//! here starts and stops followers as the configuration says, also when it is read again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::clock::Clock;
use crate::config::{ManagerSettings, Settings, SyncSettings};
use crate::em::{self, Client};
use crate::health::Health;
use crate::metrics::Metrics;
use crate::store::{Store, Upkeep};
use crate::telemetry;

mod follow;
mod refusal;
mod retention;
mod sweeps;

/// Followers that start together begin within this time of each other.
const SPREAD: Duration = Duration::from_secs(5);

/// Makes a client of an Enterprise Manager.
pub type Clients = Box<dyn Fn(&ManagerSettings) -> Result<Client, em::Error> + Send + Sync>;

/// What all followers work with.
pub struct Daemon {
    /// Where the rows go.
    pub store: Arc<dyn Store>,
    /// The same database, for what the daemon keeps for itself.
    pub upkeep: Arc<dyn Upkeep>,
    /// This machine's clock.
    pub clock: Arc<dyn Clock>,
    /// Makes a client of an Enterprise Manager.
    pub client: Clients,
    /// Where followers note how they are.
    pub health: Arc<Health>,
    /// Where they count what they did.
    pub metrics: Arc<Metrics>,
    /// Ends everything after the current commit.
    pub cancel: CancellationToken,
}

/// What one follower is to do.
#[derive(Clone)]
struct Order {
    manager: ManagerSettings,
    sync: SyncSettings,
    keep: Option<TimeDelta>,
    /// How long it waits before it begins, so that not all begin at once.
    delay: Duration,
}

impl Order {
    fn is_same(&self, other: &Self) -> bool {
        self.manager.is_same(&other.manager) && self.sync == other.sync && self.keep == other.keep
    }
}

/// Follows all of them until cancelled. New settings take effect as they come.
///
/// # Errors
/// If a follower died, which is a fault of this program: the supervisor should start it anew.
pub async fn run(
    daemon: Arc<Daemon>,
    settings: &Settings,
    mut reloads: tokio::sync::mpsc::Receiver<Settings>,
) -> anyhow::Result<()> {
    let mut followers = JoinSet::new();
    let mut orders = BTreeMap::new();
    assign(&daemon, settings, &mut followers, &mut orders);
    loop {
        tokio::select! {
            Some(settings) = reloads.recv() => assign(&daemon, &settings, &mut followers, &mut orders),
            ended = followers.join_next() => match ended {
                Some(Ok(())) => {}
                Some(Err(death)) => {
                    daemon.cancel.cancel();
                    return Err(anyhow::Error::new(death).context("a follower died"));
                }
                // The last of them has ended.
                None => return Ok(()),
            },
        }
    }
}

/// Starts a follower for each new name, and tells the others what has changed. One whose name is gone stays, idle: it
/// may still be at its last commit when the name comes back.
fn assign(
    daemon: &Arc<Daemon>,
    settings: &Settings,
    followers: &mut JoinSet<()>,
    orders: &mut BTreeMap<String, watch::Sender<Option<Order>>>,
) {
    for (name, sender) in &*orders {
        let is_named = settings.managers.iter().any(|manager| manager.name == *name);
        if !is_named && sender.send_replace(None).is_some() {
            tracing::info!(em = name, "no longer followed: the configuration does not name it any more");
        }
    }
    let step = SPREAD / u32::try_from(settings.managers.len()).unwrap_or(u32::MAX).max(1);
    for (position, manager) in (0u32..).zip(&settings.managers) {
        let delay = step.saturating_mul(position);
        let order = Order { manager: manager.clone(), sync: settings.sync.clone(), keep: settings.keep, delay };
        match orders.get(&manager.name) {
            Some(sender) => {
                let is_changed = !sender.borrow().as_ref().is_some_and(|current| current.is_same(&order));
                if is_changed {
                    sender.send_replace(Some(order));
                    tracing::info!(em = manager.name, "followed as the new configuration says");
                }
            }
            None => {
                let (sender, receiver) = watch::channel(Some(order));
                orders.insert(manager.name.clone(), sender);
                let span = telemetry::manager(&manager.name);
                followers.spawn(follow::follow(daemon.clone(), manager.name.clone(), receiver).instrument(span));
            }
        }
    }
}
