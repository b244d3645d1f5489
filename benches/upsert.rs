//! How fast rows that are new, and rows that are stored already, are written: batches of a page and of four.
//!
//! On SQLite always, on Postgres where `VEMSYNC_TEST_POSTGRES` names a server on which databases may be made.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use divan::Bencher;
use divan::counter::ItemsCount;
use tokio::runtime::Runtime;
use uuid::Uuid;
use vemsync::batch::{Batch, Values};
use vemsync::decode::decode;
use vemsync::kind::SessionKind;
use vemsync::store::{Commit, Schema, SqlStore, Store};

mod pages;

const KIND: &str = "BackupTaskSession";
const PAGES: [usize; 2] = [1, 4];

fn main() {
    divan::main();
}

#[divan::bench(args = PAGES, sample_count = 30, sample_size = 1)]
fn sqlite_fresh(bencher: Bencher<'_, '_>, pages: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    fresh(bencher, &format!("sqlite:{}/bench.db", folder.path().display()), pages);
}

#[divan::bench(args = PAGES, sample_count = 30, sample_size = 1)]
fn sqlite_unchanged(bencher: Bencher<'_, '_>, pages: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    unchanged(bencher, &format!("sqlite:{}/bench.db", folder.path().display()), pages);
}

#[divan::bench(args = PAGES, sample_count = 30, sample_size = 1)]
fn postgres_fresh(bencher: Bencher<'_, '_>, pages: usize) {
    if let Some(url) = postgres("vemsync_bench_fresh") {
        fresh(bencher, &url, pages);
    }
}

#[divan::bench(args = PAGES, sample_count = 30, sample_size = 1)]
fn postgres_unchanged(bencher: Bencher<'_, '_>, pages: usize) {
    if let Some(url) = postgres("vemsync_bench_unchanged") {
        unchanged(bencher, &url, pages);
    }
}

/// Every commit brings rows that were never seen.
fn fresh(bencher: Bencher<'_, '_>, url: &str, pages: usize) {
    let bench = Bench::new(url, pages);
    let rows: usize = bench.commits.iter().map(|commit| commit.batch.len()).sum();
    bencher
        .counter(ItemsCount::new(rows))
        .with_inputs(|| bench.renamed())
        .bench_local_refs(|commits| bench.commit(commits));
}

/// Every commit brings the rows that are there.
fn unchanged(bencher: Bencher<'_, '_>, url: &str, pages: usize) {
    let bench = Bench::new(url, pages);
    let rows: usize = bench.commits.iter().map(|commit| commit.batch.len()).sum();
    bench.commit(&bench.commits);
    bencher.counter(ItemsCount::new(rows)).bench_local(|| bench.commit(&bench.commits));
}

struct Bench {
    runtime: Runtime,
    store: Arc<dyn Store>,
    commits: Vec<Commit>,
    now: Cell<DateTime<Utc>>,
}

impl Bench {
    fn new(url: &str, pages: usize) -> Self {
        let kind: &'static SessionKind = vemsync::kinds::kind(KIND).expect("one of them");
        let bodies = pages::newest(&[kind], u32::try_from(pages).expect("a few"));
        let runtime = Runtime::new().expect("a runtime");
        let now = DateTime::from_timestamp(1_770_000_000, 0).expect("a time in range");
        let (store, em_id) = runtime.block_on(async {
            let store = SqlStore::connect(url, Schema::Migrate).await.expect("a database");
            let store: Arc<dyn Store> = Arc::new(store.with_leases_of(Duration::from_secs(86_400)));
            let em_id = store.manager("bench", "http://127.0.0.1/api/", None, now).await.expect("a row");
            store.leases().take(em_id, true, now).await.expect("the turn to write");
            (store, em_id)
        });
        let commit = |body: &Vec<u8>| {
            let mut commit = Commit::new(em_id, kind.entity(), Some(kind), now);
            commit.batch = decode(kind.entity(), body).expect("a good page").batch;
            commit
        };
        Self { runtime, store, commits: bodies.iter().map(commit).collect(), now: Cell::new(now) }
    }

    /// The same rows under new identities.
    fn renamed(&self) -> Vec<Commit> {
        let mut commits = self.commits.clone();
        commits.iter_mut().for_each(|commit| rename(&mut commit.batch));
        commits
    }

    fn commit(&self, commits: &[Commit]) {
        self.now.set(self.now.get() + TimeDelta::seconds(1));
        self.runtime.block_on(self.store.commit(commits, self.now.get())).expect("a commit");
    }
}

fn rename(batch: &mut Batch) {
    if let Values::Uid(uids) = &mut batch.values[vemsync::kinds::common::UID] {
        uids.iter_mut().for_each(|uid| *uid = Some(Uuid::from_u128(fastrand::u128(..))));
    }
}

/// A new database on the server that the tests use, or none.
fn postgres(name: &str) -> Option<String> {
    use sqlx::Connection as _;
    let server = std::env::var("VEMSYNC_TEST_POSTGRES").ok()?;
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut conn = sqlx::PgConnection::connect(&server).await.expect("the server");
        for statement in [format!("drop database if exists {name}"), format!("create database {name}")] {
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut conn).await.expect("a database");
        }
    });
    let (base, _) = server.rsplit_once('/').expect("a URL with a database");
    Some(format!("{base}/{name}"))
}
