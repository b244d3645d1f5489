//! One writer per Enterprise Manager: whoever is not it writes nothing, and nobody waits for the dead.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use vemsync::clock::{Clock as _, SystemClock};
use vemsync::kinds;
use vemsync::simulator::{Fault, Faults, FleetOptions, World};
use vemsync::store::{Asked, Commit, Error, Mark, Pass, Store};
use vemsync::sync::{self, HistoryRange, Mode};

use crate::support::database::{Database, both, take_turn};
use crate::support::world::{assert_equal, connect, manager, options, simulate, start};

mod daemons;

fn fleet(seed: u64) -> World {
    World::fleet(seed, &FleetOptions::small(start()))
}

fn now() -> DateTime<Utc> {
    SystemClock.now()
}

/// Leases that a test can outlast.
const SHORT: Duration = Duration::from_millis(2500);

async fn enter(store: &Arc<dyn Store>) -> i64 {
    store.manager("default", "http://x/api/", None, now()).await.expect("a row")
}

/// Something to write that leaves a trace.
fn mark(em_id: i64) -> Commit {
    let kind = kinds::kind("RestoreSession").expect("a kind");
    let mut commit = Commit::new(em_id, kind.entity(), Some(kind), now());
    commit.marks.push(Mark {
        server: uuid::Uuid::nil(),
        field: vemsync::store::Field::Creation,
        mark: now(),
        scanned_at: now(),
        overlap_seconds: 7200,
        rows_per_hour: 0.0,
    });
    commit
}

async fn write(store: &Arc<dyn Store>, em_id: i64) -> Result<(), Error> {
    store.commit(&[mark(em_id)], now()).await.map(drop)
}

fn line(em_id: i64) -> Pass {
    Pass {
        em_id,
        kind: "RestoreSession",
        mode: "wide",
        started_at: now(),
        finished_at: now(),
        outcome: "done",
        requests: 1,
        counts: vemsync::store::Counts::default(),
        error: None,
    }
}

#[track_caller]
fn assert_fenced(outcome: Result<(), Error>, by: Option<&str>) {
    match outcome {
        Err(Error::Fenced { holder }) => assert_eq!(holder.as_deref(), by),
        other => panic!("{other:?}"),
    }
}

/// Asks until it is granted, and returns how long that took.
async fn until_granted(store: &Arc<dyn Store>, em_id: i64) -> Duration {
    let begun = Instant::now();
    while store.leases().take(em_id, true, now()).await.expect("an answer") != Asked::Granted {
        assert!(begun.elapsed() < Duration::from_secs(10), "the turn does not come");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    begun.elapsed()
}

#[tokio::test]
async fn without_the_turn_nothing_is_written() {
    for database in both().await {
        let store = database.open().await;
        let em = enter(&store).await;
        assert_fenced(write(&store, em).await, None);
        assert_fenced(store.record_pass(&line(em)).await, None);
        take_turn(&store, em, now()).await;
        write(&store, em).await.expect("the turn is ours");
        store.record_pass(&line(em)).await.expect("the turn is ours");
        let other = store.manager("other", "http://y/api/", None, now()).await.expect("a row");
        assert_fenced(write(&store, other).await, None);
        store.leases().end(em, now()).await.expect("an end");
        assert_fenced(write(&store, em).await, None);
        assert_eq!(database.number("select count(*) from sync_marks").await, 1);
        assert_eq!(database.number("select count(*) from sync_passes").await, 1);
        store.close().await;
    }
}

#[tokio::test]
async fn the_dead_hold_up_nobody() {
    for database in both().await {
        let first = database.open().await;
        let em = enter(&first).await;
        assert_eq!(first.leases().lead(em, now()).await.expect("an answer"), Asked::Granted);
        take_turn(&first, em, now()).await;
        let second = database.open().await;
        let holder = first.leases().holder().to_owned();
        assert_eq!(second.leases().take(em, true, now()).await.expect("an answer"), Asked::Taken(holder.clone()));
        assert_eq!(second.leases().lead(em, now()).await.expect("an answer"), Asked::Taken(holder));
        // Its connections and files close with it, as they do when a process is killed. Its lease is not over.
        drop(first);
        let waited = until_granted(&second, em).await;
        assert!(waited < Duration::from_secs(3), "{waited:?}");
        assert_eq!(second.leases().lead(em, now()).await.expect("an answer"), Asked::Granted);
        assert_eq!(database.number("select term from sync_leases").await, 2);
        write(&second, em).await.expect("the turn is ours");
        second.close().await;
    }
}

#[tokio::test]
async fn who_stood_still_past_its_lease_writes_nothing() {
    for database in both().await {
        let first = database.open_with_leases_of(SHORT).await;
        let em = enter(&first).await;
        take_turn(&first, em, now()).await;
        write(&first, em).await.expect("the turn is ours");
        let second = database.open_with_leases_of(SHORT).await;
        assert!(matches!(second.leases().take(em, true, now()).await.expect("an answer"), Asked::Taken(_)));
        // The first holds its lock and renews nothing.
        let waited = until_granted(&second, em).await;
        assert!(waited > SHORT / 2, "{waited:?}");
        let before = database.column("select cast(updated_at as text) from sync_marks").await;
        assert_fenced(write(&first, em).await, Some(second.leases().holder()));
        assert_fenced(first.record_pass(&line(em)).await, Some(second.leases().holder()));
        assert_fenced(first.leases().keep(em, false, now()).await.map(drop), Some(second.leases().holder()));
        assert_eq!(before, database.column("select cast(updated_at as text) from sync_marks").await);
        assert!(!second.leases().keep(em, false, now()).await.expect("ours"), "the first has the lock");
        write(&second, em).await.expect("the lease is enough");
        // What the first lets go of, the second takes; its lease is none of the first's business.
        first.leases().end(em, now()).await.expect("an end");
        assert!(second.leases().keep(em, false, now()).await.expect("ours"));
        write(&second, em).await.expect("the turn is ours");
        assert!(matches!(first.leases().take(em, true, now()).await.expect("an answer"), Asked::Taken(_)));
        first.close().await;
        second.close().await;
    }
}

#[tokio::test]
async fn an_expired_lease_is_none_even_if_nobody_took_over() {
    for database in both().await {
        let store = database.open_with_leases_of(Duration::from_millis(50)).await;
        let em = enter(&store).await;
        take_turn(&store, em, now()).await;
        tokio::time::sleep(Duration::from_millis(80)).await;
        assert_fenced(write(&store, em).await, None);
        store.leases().end(em, now()).await.expect("an end");
        take_turn(&store, em, now()).await;
        store.close().await;
    }
}

#[tokio::test]
async fn a_transaction_renews_what_is_half_gone() {
    for database in both().await {
        let store = database.open_with_leases_of(SHORT).await;
        let em = enter(&store).await;
        take_turn(&store, em, now()).await;
        for _ in 0..6 {
            tokio::time::sleep(SHORT.mul_f64(0.3)).await;
            write(&store, em).await.expect("renewed in time");
        }
        assert_eq!(database.number("select term from sync_leases").await, 1);
        store.close().await;
    }
}

#[tokio::test]
async fn who_wishes_first_is_next() {
    for database in both().await {
        let [first, second, third] = [database.open().await, database.open().await, database.open().await];
        let em = enter(&first).await;
        let taken = |store: &Arc<dyn Store>, wishing| {
            let store = store.clone();
            async move { store.leases().take(em, wishing, now()).await.expect("an answer") == Asked::Granted }
        };
        assert!(taken(&first, true).await);
        assert!(!first.leases().is_wished(em).await.expect("an answer"));
        assert!(!taken(&second, true).await);
        assert!(!taken(&third, true).await);
        assert!(first.leases().is_wished(em).await.expect("an answer"));
        first.leases().end(em, now()).await.expect("an end");
        assert!(!taken(&first, false).await, "somebody waits");
        assert!(!taken(&first, true).await, "somebody waits");
        assert!(!taken(&third, true).await, "somebody else is next");
        assert!(taken(&second, true).await);
        assert!(!second.leases().is_wished(em).await.expect("an answer"));
        // Who gives up waiting is in nobody's way.
        assert!(!taken(&third, true).await);
        third.leases().withdraw(em).await;
        assert!(!second.leases().is_wished(em).await.expect("an answer"));
        second.leases().end(em, now()).await.expect("an end");
        assert!(taken(&first, false).await);
        for store in [first, second, third] {
            store.close().await;
        }
    }
}

#[tokio::test]
async fn a_wish_of_who_stands_still_is_passed_over() {
    for database in both().await {
        let [first, second] = [database.open_with_leases_of(SHORT).await, database.open_with_leases_of(SHORT).await];
        let em = enter(&first).await;
        take_turn(&first, em, now()).await;
        assert!(matches!(second.leases().take(em, true, now()).await.expect("an answer"), Asked::Taken(_)));
        first.leases().end(em, now()).await.expect("an end");
        assert!(matches!(first.leases().take(em, true, now()).await.expect("an answer"), Asked::Taken(_)));
        let waited = until_granted(&first, em).await;
        assert!(waited < SHORT, "{waited:?}");
        first.close().await;
        second.close().await;
    }
}

#[tokio::test]
async fn many_managers_cost_one_connection_and_survive_its_end() {
    let database = Database::postgres().await;
    let [first, second] = [database.open().await, database.open().await];
    let mut ems = Vec::new();
    for n in 0..20 {
        let em = first.manager(&format!("em{n}"), "http://x/api/", None, now()).await.expect("a row");
        take_turn(&first, em, now()).await;
        ems.push(em);
    }
    let locks = "from pg_stat_activity where datname = current_database() and application_name = 'vemsync lock'";
    assert_eq!(database.number(&format!("select count(*) {locks}")).await, 1);
    database.execute(&format!("select pg_terminate_backend(pid) {locks}")).await;
    for em in &ems {
        write(&first, *em).await.expect("the lease stands");
        assert!(first.leases().keep(*em, false, now()).await.expect("the lease stands"), "the lock is ours again");
        assert!(matches!(second.leases().take(*em, true, now()).await.expect("an answer"), Asked::Taken(_)));
    }
    first.close().await;
    second.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_is_fenced_says_so_and_the_next_one_goes_on() {
    for database in both().await {
        let simulator = simulate(fleet(61)).await;
        let store = database.open().await;
        let syncer = connect(&manager(&simulator), store.clone()).await.expect("a connection");
        simulator.set_faults(slow(20));
        let steal = async {
            until(|| async { database.number("select count(*) from backup_job_sessions").await > 0 }).await;
            database.execute("update sync_leases set holder = 'thief', term = term + 1").await;
            database.number("select count(*) from sync_passes").await
        };
        let small = sync::Options { page_size: 10, ..options() };
        let (outcome, lines) = tokio::join!(syncer.pass(Mode::Wide, &small), steal);
        let error = outcome.expect_err("the turn was lost");
        assert!(error.to_string().contains("thief has taken over"), "{error}");
        assert_eq!(lines, database.number("select count(*) from sync_passes").await);
        simulator.clear_faults();
        // The thief never had the lock.
        assert!(syncer.pass(Mode::Wide, &options()).await.expect("a pass").is_complete());
        syncer.log_off().await;
        store.close().await;
        assert_equal(&simulator, &database).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_and_a_leader_take_turns() {
    for database in both().await {
        let simulator = simulate(fleet(62)).await;
        let (first, second) = (database.open_with_leases_of(SHORT).await, database.open_with_leases_of(SHORT).await);
        let leader =
            connect(&manager(&simulator), first.clone()).await.expect("a connection").leading(Box::new(|_| {}));
        let short = sync::Options { backfill: vemsync::config::Backfill::For(TimeDelta::hours(5)), ..options() };
        leader.pass(Mode::Wide, &short).await.expect("a pass");
        simulator.set_faults(slow(30));
        let visitor = connect(&manager(&simulator), second.clone()).await.expect("a connection");
        let windows = AtomicU32::new(0);
        let (passes, done) = (AtomicU32::new(0), AtomicU32::new(0));
        let counted = Arc::new(AtomicU32::new(0));
        let counter = counted.clone();
        let small = sync::Options {
            page_size: 4,
            progress: Arc::new(move |_| {
                counter.fetch_add(1, Ordering::SeqCst);
            }),
            ..options()
        };
        let backfill = async {
            let range = HistoryRange { since: start() - TimeDelta::days(30), until: start(), again: true };
            let summary = loop {
                match visitor.pass(Mode::Backfill(range), &small).await {
                    // Leases as short as these end where the machine is busy; whoever asked for it asks again.
                    Err(sync::Error::Store(Error::Fenced { .. })) => {}
                    summary => break summary.expect("a backfill"),
                }
            };
            done.store(1, Ordering::SeqCst);
            summary
        };
        let follow = async {
            // What comes meanwhile is the leader's to read.
            while done.load(Ordering::SeqCst) == 0 {
                leader.rest(Duration::from_millis(100)).await;
                simulator.advance(TimeDelta::minutes(1));
                let summary = match leader.pass(Mode::Narrow, &short).await {
                    // A daemon goes on with the next pass.
                    Err(sync::Error::Store(Error::Fenced { .. })) => continue,
                    summary => summary.expect("a pass"),
                };
                assert!(summary.is_complete(), "{summary:#?}");
                passes.fetch_add(1, Ordering::SeqCst);
                windows.store(counted.load(Ordering::SeqCst), Ordering::SeqCst);
            }
        };
        let (summary, ()) = tokio::join!(backfill, follow);
        assert!(summary.is_complete(), "{summary:#?}");
        let terms = database.number("select term from sync_leases").await;
        let passes = passes.into_inner();
        assert!(passes > 3 && terms > 6, "{passes} passes in {terms} turns, {windows:?} windows");
        simulator.clear_faults();
        leader.pass(Mode::Wide, &short).await.expect("a pass");
        leader.log_off().await;
        visitor.log_off().await;
        first.close().await;
        second.close().await;
        assert_equal(&simulator, &database).await;
    }
}

/// Every answer takes a while.
fn slow(millis: u64) -> Faults {
    Faults { rates: vec![(Fault::Hang(Duration::from_millis(millis)), 1.0)], ..Faults::default() }
}

async fn until<F: Future<Output = bool>>(is_so: impl Fn() -> F) -> Duration {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not come to it");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    begun.elapsed()
}
