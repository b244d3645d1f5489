//! A simulated Enterprise Manager, a sync of it, and the comparison of the database with the truth.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use vemsync::clock::SystemClock;
use vemsync::config::{Backfill, ManagerSettings};
use vemsync::em::{Client, Limits};
use vemsync::kind::{SessionKind, Ty};
use vemsync::kinds::{KINDS, PARENTS};
use vemsync::simulator::{Options as SimulatorOptions, Simulator, World};
use vemsync::store::Store;
use vemsync::sync::{Error, Mode, Options, Summary, Syncer};
use vemsync::timestamp;

use super::database::{Database, Row};

/// When the simulated worlds begin to move.
pub fn start() -> DateTime<Utc> {
    timestamp::parse("2025-06-02T09:20:00Z").expect("a time")
}

pub async fn simulate(world: World) -> Simulator {
    simulate_with(world, SimulatorOptions::frozen(start())).await
}

pub async fn simulate_with(world: World, options: SimulatorOptions) -> Simulator {
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Simulator::start(world, options, loopback).await.expect("a simulator")
}

pub fn manager(simulator: &Simulator) -> ManagerSettings {
    manager_at(simulator.url())
}

pub fn manager_at(url: &str) -> ManagerSettings {
    ManagerSettings::new(
        "default",
        format!("{}/api/", url.trim_end_matches('/')).parse().expect("a URL"),
        "demo",
        SecretString::from("demo"),
    )
}

/// Bounds that let a test see failures soon.
pub fn limits() -> Limits {
    Limits {
        connect: Duration::from_secs(5),
        answer: Duration::from_secs(10),
        silence: Duration::from_secs(2),
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(20),
        longest_retry_after: Duration::from_millis(20),
        ..Limits::default()
    }
}

pub fn options() -> Options {
    Options {
        kinds: KINDS.iter().collect(),
        page_size: 500,
        backfill: Backfill::For(TimeDelta::days(30)),
        overlap: TimeDelta::hours(2),
        keep: None,
        live_every: None,
        progress: Arc::new(|_| {}),
    }
}

pub async fn connect(manager: &ManagerSettings, store: Arc<dyn Store>) -> Result<Syncer, Error> {
    let clock = Arc::new(SystemClock);
    let client = Client::new(manager, limits(), clock.clone()).map_err(Error::Source)?;
    Syncer::connect(manager, client, store, clock, CancellationToken::new()).await
}

/// What `vemsync sync` does.
pub async fn sync_with(simulator: &Simulator, database: &Database, options: &Options) -> Result<Summary, Error> {
    pass(simulator, database, options, Mode::Wide).await
}

pub async fn pass(simulator: &Simulator, database: &Database, options: &Options, mode: Mode) -> Result<Summary, Error> {
    let store = database.open().await;
    let syncer = connect(&manager(simulator), store.clone()).await?;
    let outcome = syncer.pass(mode, options).await;
    syncer.log_off().await;
    let requests = syncer.client().requests();
    store.close().await;
    outcome.map(|summary| Summary { requests, ..summary })
}

/// A sync that has to do everything.
pub async fn sync(simulator: &Simulator, database: &Database) -> Summary {
    let summary = sync_with(simulator, database, &options()).await.expect("a sync");
    assert!(summary.is_complete(), "{summary:#?}");
    summary
}

/// Every table that a sync fills holds exactly what the source shows.
pub async fn assert_equal(simulator: &Simulator, database: &Database) {
    for kind in KINDS {
        assert_kind_equal(simulator, database, kind).await;
    }
    assert_inner_equal(simulator, database).await;
    assert_parents_equal(simulator, database).await;
}

pub async fn assert_kind_equal(simulator: &Simulator, database: &Database, kind: &'static SessionKind) {
    let expected = simulator.expected(kind.name);
    // The truth knows nothing of message groups, which are this program's own.
    let mut found = database.entity(kind.table, kind.columns, false).await;
    found.iter_mut().for_each(|row| drop(row.remove("reason_group")));
    assert_rows(kind.table, expected, found);
}

async fn assert_inner_equal(simulator: &Simulator, database: &Database) {
    let inner = KINDS.iter().find_map(|kind| kind.inner).expect("a kind has inner rows");
    let mut columns = vec![(inner.owner, Ty::Uid), (inner.position, Ty::Bigint)];
    columns.extend(inner.columns.iter().map(|column| (column.name, column.ty)));
    let now = simulator.now();
    let expected = simulator.with_world(|world| world.expected_inner(now));
    assert_rows(inner.table, expected, database.rows(inner.table, &columns).await);
}

/// Parents that the source lists are stored as it lists them; others are stubs from sessions.
async fn assert_parents_equal(simulator: &Simulator, database: &Database) {
    let now = simulator.now();
    for table in ["backup_servers", "jobs", "cdp_policies", "cloud_failover_plans"] {
        let entity = PARENTS.iter().find(|entity| entity.table == table).expect("a parent's table");
        let expected = simulator.with_world(|world| world.expected_parents(table, now));
        let keys: Vec<&str> = expected.first().map(|row| row.keys().copied().collect()).unwrap_or_default();
        let columns: Vec<(&str, Ty)> = entity
            .columns
            .iter()
            .filter(|column| keys.contains(&column.name))
            .map(|column| (column.name, column.ty))
            .collect();
        let listed = format!("(select * from {table} where listed_as is not null) as listed");
        assert_rows(table, expected, database.rows(&listed, &columns).await);
    }
}

/// Says which rows differ, and in what, rather than printing two tables.
pub fn assert_rows(table: &str, mut expected: Vec<Row>, mut found: Vec<Row>) {
    expected.sort();
    found.sort();
    if expected == found {
        return;
    }
    let missing: Vec<&Row> = expected.iter().filter(|row| !found.contains(row)).collect();
    let surplus: Vec<&Row> = found.iter().filter(|row| !expected.contains(row)).collect();
    panic!(
        "{table}: {} rows expected, {} found; {} differ\nfirst expected: {:#?}\nfirst found: {:#?}",
        expected.len(),
        found.len(),
        missing.len().max(surplus.len()),
        missing.first(),
        missing
            .first()
            .and_then(|row| surplus.iter().find(|other| other.get("uid") == row.get("uid")))
            .or(surplus.first()),
    );
}

/// Everything that a sync may write into the session tables, times of change included.
pub async fn snapshot(database: &Database) -> Vec<(&'static str, Vec<Row>)> {
    let mut tables = Vec::new();
    for kind in KINDS {
        tables.push((kind.table, database.entity(kind.table, kind.columns, true).await));
    }
    tables
}
