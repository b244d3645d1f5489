//! The pass: after it, the database holds exactly what the source shows, whatever happened in between.

use std::time::Duration;

use chrono::TimeDelta;
use vemsync::config::Backfill;
use vemsync::kind::SessionKind;
use vemsync::simulator::{FleetOptions, Kind, Options as SimulatorOptions, Simulator, TokenLife, World};
use vemsync::sync::{HistoryRange, Mode};

use crate::support::database::{Database, both};
use crate::support::world::{
    assert_equal, connect, manager, options, pass, simulate, simulate_with, snapshot, start, sync, sync_with,
};

fn fleet(seed: u64) -> World {
    World::fleet(seed, &FleetOptions::small(start()))
}

#[tokio::test]
async fn a_first_sync_holds_exactly_the_source() {
    for database in both().await {
        for seed in [1, 2] {
            let simulator = simulate(fleet(seed)).await;
            let database = if seed == 1 { &database } else { &both().await[usize::from(database.is_postgres)] };
            sync(&simulator, database).await;
            assert_equal(&simulator, database).await;
        }
    }
}

#[tokio::test]
async fn time_moves_on_and_one_more_sync_makes_them_equal() {
    for database in both().await {
        let simulator = simulate(fleet(3)).await;
        // A server that delivers nothing for a day, from before the first sync.
        simulator
            .with_world(|world| world.add_outage(0, start() - TimeDelta::hours(20), start() + TimeDelta::hours(5)));
        sync(&simulator, &database).await;
        assert_equal(&simulator, &database).await;
        for hours in [3, 1, 7] {
            simulator.advance(TimeDelta::hours(hours));
            sync(&simulator, &database).await;
            assert_equal(&simulator, &database).await;
            let before = snapshot(&database).await;
            let summary = sync(&simulator, &database).await;
            assert_eq!(summary.kinds.iter().map(|kind| kind.counts.inserted + kind.counts.updated).sum::<u64>(), 0);
            assert!(before == snapshot(&database).await, "an idle sync changed a row");
        }
    }
}

#[tokio::test]
async fn a_server_that_appears_later_is_read_from_the_floor() {
    for database in both().await {
        let simulator = simulate(fleet(4)).await;
        sync(&simulator, &database).await;
        let since = start() + TimeDelta::hours(1);
        simulator.with_world(|world| {
            let server = world.add_server("late.example.org", Some(since));
            for (kind, days) in [(Kind::BackupTaskSession, 5), (Kind::RestoreSession, 3), (Kind::BackupTaskSession, 1)]
            {
                world.add_session(kind, server, start() - TimeDelta::days(days), TimeDelta::minutes(10));
            }
        });
        simulator.advance(TimeDelta::hours(2));
        sync(&simulator, &database).await;
        assert_equal(&simulator, &database).await;
    }
}

#[tokio::test]
async fn pages_clamped_by_the_server_and_logons_that_expire_every_second() {
    for database in both().await {
        let simulator = simulate_with(
            fleet(5),
            SimulatorOptions {
                max_page_size: Some(100),
                token_life: TokenLife::Absolute(Duration::from_millis(200)),
                shuffle_ties: true,
                bom: true,
                empty_without_entities: true,
                ..SimulatorOptions::frozen(start())
            },
        )
        .await;
        sync(&simulator, &database).await;
        assert_equal(&simulator, &database).await;
        simulator.advance(TimeDelta::hours(6));
        sync(&simulator, &database).await;
        assert_equal(&simulator, &database).await;
    }
}

#[tokio::test]
async fn three_thousand_rows_share_one_second() {
    for database in both().await {
        let simulator =
            simulate_with(fleet(6), SimulatorOptions { shuffle_ties: true, ..SimulatorOptions::frozen(start()) }).await;
        let second = start() - TimeDelta::hours(30);
        simulator.with_world(|world| {
            for server in 0..3 {
                world.add_burst(Kind::BackupTaskSession, server, second, 1000);
            }
            world.add_burst(Kind::RestoreSession, 1, second, 700);
        });
        sync(&simulator, &database).await;
        assert_equal(&simulator, &database).await;
        // The ends share a second too, and come within reach of the stream of ends.
        simulator.with_world(|world| {
            world.add_burst(Kind::ReplicaTaskSession, 2, start() + TimeDelta::hours(1), 1500);
        });
        simulator.advance(TimeDelta::hours(3));
        sync(&simulator, &database).await;
        assert_equal(&simulator, &database).await;
    }
}

#[tokio::test]
async fn an_idle_sync_stays_inside_its_budget() {
    for database in both().await {
        let mut world = fleet(7);
        for n in 0..60 {
            let server = world.add_server(&format!("vbr{n}.example.org"), None);
            world.add_session(Kind::BackupTaskSession, server, start() - TimeDelta::hours(3), TimeDelta::minutes(5));
        }
        let simulator = simulate(world).await;
        sync(&simulator, &database).await;
        for minutes in [0, 0, 15, 15, 60, 15] {
            simulator.advance(TimeDelta::minutes(minutes));
            let summary = sync(&simulator, &database).await;
            assert!(summary.requests <= 40, "{} requests", summary.requests);
        }
        simulator.clear_requests();
        let narrow = pass(&simulator, &database, &options(), Mode::Narrow).await.expect("a pass");
        let queries = simulator.requests().iter().filter(|request| request.path.ends_with("/query")).count();
        assert!(queries <= 16, "{queries} queries in a narrow pass");
        assert!(narrow.is_complete());
    }
}

#[tokio::test]
async fn narrow_passes_find_what_is_new_and_what_ends() {
    for database in both().await {
        let simulator = simulate(fleet(8)).await;
        simulator.with_world(|world| (0..3).for_each(|server| world.set_collection_secs(server, 0)));
        sync(&simulator, &database).await;
        for _ in 0..12 {
            simulator.advance(TimeDelta::minutes(40));
            let summary = pass(&simulator, &database, &options(), Mode::Narrow).await.expect("a pass");
            assert!(summary.is_complete());
            for kind in vemsync::kinds::KINDS {
                assert_recent(&simulator, &database, kind).await;
            }
        }
    }
}

#[tokio::test]
async fn a_narrow_pass_reads_a_busy_hour_once() {
    for database in both().await {
        let mut world = World::empty(14);
        let server = world.add_server("busy.example.org", None);
        world.set_collection_secs(server, 0);
        // All of them start and end within the hour; and two that started long before: one ends in it, one runs on.
        for n in 0..600 {
            let creation = start() - TimeDelta::minutes(55) + TimeDelta::seconds(5 * n);
            world.add_session(Kind::BackupTaskSession, server, creation, TimeDelta::minutes(3));
        }
        let long_ago = start() - TimeDelta::hours(9);
        let ended = world.add_session(Kind::BackupTaskSession, server, long_ago, TimeDelta::minutes(9 * 60 - 10));
        let running = world.add_session(Kind::BackupTaskSession, server, long_ago, TimeDelta::hours(10));
        let simulator = simulate(world).await;
        let options = vemsync::sync::Options { page_size: 50, ..options() };
        let summary = pass(&simulator, &database, &options, Mode::Narrow).await.expect("a pass");
        assert!(summary.is_complete(), "{summary:#?}");
        assert_eq!(database.number("select count(*) from backup_task_sessions").await, 602);
        for uid in [ended, running] {
            let one = format!("select count(*) from backup_task_sessions where uid = '{uid}'");
            assert_eq!(database.number(&one).await, 1);
        }
        let tasks = summary.kinds.iter().find(|kind| kind.kind == "BackupTaskSession").expect("its type");
        assert!((13..=22).contains(&tasks.reads), "{} reads of 12 pages", tasks.reads);
    }
}

#[tokio::test]
async fn a_narrow_pass_takes_what_began_in_the_second_that_it_begins_with() {
    for database in both().await {
        let simulator = simulate(fleet(13)).await;
        simulator.with_world(|world| {
            world.set_collection_secs(0, 0);
            let hour_ago = start() - TimeDelta::hours(1) + TimeDelta::milliseconds(1);
            for kind in [Kind::BackupTaskSession, Kind::RestoreSession] {
                world.add_session(kind, 0, hour_ago, TimeDelta::minutes(5));
            }
        });
        let summary = pass(&simulator, &database, &options(), Mode::Narrow).await.expect("a pass");
        assert!(summary.is_complete(), "{summary:#?}");
    }
}

/// What began within the hour is there, and whatever is there is as the source has it.
async fn assert_recent(simulator: &Simulator, database: &Database, kind: &'static SessionKind) {
    let found = database.entity(kind.table, kind.columns, false).await;
    let hour_ago = vemsync::timestamp::format(simulator.now() - TimeDelta::hours(1));
    for expected in simulator.expected(kind.name) {
        let stored = found.iter().find(|row| row["uid"] == expected["uid"]);
        let is_recent = expected["creation_time"].as_deref() >= Some(hour_ago.as_str());
        assert!(stored.is_some() || !is_recent, "{} lacks {expected:#?}", kind.table);
        if let Some(stored) = stored {
            for column in ["state", "result", "end_time"] {
                assert_eq!(stored[column], expected[column], "{} {expected:#?}", kind.table);
            }
        }
    }
}

#[tokio::test]
async fn the_floor_is_kept_and_history_comes_with_backfill() {
    for database in both().await {
        let simulator = simulate(fleet(9)).await;
        let short = vemsync::sync::Options { backfill: Backfill::For(TimeDelta::days(2)), ..options() };
        sync_with(&simulator, &database, &short).await.expect("a sync");
        let floor = vemsync::timestamp::format(start() - TimeDelta::days(2));
        let old = database
            .number(&format!(
                "select count(*) from restore_sessions where creation_time < '{floor}' and end_time is not null"
            ))
            .await;
        assert_eq!(old, 0, "rows below the floor");

        let store = database.open().await;
        let syncer = connect(&manager(&simulator), store.clone()).await.expect("a connection");
        let range = HistoryRange { since: start() - TimeDelta::days(20), until: start(), again: false };
        let summary = syncer.pass(Mode::Backfill(range), &options()).await.expect("a backfill");
        assert!(summary.is_complete(), "{summary:#?}");
        assert_equal(&simulator, &database).await;
        // All of it is done now, so that nothing is asked for but what --again asks for.
        let again = syncer.pass(Mode::Backfill(range), &options()).await.expect("a backfill");
        assert_eq!(again.requests, 0);
        let before = snapshot(&database).await;
        let again =
            syncer.pass(Mode::Backfill(HistoryRange { again: true, ..range }), &options()).await.expect("a backfill");
        assert!(again.requests > 8);
        assert!(before == snapshot(&database).await, "an unchanged row was written");
        syncer.log_off().await;
        store.close().await;
    }
}

#[tokio::test]
async fn a_backfill_of_odd_ranges_leaves_the_next_sync_whole() {
    for database in both().await {
        let simulator = simulate(fleet(12)).await;
        let store = database.open().await;
        let syncer = connect(&manager(&simulator), store.clone()).await.expect("a connection");
        let at = |text: &str| chrono::DateTime::parse_from_rfc3339(text).expect("a time").to_utc();
        for (since, until) in [
            ("1500-01-01T00:00:00Z", "1600-01-01T00:00:00Z"),
            ("1960-01-01T00:00:00Z", "2030-01-01T00:00:00Z"),
            ("2040-01-01T00:00:00Z", "2041-01-01T00:00:00Z"),
        ] {
            let range = HistoryRange { since: at(since), until: at(until), again: false };
            assert!(syncer.pass(Mode::Backfill(range), &options()).await.expect("a backfill").is_complete());
        }
        syncer.log_off().await;
        store.close().await;
        simulator.advance(TimeDelta::hours(5));
        sync(&simulator, &database).await;
        assert_equal(&simulator, &database).await;
        // What was still to come then is not taken for read.
        let future =
            format!("select count(*) from sync_backfills where range_end > '{}'", start() + TimeDelta::days(1));
        assert_eq!(database.number(&future).await, 0);
    }
}

#[tokio::test]
async fn a_single_kind_can_be_read_alone() {
    for database in both().await {
        let simulator = simulate(fleet(10)).await;
        let kind = vemsync::kinds::kind("replicatasksession").expect("a kind");
        let alone = vemsync::sync::Options { kinds: vec![kind], ..options() };
        let summary = sync_with(&simulator, &database, &alone).await.expect("a sync");
        assert!(summary.is_complete());
        assert_eq!(database.number("select count(*) from replica_job_sessions").await, 0);
        assert_eq!(
            database.number("select count(*) from replica_task_sessions").await,
            i64::try_from(simulator.expected(kind.name).len()).expect("a count")
        );
        // Their jobs come with the job sessions, later.
        sync(&simulator, &database).await;
        assert_equal(&simulator, &database).await;
    }
}

#[tokio::test]
async fn the_session_is_ended_and_only_ours() {
    let simulator = simulate(fleet(11)).await;
    let database = Database::sqlite();
    let store = database.open().await;
    let other = connect(&manager(&simulator), store.clone()).await.expect("a connection");
    sync(&simulator, &database).await;
    assert_eq!(simulator.logon_count(), 1, "the other client's session must live on");
    other.log_off().await;
    assert_eq!(simulator.logon_count(), 0);
    store.close().await;
}
