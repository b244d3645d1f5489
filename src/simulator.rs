//! An Enterprise Manager to try and test against: the other side of the contract, written from the vendor's pages and
//! sharing no table with the collector.
//!
//! [`World`] is the fleet as it truly is ([`World::fleet`] believable, [`World::bulk`] long and plain), and knows what
//! a correct database must hold ([`World::expected`]). What Enterprise Manager shows of it at a moment is a pure
//! function of world and time. [`Simulator`] puts an HTTP face in front, on a network or within the process: logon
//! sessions, the query service with its filters, and faults. Tests move its clock, edit its world and read its journal while it runs.
//!
//! ```text
//! world  (fleet, bulk, edit)  →  query (filter)  →  render  →  http (logon, faults, wire)  →  journal
//!    └→ truth
//! ```

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use axum::Router;
use axum::serve::{Listener, ListenerExt as _};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::em::Transport;

mod action;
mod bulk;
mod collection;
mod edit;
mod faults;
mod filter;
mod fleet;
mod http;
mod journal;
mod logon;
mod mishap;
mod query;
mod render;
mod sketch;
mod text;
mod ticks;
mod transport;
mod truth;
mod types;
mod wire;
mod world;

pub use bulk::BulkOptions;
pub use faults::{Fault, Faults};
pub use filter::passes;
pub use fleet::{FleetOptions, STORY_PLAN};
pub use journal::{Counters, RequestRecord};
pub use logon::TokenLife;
pub use mishap::{AfterRestore, Visibility};
pub use sketch::SketchOptions;
pub use ticks::Ticks;
pub use truth::Row;
pub use types::Kind;
pub use world::{Broken, COLLECTION_SECS, InnerTask, Oddities, Outcome, Server, Session, World};

/// How the simulated time goes.
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// It stands still until a test moves it.
    Frozen(DateTime<Utc>),
    /// It runs from there, second for second.
    Running(DateTime<Utc>),
}

/// How the face behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Decides what changes from request to request.
    pub seed: u64,
    /// Who may log on.
    pub username: String,
    /// And with what.
    pub password: String,
    /// When a logon session ends.
    pub token_life: TokenLife,
    /// Rows on a page when the request does not say.
    pub default_page_size: usize,
    /// A larger page is not given; the answer says so in its PageSize.
    pub max_page_size: Option<usize>,
    /// Rows that no sorting tells apart come in a new order with each request.
    pub shuffle_ties: bool,
    /// Answers to queries begin with a byte order mark.
    pub bom: bool,
    /// An empty answer has no `Entities`.
    pub empty_without_entities: bool,
    /// Types that are refused, as an older server would.
    pub unknown_types: Vec<String>,
    /// The simulated time.
    pub clock: Clock,
    /// Faults by chance.
    pub faults: Faults,
}

impl Options {
    /// No faults, `demo`/`demo`, and a clock that stands still.
    #[must_use]
    pub fn frozen(now: DateTime<Utc>) -> Options {
        Options {
            seed: 1,
            username: "demo".to_owned(),
            password: "demo".to_owned(),
            token_life: TokenLife::Idle(Duration::from_secs(15 * 60)),
            default_page_size: 100,
            max_page_size: None,
            shuffle_ties: false,
            bom: false,
            empty_without_entities: false,
            unknown_types: Vec::new(),
            clock: Clock::Frozen(now),
            faults: Faults::default(),
        }
    }
}

/// What requests and the owner of the simulator both see.
#[derive(Debug)]
struct Shared {
    options: Options,
    world: RwLock<World>,
    /// The clock, and since when it has run.
    clock: Mutex<(Clock, Instant)>,
    logons: Mutex<logon::Logons>,
    dice: Mutex<faults::Dice>,
    actions: Mutex<action::Actions>,
    unknown_types: Mutex<Vec<String>>,
    max_page_size: Mutex<Option<usize>>,
    journal: Arc<journal::Journal>,
    die: AtomicUsize,
    stop: CancellationToken,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn now(&self) -> Ticks {
        Ticks::from_utc(match *lock(&self.clock) {
            (Clock::Frozen(now), _) => now,
            (Clock::Running(from), began) => from + began.elapsed(),
        })
    }

    fn world(&self) -> RwLockReadGuard<'_, World> {
        self.world.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn world_mut(&self) -> RwLockWriteGuard<'_, World> {
        self.world.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn logons(&self) -> MutexGuard<'_, logon::Logons> {
        lock(&self.logons)
    }

    fn dice(&self) -> MutexGuard<'_, faults::Dice> {
        lock(&self.dice)
    }

    fn unknown_types(&self) -> MutexGuard<'_, Vec<String>> {
        lock(&self.unknown_types)
    }

    fn max_page_size(&self) -> Option<usize> {
        *lock(&self.max_page_size)
    }

    fn next_die(&self) -> usize {
        self.die.fetch_add(1, Ordering::Relaxed)
    }
}

/// A running Enterprise Manager. It stops when it is dropped.
#[derive(Debug)]
pub struct Simulator {
    shared: Arc<Shared>,
    url: String,
    tasks: JoinSet<()>,
}

impl Simulator {
    /// Serves the world on an address, port 0 for any that is free.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(world: World, options: Options, bind: SocketAddr) -> io::Result<Simulator> {
        let listener = tokio::net::TcpListener::bind(bind).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let listener = listener.tap_io(|stream| {
            // Without it the last piece of a body may wait 40 ms for an acknowledgement.
            let _ = stream.set_nodelay(true);
        });
        Ok(Simulator::start_on(world, options, listener, url))
    }

    /// Serves the world on any listener, one that speaks TLS for instance. `url` is what [`Simulator::url`] will say.
    pub fn start_on<L>(world: World, options: Options, listener: L, url: String) -> Simulator
    where
        L: Listener,
        L::Addr: std::fmt::Debug + 'static,
    {
        let mut simulator = Simulator::unheard(world, options);
        let router = Router::new()
            .fallback(http::handle)
            .with_state(Arc::clone(&simulator.shared))
            .into_make_service_with_connect_info::<wire::Scissors>();
        let stop = simulator.shared.stop.clone();
        let serve = axum::serve(wire::Cuttable(listener), router).with_graceful_shutdown(stop.cancelled_owned());
        simulator.tasks.spawn(async move {
            // It ends only when it is told to.
            let _ = serve.await;
        });
        simulator.url = url;
        simulator
    }

    /// An Enterprise Manager that no network reaches, only [`Simulator::transport`]. Its clock and its faults then go
    /// by the time of the runtime, paused or not.
    #[must_use]
    pub fn unheard(world: World, options: Options) -> Simulator {
        let shared = Arc::new(Shared {
            world: RwLock::new(world),
            clock: Mutex::new((options.clock, Instant::now())),
            logons: Mutex::new(logon::Logons::new(options.seed, options.token_life)),
            dice: Mutex::new(faults::Dice::new(options.faults.clone())),
            actions: Mutex::new(action::Actions::new()),
            unknown_types: Mutex::new(options.unknown_types.clone()),
            max_page_size: Mutex::new(options.max_page_size),
            journal: Arc::default(),
            die: AtomicUsize::new(0),
            stop: CancellationToken::new(),
            options,
        });
        Simulator { shared, url: "http://localhost".to_owned(), tasks: JoinSet::new() }
    }

    /// Carries requests to it within this process, as [`crate::em::Client`] takes it.
    #[must_use]
    pub fn transport(&self) -> Arc<dyn Transport> {
        transport::in_process(Arc::clone(&self.shared))
    }

    /// Where it listens, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The simulated time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.shared.now().utc()
    }

    /// Moves the clock, forward or back.
    pub fn advance(&self, by: TimeDelta) {
        let mut clock = lock(&self.shared.clock);
        match &mut clock.0 {
            Clock::Frozen(now) | Clock::Running(now) => *now += by,
        }
    }

    /// Sets the clock, which goes on as it did.
    pub fn set_now(&self, now: DateTime<Utc>) {
        let mut clock = lock(&self.shared.clock);
        clock.0 = match clock.0 {
            Clock::Frozen(_) => Clock::Frozen(now),
            Clock::Running(_) => Clock::Running(now),
        };
        clock.1 = Instant::now();
    }

    /// Reads or edits the world between two requests.
    pub fn with_world<T>(&self, use_it: impl FnOnce(&mut World) -> T) -> T {
        use_it(&mut self.shared.world_mut())
    }

    /// Puts another world in place, as a restore or a new installation does.
    pub fn replace_world(&self, world: World) {
        self.with_world(|old| *old = world);
    }

    /// The rows that a correct database must hold now. See [`World::expected`].
    ///
    /// # Panics
    /// When there is no such type.
    #[must_use]
    pub fn expected(&self, kind: &str) -> Vec<Row> {
        self.shared.world().expected(kind, self.now())
    }

    /// Sets the faults by chance.
    pub fn set_faults(&self, faults: Faults) {
        self.shared.dice().set(faults);
    }

    /// The next `times` requests whose line `METHOD path?query`, decoded, contains `part` meet this fault.
    pub fn fail_next(&self, part: &str, times: usize, fault: Fault) {
        self.shared.dice().cue(part, times, fault);
    }

    /// Nothing goes wrong from here on.
    pub fn clear_faults(&self) {
        self.shared.dice().clear();
    }

    /// Sets how failovers that are started from here on go: how each machine ends, and how long it takes.
    pub fn set_failovers(&self, outcome: Outcome, machine_secs: i64) {
        let mut actions = lock(&self.shared.actions);
        (actions.outcome, actions.machine_secs) = (outcome, machine_secs);
    }

    /// Sets the types that are refused.
    pub fn set_unknown_types(&self, types: &[&str]) {
        *self.shared.unknown_types() = types.iter().map(|kind| (*kind).to_owned()).collect();
    }

    /// Sets the largest page that is given.
    pub fn set_max_page_size(&self, rows: Option<usize>) {
        *lock(&self.shared.max_page_size) = rows;
    }

    /// Sets when logon sessions end.
    pub fn set_token_life(&self, life: TokenLife) {
        self.shared.logons().set_life(life);
    }

    /// Ends all logon sessions, as a restart of the service does.
    pub fn drop_logons(&self) {
        self.shared.logons().end_all();
    }

    /// How many logon sessions are live.
    #[must_use]
    pub fn logon_count(&self) -> usize {
        self.shared.logons().list().len()
    }

    /// The requests so far, oldest first; of very many only the newest.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.journal.records()
    }

    /// Sums over the requests so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.journal.counters()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.shared.journal.clear();
    }

    /// Stops taking connections and waits until open ones are idle.
    pub async fn stop(mut self) {
        self.shared.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.shared.stop.cancel();
        // An aborted task would leave its connections behind; one that was told to stop closes them.
        self.tasks.detach_all();
    }
}

#[cfg(test)]
mod tests;
