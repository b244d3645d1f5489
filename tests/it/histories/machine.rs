//! The machine that the sync runs on: its clock, its database, and everything that happens to a call to it.
//!
//! SQLite works in threads of its own, and a clock that stands still jumps ahead as soon as all tasks wait. So every
//! call runs on a second, ordinary runtime inside a blocking task, which keeps the clock where it is.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use tokio::runtime::Runtime;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vemsync::batch::Batch;
use vemsync::clock::Clock;
use vemsync::kind::{Entity, SessionKind};
use vemsync::kinds;
use vemsync::store::{
    self, Backfill, Collection, Commit, Counts, Doubted, Doubts, Error, Leases, Likeness, ManagerStatus, Mark, OpenRow,
    Pass, Refusal, RejectRow, Result, Schema, SqlStore, Store, StoredRow, Sweep, Upkeep,
};

use super::model::Model;

static HELPER: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
});

/// How long the virtual time stands still for a look at a lease.
const LEASE: Duration = Duration::from_millis(5);

/// Runs something that needs real time while the virtual one stands still.
pub async fn aside<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    tokio::task::spawn_blocking(move || HELPER.block_on(work)).await.expect("work that does not panic")
}

/// A clock that goes with the runtime's, and is off by a constant.
pub struct VirtualClock {
    base: DateTime<Utc>,
    since: Instant,
}

impl VirtualClock {
    pub fn new(base: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self { base, since: Instant::now() })
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> DateTime<Utc> {
        let passed = i64::try_from(self.since.elapsed().as_micros()).expect("a short history");
        self.base + TimeDelta::microseconds(passed)
    }
}

/// A migrated database without rows, made once. It has no views: a sync uses none, and each of the thousands of
/// connections that histories open would read their text first.
fn template() -> &'static Path {
    static TEMPLATE: LazyLock<(tempfile::TempDir, PathBuf)> = LazyLock::new(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("template.db");
        let url = format!("sqlite:{}", path.display());
        HELPER.block_on(async move {
            store::connect(&url, Schema::Migrate).await.expect("a store").close().await;
            let database = crate::support::database::Database::at(url);
            for name in
                database.column("select name from sqlite_schema where type = 'view'").await.into_iter().flatten()
            {
                database.execute(&format!("drop view {name}")).await;
            }
        });
        (folder, path)
    });
    &TEMPLATE.1
}

/// A database of its own, in memory where the system has a folder for that.
pub async fn new_database() -> crate::support::database::Database {
    let template = tokio::task::spawn_blocking(template).await.expect("a template");
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    crate::support::database::Database::copy_of(template, folder.expect("a folder"))
}

/// What can happen to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// The process dies before the call, …
    DiesBefore,
    /// … or after it, before it learns what came of it.
    DiesAfter,
    /// The call fails, …
    FailsBefore,
    /// … or is said to have failed though it was done.
    FailsAfter,
}

/// How often what happens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Troubles {
    pub seed: u64,
    /// Chance per call.
    pub chance: f64,
}

/// A store as one process sees it: a crash ends that process, not the database.
pub struct Watched {
    inner: Arc<dyn Store>,
    upkeep: Arc<SqlStore>,
    /// What is checked at each commit.
    model: Option<Arc<Mutex<Model>>>,
    em_now: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    troubles: Mutex<(Troubles, HashMap<String, u64>)>,
    /// Every call fails.
    pub is_away: AtomicBool,
    /// The process is dead.
    pub crashed: CancellationToken,
    /// Held by each call while it works.
    busy: Arc<RwLock<()>>,
    /// Calls under way. One that a crash left behind counts for ever.
    calls: AtomicUsize,
    /// When the leases were last asked for, in real time.
    looked_at: Mutex<std::time::Instant>,
}

impl Watched {
    pub async fn open(
        url: String,
        model: Arc<Mutex<Model>>,
        em_now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let inner = aside(async move { SqlStore::connect(&url, Schema::Require).await.expect("a store") }).await;
        Arc::new(Self::over(inner, Some(model), em_now))
    }

    /// With leases of another length, and nothing checked at commits.
    pub async fn open_with_leases_of(
        length: Duration,
        url: String,
        em_now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let inner = aside(async move { SqlStore::connect(&url, Schema::Require).await.expect("a store") }).await;
        Arc::new(Self::over(inner.with_leases_of(length), None, em_now))
    }

    fn over(
        inner: SqlStore,
        model: Option<Arc<Mutex<Model>>>,
        em_now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
    ) -> Self {
        let inner = Arc::new(inner);
        Self {
            inner: inner.clone(),
            upkeep: inner,
            is_away: AtomicBool::new(false),
            model,
            em_now: Box::new(em_now),
            troubles: Mutex::default(),
            crashed: CancellationToken::new(),
            busy: Arc::default(),
            calls: AtomicUsize::new(0),
            looked_at: Mutex::new(std::time::Instant::now()),
        }
    }

    pub fn set_troubles(&self, troubles: Troubles) {
        *self.troubles.lock().expect("no panic") = (troubles, HashMap::new());
    }

    /// Whether a call is under way, or may be.
    pub fn is_busy(&self) -> bool {
        let just_now = || self.looked_at.lock().expect("no panic").elapsed() < 2 * LEASE;
        self.calls.load(Ordering::Relaxed) > 0 || !self.upkeep.is_idle() || just_now()
    }

    /// Waits for calls that a crash left behind, and closes the files.
    pub async fn bury(&self) {
        let (busy, inner) = (self.busy.clone(), self.inner.clone());
        tokio::task::spawn_blocking(move || drop(busy.write().expect("no panic"))).await.expect("no panic");
        aside(async move { inner.close().await }).await;
    }

    fn roll(&self, call: &str) -> Option<Trouble> {
        let mut troubles = self.troubles.lock().expect("no panic");
        let (Troubles { seed, chance }, times) = &mut *troubles;
        let times = times.entry(call.to_owned()).or_default();
        *times += 1;
        let mut hasher = DefaultHasher::new();
        (*seed, call, *times).hash(&mut hasher);
        let mut rng = fastrand::Rng::with_seed(hasher.finish());
        let all = [Trouble::DiesBefore, Trouble::DiesAfter, Trouble::FailsBefore, Trouble::FailsAfter];
        (rng.f64() < *chance).then(|| all[rng.usize(..all.len())])
    }

    async fn die(&self) -> ! {
        self.crashed.cancel();
        std::future::pending().await
    }

    /// One call, with what happens to it.
    async fn call<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(Arc<dyn Store>) -> BoxFuture<'static, Result<T>>,
    ) -> Result<T> {
        if self.is_away.load(Ordering::Relaxed) {
            return Err(failure());
        }
        let trouble = self.roll(name);
        match trouble {
            Some(Trouble::DiesBefore) => self.die().await,
            Some(Trouble::FailsBefore) => return Err(failure()),
            Some(Trouble::DiesAfter | Trouble::FailsAfter) | None => {}
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
        let (work, busy) = (work(self.inner.clone()), self.busy.clone());
        let done = tokio::task::spawn_blocking(move || {
            let _busy = busy.read().expect("no panic");
            HELPER.block_on(work)
        });
        let done = done.await.expect("a call that does not panic");
        self.calls.fetch_sub(1, Ordering::Relaxed);
        match trouble {
            Some(Trouble::DiesAfter) => self.die().await,
            Some(Trouble::FailsAfter) => done.and(Err(failure())),
            _ => done,
        }
    }
}

fn failure() -> Error {
    Error::Statement(sqlx::Error::PoolTimedOut)
}

fn lasting(kind: &SessionKind) -> &'static SessionKind {
    kinds::kind(kind.name).expect("one of the eight")
}

#[async_trait]
impl Store for Watched {
    fn leases(&self) -> &Leases {
        // What is asked of them is asked from here, and takes real time: too little of it to be worth more than this.
        *self.looked_at.lock().expect("no panic") = std::time::Instant::now();
        drop(tokio::task::spawn_blocking(|| std::thread::sleep(LEASE)));
        self.inner.leases()
    }

    async fn manager(&self, name: &str, base_url: &str, version: Option<&str>, now: DateTime<Utc>) -> Result<i64> {
        let (name, base_url, version) = (name.to_owned(), base_url.to_owned(), version.map(str::to_owned));
        self.call("manager", |store| {
            Box::pin(async move { store.manager(&name, &base_url, version.as_deref(), now).await })
        })
        .await
    }

    async fn manager_since(&self, name: &str) -> Result<Option<DateTime<Utc>>> {
        let name = name.to_owned();
        self.call("manager_since", |store| Box::pin(async move { store.manager_since(&name).await })).await
    }

    async fn servers(&self, em_id: i64) -> Result<Vec<Uuid>> {
        self.call("servers", |store| Box::pin(async move { store.servers(em_id).await })).await
    }

    async fn marks(&self, em_id: i64, kind: &SessionKind) -> Result<Vec<Mark>> {
        let kind = lasting(kind);
        self.call(kind.name, |store| Box::pin(async move { store.marks(em_id, kind).await })).await
    }

    async fn backfills(&self, em_id: i64, kind: &SessionKind) -> Result<Vec<Backfill>> {
        let kind = lasting(kind);
        self.call(kind.name, |store| Box::pin(async move { store.backfills(em_id, kind).await })).await
    }

    async fn rows_by_server(&self, em_id: i64, kind: &SessionKind, since: DateTime<Utc>) -> Result<Vec<(Uuid, u64)>> {
        let kind = lasting(kind);
        self.call(kind.name, |store| Box::pin(async move { store.rows_by_server(em_id, kind, since).await })).await
    }

    async fn open_rows(&self, em_id: i64, kind: &SessionKind) -> Result<Vec<OpenRow>> {
        let kind = lasting(kind);
        self.call(kind.name, |store| Box::pin(async move { store.open_rows(em_id, kind).await })).await
    }

    async fn unseen_parent_sessions(&self, em_id: i64, kind: &SessionKind) -> Result<Vec<Uuid>> {
        let kind = lasting(kind);
        self.call(kind.name, |store| Box::pin(async move { store.unseen_parent_sessions(em_id, kind).await })).await
    }

    async fn server_names(&self) -> Result<HashMap<Uuid, String>> {
        self.inner.server_names().await
    }

    async fn sweeps(&self, em_id: i64, kind: &SessionKind) -> Result<Vec<Sweep>> {
        let kind = lasting(kind);
        self.call(kind.name, |store| Box::pin(async move { store.sweeps(em_id, kind).await })).await
    }

    async fn stored_rows(
        &self,
        em_id: i64,
        kind: &SessionKind,
        from: DateTime<Utc>,
        to: Option<DateTime<Utc>>,
        limit: u32,
    ) -> Result<Vec<StoredRow>> {
        let kind = lasting(kind);
        self.call(kind.name, |store| Box::pin(async move { store.stored_rows(em_id, kind, from, to, limit).await }))
            .await
    }

    async fn compare(&self, batch: &Batch, kind: &'static SessionKind) -> Result<Vec<Likeness>> {
        let batch = batch.clone();
        self.call(kind.name, |store| Box::pin(async move { store.compare(&batch, kind).await })).await
    }

    async fn doubts(&self, em_id: i64, entity: Entity, which: Doubts) -> Result<Vec<Doubted>> {
        let work = |store: Arc<dyn Store>| -> BoxFuture<'static, _> {
            Box::pin(async move { store.doubts(em_id, entity, which).await })
        };
        self.call(entity.name, work).await
    }

    async fn marked_by_day(
        &self,
        em_id: i64,
        kind: &SessionKind,
        from: DateTime<Utc>,
    ) -> Result<Vec<(Uuid, NaiveDate, u64)>> {
        let kind = lasting(kind);
        self.call(kind.name, |store| Box::pin(async move { store.marked_by_day(em_id, kind, from).await })).await
    }

    async fn listed_parents(&self, em_id: i64, entity: Entity, is_missing: bool) -> Result<Vec<Uuid>> {
        self.call(entity.name, |store| Box::pin(async move { store.listed_parents(em_id, entity, is_missing).await }))
            .await
    }

    async fn rows_at_marks(&self, em_id: i64, kind: &SessionKind) -> Result<Vec<StoredRow>> {
        let kind = lasting(kind);
        self.call(kind.name, |store| Box::pin(async move { store.rows_at_marks(em_id, kind).await })).await
    }

    async fn newest_rows(
        &self,
        em_id: i64,
        kind: &SessionKind,
        server: Uuid,
        until: DateTime<Utc>,
        seen_before: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<StoredRow>> {
        let kind = lasting(kind);
        let work = |store: Arc<dyn Store>| -> BoxFuture<'static, _> {
            Box::pin(async move { store.newest_rows(em_id, kind, server, until, seen_before, limit).await })
        };
        self.call(kind.name, work).await
    }

    async fn went_back_at(&self, em_id: i64) -> Result<Option<DateTime<Utc>>> {
        self.call("went_back_at", |store| Box::pin(async move { store.went_back_at(em_id).await })).await
    }

    async fn commit(&self, commits: &[Commit], now: DateTime<Utc>) -> Result<Vec<Counts>> {
        let (commits, model, em_now) = (commits.to_vec(), self.model.clone(), (self.em_now)());
        let work = |store: Arc<dyn Store>| -> BoxFuture<'static, _> {
            Box::pin(async move {
                let counts = store.commit(&commits, now).await?;
                // Also when nobody is there any more to hear of it.
                if let Some(model) = model {
                    model.lock().expect("no panic").committed(&commits, em_now);
                }
                Ok(counts)
            })
        };
        self.call("commit", work).await
    }

    async fn record_pass(&self, pass: &Pass) -> Result<()> {
        let pass = pass.clone();
        self.call("record_pass", |store| Box::pin(async move { store.record_pass(&pass).await })).await
    }

    async fn collection(&self, em_id: i64) -> Result<Collection> {
        self.inner.collection(em_id).await
    }

    async fn set_collection(&self, em_id: i64, collection: &Collection) -> Result<()> {
        self.inner.set_collection(em_id, collection).await
    }

    async fn status(&self, counts_rows: bool) -> Result<Vec<ManagerStatus>> {
        self.inner.status(counts_rows).await
    }

    async fn rejects(&self) -> Result<Vec<RejectRow>> {
        self.inner.rejects().await
    }

    async fn forget_reject(&self, id: i64) -> Result<()> {
        self.inner.forget_reject(id).await
    }

    async fn close(&self) {
        self.bury().await;
    }
}

#[async_trait]
impl Upkeep for Watched {
    async fn ping(&self) -> Result<()> {
        let upkeep = self.upkeep.clone();
        self.call("ping", |_| Box::pin(async move { upkeep.ping().await })).await
    }

    async fn shrink(&self) -> Result<()> {
        let upkeep = self.upkeep.clone();
        self.call("shrink", |_| Box::pin(async move { upkeep.shrink().await })).await
    }

    async fn refusals(&self, manager: &str) -> Result<Vec<Refusal>> {
        let (upkeep, manager) = (self.upkeep.clone(), manager.to_owned());
        self.call("refusals", |_| Box::pin(async move { upkeep.refusals(&manager).await })).await
    }

    async fn add_refusal(&self, manager: &str, refusal: &Refusal) -> Result<()> {
        let (upkeep, manager, refusal) = (self.upkeep.clone(), manager.to_owned(), refusal.clone());
        self.call("add_refusal", |_| Box::pin(async move { upkeep.add_refusal(&manager, &refusal).await })).await
    }

    async fn forget_refusals(&self, manager: &str) -> Result<()> {
        let (upkeep, manager) = (self.upkeep.clone(), manager.to_owned());
        self.call("forget_refusals", |_| Box::pin(async move { upkeep.forget_refusals(&manager).await })).await
    }

    async fn purge(
        &self,
        em_id: i64,
        kind: &SessionKind,
        before: DateTime<Utc>,
        limit: u32,
        now: DateTime<Utc>,
    ) -> Result<u64> {
        let (upkeep, kind) = (self.upkeep.clone(), lasting(kind));
        self.call("purge", |_| Box::pin(async move { upkeep.purge(em_id, kind, before, limit, now).await })).await
    }
}
