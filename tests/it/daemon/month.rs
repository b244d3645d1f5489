//! A month of the daemon in half a minute: the real followers on virtual time, over a simulated Enterprise Manager
//! whose every answer is known, and a database that is away now and then.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Method, Url};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vemsync::clock::Clock as _;
use vemsync::config::{ManagerSettings, Need, Overrides, Settings, Surroundings};
use vemsync::daemon::{self, Daemon};
use vemsync::em::{Answer, Client, Failure, Limits, Transport};
use vemsync::health::{Condition, Health};
use vemsync::metrics::Metrics;
use vemsync::simulator::{
    Clock as SimulatorClock, Fault, Faults, FleetOptions, Options as SimulatorOptions, Simulator, World,
};

use crate::histories::machine::{VirtualClock, Watched, aside, new_database};
use crate::support::database::Database;
use crate::support::world::{assert_equal, manager, start};

const HOUR: Duration = Duration::from_secs(3600);
const INTERVAL: Duration = HOUR;

/// What a request takes, and the step of virtual time while one is under way.
const ON_THE_ROAD: Duration = Duration::from_millis(30);

/// The step of virtual time while there is none.
const AT_REST: Duration = Duration::from_secs(60);

/// Counts requests by the minute, and takes a little time for each.
struct Road {
    inner: Arc<dyn Transport>,
    since: Instant,
    minutes: Mutex<BTreeMap<u64, u32>>,
    /// Requests under way.
    flying: AtomicUsize,
}

#[async_trait]
impl Transport for Road {
    async fn send(&self, method: Method, url: &Url, headers: HeaderMap, body: Bytes) -> Result<Answer, Failure> {
        *self.minutes.lock().expect("no panic").entry(self.since.elapsed().as_secs() / 60).or_default() += 1;
        self.flying.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(ON_THE_ROAD).await;
        let answer = self.inner.send(method, url, headers, body).await;
        self.flying.fetch_sub(1, Ordering::Relaxed);
        answer
    }
}

struct Month {
    simulator: Arc<Simulator>,
    road: Arc<Road>,
    store: Arc<Watched>,
    clock: Arc<VirtualClock>,
    health: Arc<Health>,
    running: Option<(CancellationToken, JoinSet<()>)>,
}

fn settings(simulator: &Simulator) -> Settings {
    let around = Surroundings { env: &|_| None, cwd: std::env::current_dir().expect("a folder"), user_folder: None };
    let mut settings = vemsync::config::load(Need::Nothing, &Overrides::default(), &around).expect("settings");
    settings.managers = vec![manager(simulator)];
    settings.sync.interval = INTERVAL;
    settings
}

impl Month {
    async fn new(database: &Database) -> Self {
        let fleet =
            FleetOptions { servers: 2, jobs: 2, vms: 3, days: 4, end: start(), future_hours: 24 * 33, story: false };
        let world = World::fleet(77, &fleet);
        let options = SimulatorOptions { clock: SimulatorClock::Running(start()), ..SimulatorOptions::frozen(start()) };
        let simulator = Arc::new(Simulator::unheard(world, options));
        let (of, url) = (simulator.clone(), database.url.clone());
        let road = Road {
            inner: simulator.transport(),
            since: Instant::now(),
            minutes: Mutex::default(),
            flying: AtomicUsize::new(0),
        };
        Self {
            road: Arc::new(road),
            store: Watched::open_with_leases_of(12 * HOUR, url, move || of.now()).await,
            simulator,
            clock: VirtualClock::new(start()),
            health: Arc::default(),
            running: None,
        }
    }

    fn begin(&mut self) {
        let cancel = CancellationToken::new();
        let (road, clock) = (self.road.clone(), self.clock.clone());
        let client = Box::new(move |manager: &ManagerSettings| {
            Ok(Client::over(road.clone(), manager, Limits::default(), clock.clone()))
        });
        let daemon = Arc::new(Daemon {
            store: self.store.clone(),
            upkeep: self.store.clone(),
            clock: self.clock.clone(),
            client,
            health: self.health.clone(),
            metrics: Arc::new(Metrics::new(self.clock.now())),
            cancel: cancel.clone(),
        });
        let settings = settings(&self.simulator);
        let mut running = JoinSet::new();
        running.spawn(async move {
            let (_sender, reloads) = mpsc::channel(1);
            daemon::run(daemon, &settings, reloads).await.expect("no follower dies");
        });
        self.running = Some((cancel, running));
    }

    async fn end(&mut self) {
        let (cancel, mut running) = self.running.take().expect("it runs");
        cancel.cancel();
        while running.try_join_next().map(|ended| ended.expect("it ends well")).is_none() {
            self.pass_time(ON_THE_ROAD).await;
        }
    }

    /// Time passes, and the daemon must not be ready at its end.
    async fn not_ready_after(&self, pause: Duration, why: &str) {
        self.pass_time(pause).await;
        assert!(!self.health.troubles(self.clock.now()).is_empty(), "it says that it is ready though {why}");
    }

    /// Time passes, and the daemon must be ready at its end.
    async fn ready_after(&self, pause: Duration) {
        self.pass_time(pause).await;
        let troubles = self.health.troubles(self.clock.now());
        assert!(troubles.is_empty(), "{}: {troubles:?}", self.simulator.now());
    }

    /// Lets virtual time pass, but none of it while the database works: that takes real time.
    async fn pass_time(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while Instant::now() < until {
            let step = if self.road.flying.load(Ordering::Relaxed) > 0 { ON_THE_ROAD } else { AT_REST };
            tokio::time::advance(step).await;
            for turn in 0_u32.. {
                // Whoever was woken does its work until it waits again.
                tokio::task::yield_now().await;
                if self.store.is_busy() {
                    std::thread::sleep(Duration::from_micros(50));
                } else if turn > 50 {
                    break;
                }
            }
        }
    }
}

/// What happens on which day.
struct Calendar {
    days: u64,
    faults: std::ops::Range<u64>,
    away: u64,
    database_away: u64,
    restart: u64,
}

/// Real time is what its round trips take; so the same events come closer together.
const FORTNIGHT: Calendar = Calendar { days: 14, faults: 2..4, away: 4, database_away: 5, restart: 6 };

const MONTH: Calendar = Calendar { days: 30, faults: 4..8, away: 10, database_away: 14, restart: 18 };

async fn live(database: Database, calendar: Calendar) {
    // While this waits, the runtime does not jump to the next timer by itself.
    let (held, hold) = std::sync::mpsc::channel::<()>();
    let holding = tokio::task::spawn_blocking(move || hold.recv());
    let mut month = Month::new(&database).await;
    month.begin();
    month.ready_after(HOUR).await;
    let mut memory = Vec::new();
    for day in 0..calendar.days {
        match day {
            // Something goes wrong now and then …
            day if calendar.faults.contains(&day) => {
                let faults = Faults { logon_too: true, ..Faults::transient(day, 0.1) };
                month.simulator.set_faults(faults);
                month.pass_time(24 * HOUR).await;
                month.simulator.clear_faults();
            }
            // … Enterprise Manager is away …
            day if day == calendar.away => {
                month.simulator.set_faults(Faults { seed: 0, rates: vec![(Fault::Reset, 1.0)], logon_too: true });
                month.not_ready_after(7 * HOUR, "Enterprise Manager is away").await;
                month.simulator.clear_faults();
                month.ready_after(17 * HOUR).await;
            }
            // … so is the database …
            day if day == calendar.database_away => {
                month.store.is_away.store(true, Ordering::Relaxed);
                month.not_ready_after(5 * HOUR, "the database is away").await;
                let condition = month.health.managers()["default"].condition.clone();
                assert!(matches!(condition, Condition::DatabaseAway(_)), "{condition:?}");
                month.store.is_away.store(false, Ordering::Relaxed);
                month.ready_after(19 * HOUR).await;
            }
            // … and the daemon is started anew.
            day if day == calendar.restart => {
                month.end().await;
                month.pass_time(9 * HOUR).await;
                month.begin();
                month.ready_after(15 * HOUR).await;
            }
            _ => month.ready_after(24 * HOUR).await,
        }
        month.simulator.clear_requests();
        memory.push((resident_kibibytes(), open_files()));
    }
    // A night's sweep more.
    month.ready_after(24 * HOUR).await;
    assert_flat(&memory);
    month.end().await;
    // What came since the last pass.
    month.begin();
    month.ready_after(Duration::from_secs(600)).await;
    month.end().await;
    assert_frugal(&month.road.minutes.lock().expect("no panic"));
    assert_equal(&month.simulator, &database).await;
    month.store.bury().await;
    drop(held);
    drop(holding.await);
}

#[tokio::test(start_paused = true)]
async fn a_month_of_faults_ends_with_everything_equal_on_sqlite() {
    live(new_database().await, MONTH).await;
}

#[tokio::test(start_paused = true)]
async fn a_fortnight_of_faults_ends_with_everything_equal_on_postgres() {
    let database = aside(async {
        let database = Database::postgres().await;
        database.open().await.close().await;
        database
    });
    live(database.await, FORTNIGHT).await;
}

fn resident_kibibytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches("kB").trim().parse().expect("a number")
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("Linux").count()
}

/// Once warm, neither memory nor files grow with time. The simulated world is in the same process, and stays as it is.
fn assert_flat(days: &[(u64, usize)]) {
    let mean = |days: &[(u64, usize)]| days.iter().map(|(memory, _)| memory).sum::<u64>() / days.len() as u64;
    let third = days.len() / 3;
    let (early, late) = (mean(&days[third..2 * third]), mean(&days[2 * third..]));
    assert!(late < early + 4096, "memory grows: {days:?}");
    let most = |days: &[(u64, usize)]| days.iter().map(|(_, files)| *files).max().expect("days");
    assert!(most(&days[2 * third..]) <= most(&days[2..2 * third]), "files stay open: {days:?}");
}

/// A pass may come in one minute with a sweep; over an hour it is no more than one request a second.
fn assert_frugal(minutes: &BTreeMap<u64, u32>) {
    // The first history is read as fast as may be.
    let steady = || minutes.iter().filter(|(minute, _)| **minute > 60);
    let (minute, most) = steady().max_by_key(|(_, requests)| **requests).expect("requests");
    assert!(*most <= 100, "{most} requests in minute {minute}");
    let mut hours: BTreeMap<u64, u32> = BTreeMap::new();
    steady().for_each(|(minute, requests)| *hours.entry(minute / 60).or_default() += requests);
    let (hour, most) = hours.iter().max_by_key(|(_, requests)| **requests).expect("requests");
    assert!(*most <= 3600, "{most} requests in hour {hour}");
}
