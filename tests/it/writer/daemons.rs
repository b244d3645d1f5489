//! Whole programs beside each other: who leads, who waits, who takes over.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use vemsync::simulator::Simulator;

use super::{enter, fleet, now, slow, until};
use crate::support::database::{Database, both, take_turn};
use crate::support::program::{Place, run, signal, start as start_program, wait};
use crate::support::world::{assert_equal, simulate};

fn daemon(place: &Place, simulator: &Simulator, database: &Database) -> std::process::Child {
    start_program(place.against(simulator.url(), database, &["run", "--interval", "2s", "--listen", "127.0.0.1:0"]))
}

async fn holder(database: &Database) -> String {
    database.column("select holder from sync_leases").await.pop().flatten().unwrap_or_default()
}

async fn passes(database: &Database) -> i64 {
    database.number("select coalesce(sum(passes), 0) from sync_passes").await
}

fn name(child: &std::process::Child) -> String {
    format!("process {} on", child.id())
}

async fn until_led_by(database: &Database, child: &std::process::Child) -> Duration {
    until(|| async { holder(database).await.starts_with(&name(child)) && passes(database).await > 0 }).await
}

/// Makes the schema, so that a test can look into it from the start.
async fn prepared(database: &Database) {
    database.open().await.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_leader_is_killed_another_takes_over_within_ten_seconds() {
    for database in both().await {
        prepared(&database).await;
        let simulator = simulate(fleet(63)).await;
        let place = Place::new("demo");
        let first = daemon(&place, &simulator, &database);
        until_led_by(&database, &first).await;
        let second = daemon(&place, &simulator, &database);
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(holder(&database).await.starts_with(&name(&first)), "the second does not barge in");
        signal(&first, "KILL");
        let killed_at = Instant::now();
        let before = passes(&database).await;
        until(|| async { holder(&database).await.starts_with(&name(&second)) && passes(&database).await > before })
            .await;
        assert!(killed_at.elapsed() < Duration::from_secs(10), "{:?}", killed_at.elapsed());
        drop(wait(first).await);
        signal(&second, "TERM");
        let ended = wait(second).await;
        assert_eq!(ended.status, Some(0), "{ended:?}");
        for said in ["standing by", "taking over"] {
            assert_eq!(ended.err.matches(said).count(), 1, "{}", ended.err);
        }
        assert_equal(&simulator, &database).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_was_stopped_past_its_lease_writes_nothing_when_it_wakes() {
    let check = |database: Database| async move {
        prepared(&database).await;
        let simulator = simulate(fleet(64)).await;
        let place = Place::new("demo");
        let first = daemon(&place, &simulator, &database);
        until_led_by(&database, &first).await;
        // Not in the middle of a transaction: on SQLite nobody could write then.
        let before = passes(&database).await;
        until(|| async { passes(&database).await >= before + 8 }).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        signal(&first, "STOP");
        let second = daemon(&place, &simulator, &database);
        until(|| async { holder(&database).await.starts_with(&name(&second)) }).await;
        // The second does not know what came meanwhile before its next pass; the first must not be the one to tell.
        signal(&first, "CONT");
        tokio::time::sleep(Duration::from_secs(4)).await;
        let (found, expected) = (holder(&database).await, name(&second));
        if !found.starts_with(&expected) {
            signal(&second, "TERM");
            signal(&first, "TERM");
            panic!("{found} writes; {:#?} {:#?}", wait(first).await, wait(second).await);
        }
        let beside = run(place.against(simulator.url(), &database, &["sync"])).await;
        assert_eq!(beside.status, Some(0), "{beside:?}");
        until(|| async { holder(&database).await.starts_with(&name(&second)) }).await;
        signal(&second, "TERM");
        assert_eq!(wait(second).await.status, Some(0));
        until_led_by(&database, &first).await;
        signal(&first, "TERM");
        let ended = wait(first).await;
        assert_eq!(ended.status, Some(0), "{ended:?}");
        assert!(ended.err.contains("has taken over") && ended.err.contains("standing by"), "{}", ended.err);
        assert_equal(&simulator, &database).await;
    };
    let [sqlite, postgres] = both().await;
    tokio::join!(check(sqlite), check(postgres));
}

#[tokio::test(flavor = "multi_thread")]
async fn visitors_have_their_turn_beside_a_leader_and_beside_each_other() {
    for database in both().await {
        prepared(&database).await;
        let simulator = simulate(fleet(65)).await;
        let place = Place::new("demo");
        let leader = daemon(&place, &simulator, &database);
        until_led_by(&database, &leader).await;
        let status = run(place.against(simulator.url(), &database, &["status", "--json"])).await;
        let json: serde_json::Value = serde_json::from_str(&status.out).expect("JSON");
        assert!(json[0]["lease"]["holder"].as_str().is_some_and(|by| by.starts_with(&name(&leader))), "{json:#}");
        let sync = || run(place.against(simulator.url(), &database, &["sync"]));
        let since = ["backfill", "--since", "2025-05-01"];
        let (one, two, three) = tokio::join!(sync(), sync(), run(place.against(simulator.url(), &database, &since)));
        for ended in [one, two, three] {
            assert_eq!(ended.status, Some(0), "{ended:?}");
        }
        simulator.advance(TimeDelta::hours(1));
        let before = passes(&database).await;
        until(|| async { passes(&database).await > before }).await;
        assert!(holder(&database).await.starts_with(&name(&leader)), "it leads on");
        signal(&leader, "TERM");
        assert_eq!(wait(leader).await.status, Some(0));
        assert_eq!(sync().await.status, Some(0));
        assert_equal(&simulator, &database).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_in_mid_commit_the_next_start_goes_on_at_once() {
    for database in both().await {
        prepared(&database).await;
        let simulator = simulate(fleet(66)).await;
        let place = Place::new("demo");
        simulator.set_faults(slow(5));
        for round in 0..3 {
            let before = database.number("select count(*) from backup_task_sessions").await;
            let child = start_program(place.against(simulator.url(), &database, &["sync", "--page-size", "7"]));
            until(|| async { database.number("select count(*) from backup_task_sessions").await > before }).await;
            signal(&child, "KILL");
            drop(wait(child).await);
            let begun = Instant::now();
            let term = database.number("select term from sync_leases").await;
            let next = start_program(place.against(simulator.url(), &database, &["sync", "--page-size", "7"]));
            until(|| async { database.number("select term from sync_leases").await > term }).await;
            assert!(begun.elapsed() < Duration::from_secs(4), "round {round}: {:?}", begun.elapsed());
            signal(&next, "KILL");
            drop(wait(next).await);
        }
        simulator.clear_faults();
        assert_eq!(run(place.against(simulator.url(), &database, &["sync"])).await.status, Some(0));
        assert_equal(&simulator, &database).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_says_for_whom_and_can_be_interrupted() {
    for database in both().await {
        let simulator = simulate(fleet(67)).await;
        let store = database.open().await;
        let em = enter(&store).await;
        take_turn(&store, em, now()).await;
        let place = Place::new("demo");
        let sync = start_program(place.against(simulator.url(), &database, &["sync"]));
        until(|| async { store.leases().is_wished(em).await.expect("an answer") }).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        signal(&sync, "INT");
        let ended = wait(sync).await;
        assert_eq!(ended.status, Some(130), "{ended:?}");
        assert_eq!(ended.err.matches("waiting until another instance gives way").count(), 1, "{}", ended.err);
        assert!(ended.err.contains(store.leases().holder()), "{}", ended.err);
        until(|| async { !store.leases().is_wished(em).await.expect("an answer") }).await;
        store.close().await;
    }
}
