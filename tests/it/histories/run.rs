//! Plays a history.

mod check;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vemsync::em::{Client, Limits};
use vemsync::kind::SessionKind;
use vemsync::simulator::{Fault, Simulator};
use vemsync::store::SweepScope;
use vemsync::sync::{Error, HistoryRange, Mode, Options, Syncer};

use super::machine::{Troubles, VirtualClock, Watched, aside, new_database};
use super::model::{Broken, Model, Truth, entries};
use super::plan::{History, Profile, Step};
use super::wire::Wire;
use crate::support::database::Database;
use crate::support::world::{manager, start};

/// What a history came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    pub requests: u64,
    pub rows: u64,
    pub crashes: u64,
    pub passes: u64,
}

type Checked<T> = Result<T, Broken>;

/// Plays the history of a seed, on a clock of its own.
/// With `is_told`, what happens is printed as it happens.
pub fn play(seed: u64, profile: &Profile, is_told: bool) -> Checked<Tally> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    // The pauses between tries are the client's own dice.
    fastrand::seed(seed);
    runtime.expect("a runtime").block_on(async {
        let mut run = Run::begin(seed, History::new(seed, profile), profile).await;
        run.is_told = is_told;
        if is_told {
            // RUST_LOG=vemsync=debug tells each request.
            let filter = tracing_subscriber::EnvFilter::from_default_env();
            let _ = tracing_subscriber::fmt().with_env_filter(filter).without_time().with_ansi(false).try_init();
        }
        run.all().await?;
        Ok(run.tally())
    })
}

struct Run {
    seed: u64,
    history: History,
    kinds: Vec<&'static SessionKind>,
    options: Options,
    simulator: Arc<Simulator>,
    wire: Arc<Wire>,
    clock: Arc<VirtualClock>,
    database: Arc<Database>,
    model: Arc<Mutex<Model>>,
    process: Option<Process>,
    /// Processes so far.
    lives: u64,
    crashes: u64,
    passes: u64,
    is_quiet: bool,
    /// When someone last asked for history.
    backfilled_at: Option<DateTime<Utc>>,
    has_sweeps: bool,
    is_plain: bool,
    is_told: bool,
    /// Rows of the database as they were last looked at.
    seen: HashMap<(&'static str, Uuid), Seen>,
}

/// What a process keeps in memory.
struct Process {
    syncer: Syncer,
    store: Arc<Watched>,
}

#[derive(Debug, Clone)]
struct Seen {
    is_final: bool,
    is_missing: bool,
}

/// How a piece of work ended.
enum Outcome<T> {
    Done(T),
    Failed(Error),
    Crashed,
}

impl Run {
    async fn begin(seed: u64, mut history: History, profile: &Profile) -> Self {
        let world = std::mem::replace(&mut history.world, vemsync::simulator::World::empty(0));
        let truth = Truth::new(&world, &history.kinds, profile.overlap);
        let kinds = entries(&history.kinds);
        let options = Options {
            kinds: kinds.clone(),
            page_size: history.page_size,
            backfill: history.backfill,
            overlap: profile.overlap,
            keep: None,
            live_every: seed.is_multiple_of(3).then_some(std::time::Duration::from_secs(1)),
            progress: Arc::new(|_| {}),
        };
        let simulator = Arc::new(Simulator::unheard(world, history.simulator.clone()));
        simulator.set_faults(history.faults.clone());
        Self {
            seed,
            kinds,
            options,
            wire: Wire::new(simulator.transport()),
            simulator,
            clock: VirtualClock::new(start() + history.skew),
            database: Arc::new(new_database().await),
            model: Arc::new(Mutex::new(Model::new(truth, history.has_lies))),
            process: None,
            lives: 0,
            crashes: 0,
            passes: 0,
            is_quiet: false,
            backfilled_at: None,
            has_sweeps: profile.has_sweeps,
            is_plain: profile.is_plain,
            is_told: false,
            seen: HashMap::new(),
            history,
        }
    }

    #[expect(clippy::print_stdout, reason = "it is for people to read")]
    fn tell(&self, what: std::fmt::Arguments<'_>) {
        if self.is_told {
            println!("{} {:>5} requests  {what}", self.simulator.now().format("%m-%dT%H:%M:%S"), self.wire.sent());
        }
    }

    fn tally(&self) -> Tally {
        let rows = self.seen.len() as u64;
        Tally { requests: self.wire.sent(), rows, crashes: self.crashes, passes: self.passes }
    }

    async fn all(&mut self) -> Checked<()> {
        self.tell(format_args!("{:#?}", self.history));
        for (jump, step) in self.history.steps.clone() {
            sleep(jump).await;
            self.tell(format_args!("{step:?}"));
            match step {
                Step::Wide => self.pass(Mode::Wide).await?,
                Step::Narrow => self.pass(Mode::Narrow).await?,
                Step::Sweep(scope, requests) => drop(self.sweep(scope, requests).await?),
                Step::Backfill(days) => {
                    let until = self.simulator.now();
                    self.backfilled_at = Some(until);
                    let range = HistoryRange {
                        since: until - TimeDelta::days(days),
                        until,
                        again: self.seed.is_multiple_of(2),
                    };
                    self.pass(Mode::Backfill(range)).await?;
                }
                Step::Restart => self.end_process().await,
                Step::Refusal => self.refusal().await?,
            }
        }
        self.quiesce().await?;
        self.check_end().await?;
        self.end_process().await;
        Ok(())
    }

    /// Nothing goes wrong any more, and the sync gets the time that it needs.
    async fn quiesce(&mut self) -> Checked<()> {
        self.tell(format_args!("quiet from here on"));
        self.simulator.clear_faults();
        self.is_quiet = true;
        if let Some(process) = &self.process {
            process.store.set_troubles(Troubles::default());
        }
        let left = self.history.quiet_at - self.simulator.now();
        if left > TimeDelta::zero() {
            sleep(left).await;
        }
        for hours in [0, 1, 25, 25] {
            sleep(TimeDelta::hours(hours)).await;
            self.pass(Mode::Wide).await?;
            if self.has_sweeps && hours > 0 {
                self.whole_sweep().await?;
            }
        }
        let before = self.wire.sent();
        self.pass(Mode::Wide).await?;
        self.check_budget("an idle wide pass", before, 40)?;
        let before = self.wire.sent();
        self.pass(Mode::Narrow).await?;
        self.check_budget("a narrow pass", before, 16)
    }

    /// Goes on with a sweep as a daemon does, a little at a time. Each time it has to come further.
    async fn whole_sweep(&mut self) -> Checked<()> {
        let requests = [Some(1), Some(10), None][usize::try_from(self.lives % 3).expect("below three")];
        for _ in 0..60 + self.seen.len() {
            if self.sweep(SweepScope::Full, requests).await? {
                return Ok(());
            }
        }
        Err(Broken::new("I8", "a sweep does not come to its end"))
    }

    /// A sweep, or a part of one. Returns whether it is finished.
    async fn sweep(&mut self, scope: SweepScope, requests: Option<u64>) -> Checked<bool> {
        let outcome = self.in_process(async |process, options| process.syncer.sweep(scope, options, requests).await);
        let mut finished = false;
        match outcome.await {
            Outcome::Done(summary) => {
                finished = summary.is_finished();
                for kind in &summary.kinds {
                    self.tell(format_args!("  sweep of {}: {:?}, {:?}", kind.kind, kind.sweep, kind.result));
                }
                let now = self.simulator.now();
                let model = self.model.lock().expect("no panic");
                for kind in summary.kinds.iter().filter(|kind| kind.is_finished()) {
                    let broken = kind.sweep.as_ref().and_then(|sweep| model.check_sweep(kind.kind, sweep, now));
                    broken.map_or(Ok(()), Err)?;
                }
                if self.is_quiet && summary.kinds.iter().any(|kind| kind.result.is_err()) {
                    return Err(Broken::new("sweep", format!("a sweep without faults failed: {summary:?}")));
                }
            }
            Outcome::Failed(error) if self.is_quiet => {
                return Err(Broken::new("sweep", format!("a sweep without faults failed: {error:?}")));
            }
            other => self.survive(other).await,
        }
        self.check_now().await?;
        Ok(finished)
    }

    fn check_budget(&self, what: &str, before: u64, most: u64) -> Checked<()> {
        let requests = self.wire.sent() - before;
        let is_plain = self.options.page_size == 500 && self.history.simulator.max_page_size.is_none();
        if is_plain && requests > most {
            return Err(Broken::new("I8", format!("{what} took {requests} requests")));
        }
        Ok(())
    }

    async fn pass(&mut self, mode: Mode) -> Checked<()> {
        match self.in_process(async |process, options| process.syncer.pass(mode, options).await).await {
            Outcome::Done(summary) if self.is_quiet && !summary.is_complete() => {
                return Err(Broken::new("pass", format!("a pass without faults was not complete: {summary:#?}")));
            }
            Outcome::Failed(error) if self.is_quiet => {
                return Err(Broken::new("pass", format!("a pass without faults failed: {error:?}")));
            }
            Outcome::Done(summary) => {
                self.passes += 1;
                let parts = summary.kinds.iter().filter(|kind| kind.reads > 0);
                let parts: Vec<_> = parts.map(|kind| (kind.kind, kind.counts.inserted, kind.result.is_ok())).collect();
                self.tell(format_args!("  {mode:?} done: {parts:?}"));
            }
            other => self.survive(other).await,
        }
        self.check_now().await
    }

    /// After a failure some programs end and some go on; after a crash nothing is left but the database.
    async fn survive<T>(&mut self, outcome: Outcome<T>) {
        match &outcome {
            Outcome::Failed(error) => self.tell(format_args!("  failed: {error:?}")),
            Outcome::Crashed => self.tell(format_args!("  crashed")),
            Outcome::Done(_) => {}
        }
        match outcome {
            Outcome::Failed(_) if self.lives.is_multiple_of(2) => self.end_process().await,
            Outcome::Done(_) | Outcome::Failed(_) => {}
            Outcome::Crashed => {
                self.crashes += 1;
                if let Some(Process { syncer, store }) = self.process.take() {
                    drop(syncer);
                    store.bury().await;
                }
            }
        }
    }

    async fn in_process<T>(&mut self, work: impl AsyncFn(&Process, &Options) -> Result<T, Error>) -> Outcome<T> {
        if self.process.is_none() {
            match self.begin_process().await {
                Ok(process) => self.process = Some(process),
                Err(Outcome::Failed(error)) => return Outcome::Failed(error),
                Err(_) => return Outcome::Crashed,
            }
        }
        let process = self.process.as_ref().expect("just begun");
        loop {
            let done = tokio::select! {
                biased;
                () = process.store.crashed.cancelled() => return Outcome::Crashed,
                done = work(process, &self.options) => done,
            };
            match done {
                Ok(done) => return Outcome::Done(done),
                // A busy machine looked at a lease for so long that the virtual time ran ahead of it.
                Err(Error::Store(vemsync::store::Error::Unreachable { .. })) => {}
                Err(error) => return Outcome::Failed(error),
            }
        }
    }

    async fn begin_process(&mut self) -> Result<Process, Outcome<()>> {
        self.lives += 1;
        let simulator = self.simulator.clone();
        let store = Watched::open(self.database.url.clone(), self.model.clone(), move || simulator.now()).await;
        if !self.is_quiet {
            let seed = self.seed.wrapping_mul(1000).wrapping_add(self.lives);
            store.set_troubles(Troubles { seed, chance: self.history.store_troubles });
        }
        let syncer = tokio::select! {
            biased;
            () = store.crashed.cancelled() => Err(Outcome::Crashed),
            syncer = self.connect(store.clone()) => syncer.map_err(Outcome::Failed),
        };
        match syncer {
            Ok(syncer) => Ok(Process { syncer, store }),
            Err(outcome) => {
                store.bury().await;
                Err(outcome)
            }
        }
    }

    async fn connect(&self, store: Arc<Watched>) -> Result<Syncer, Error> {
        let manager = manager(&self.simulator);
        let client = Client::over(self.wire.clone(), &manager, Limits::default(), self.clock.clone());
        Syncer::connect(&manager, client, store, self.clock.clone(), CancellationToken::new()).await
    }

    async fn end_process(&mut self) {
        if let Some(Process { syncer, store }) = self.process.take() {
            syncer.log_off().await;
            drop(syncer);
            store.bury().await;
        }
    }

    /// An account that is refused is not tried again: it would be locked.
    async fn refusal(&mut self) -> Checked<()> {
        self.end_process().await;
        self.simulator.clear_faults();
        self.simulator.fail_next("POST /api/sessionMngr/", 1, Fault::Forbidden);
        self.simulator.clear_requests();
        let outcome = self.begin_process().await;
        let logons = self.simulator.requests().iter().filter(|request| request.method == "POST").count();
        self.simulator.clear_faults();
        self.simulator.set_faults(self.history.faults.clone());
        match outcome {
            Err(Outcome::Failed(error)) if error.is_refusal() && logons == 1 => Ok(()),
            Err(Outcome::Failed(error)) => {
                Err(Broken::new("I8", format!("{logons} logons after a refusal, which ended with {error}")))
            }
            Err(_) => Ok(()),
            Ok(process) => {
                process.store.bury().await;
                Err(Broken::new("I8", format!("{logons} logons: a refusal was ridden out")))
            }
        }
    }
}

async fn sleep(time: TimeDelta) {
    tokio::time::sleep(time.to_std().unwrap_or_default()).await;
}
