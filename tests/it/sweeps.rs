//! Sweeps and `verify`: what was missed is found and mended, what is gone is proven before it is marked, and a source
//! that went back is read again.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;
use vemsync::simulator::{Kind, Options as SimulatorOptions, Simulator, World};
use vemsync::store::SweepScope;
use vemsync::sync::{Comparison, DayCount, Options, SweepSummary};

use crate::support::database::{Database, both};
use crate::support::world::{
    assert_equal, connect, manager, options, simulate, simulate_with, snapshot, start, sync, sync_with,
};

fn fleet(seed: u64) -> World {
    World::fleet(seed, &vemsync::simulator::FleetOptions::small(start()))
}

async fn verify(simulator: &Simulator, database: &Database, repair: bool) -> SweepSummary {
    compare(simulator, database, Comparison { since: None, stores: repair, accepts_missing: false }).await
}

async fn compare(simulator: &Simulator, database: &Database, comparison: Comparison) -> SweepSummary {
    let store = database.open().await;
    let syncer = connect(&manager(simulator), store.clone()).await.expect("a connection");
    let summary = syncer.verify(comparison, &options()).await.expect("a comparison");
    syncer.log_off().await;
    store.close().await;
    assert!(summary.is_finished(), "{summary:#?}");
    summary
}

async fn sweep(simulator: &Simulator, database: &Database, scope: SweepScope, requests: Option<u64>) -> SweepSummary {
    sweep_with(simulator, database, scope, requests, &options()).await
}

async fn sweep_with(
    simulator: &Simulator,
    database: &Database,
    scope: SweepScope,
    requests: Option<u64>,
    options: &Options,
) -> SweepSummary {
    let store = database.open().await;
    let syncer = connect(&manager(simulator), store.clone()).await.expect("a connection");
    let summary = syncer.sweep(scope, options, requests).await.expect("a sweep");
    syncer.log_off().await;
    store.close().await;
    summary
}

async fn due(simulator: &Simulator, database: &Database) -> Vec<SweepScope> {
    let store = database.open().await;
    let syncer = connect(&manager(simulator), store.clone()).await.expect("a connection");
    let due = syncer.due_sweeps(&options()).await.expect("an answer");
    syncer.log_off().await;
    store.close().await;
    due
}

fn total(summary: &SweepSummary, kind: &str) -> DayCount {
    let mut total = DayCount::default();
    for outcome in summary.kinds.iter().filter(|outcome| outcome.kind == kind) {
        outcome.days.values().for_each(|day| total.add(*day));
    }
    total
}

async fn uids(database: &Database, table: &str, condition: &str, limit: usize) -> Vec<Uuid> {
    let query = format!("select cast(uid as text) from {table} where {condition} order by uid limit {limit}");
    let found = database.column(&query).await.into_iter().flatten().map(|uid| uid.parse().expect("a GUID"));
    found.collect()
}

fn list(uids: &[Uuid]) -> String {
    uids.iter().map(|uid| format!("'{uid}'")).collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn what_was_deleted_or_altered_by_hand_is_found_and_mended() {
    for database in both().await {
        let simulator = simulate(fleet(301)).await;
        sync(&simulator, &database).await;
        let clean = verify(&simulator, &database, false).await;
        assert!(clean.is_equal(), "{clean:#?}");

        let rows = database.number("select count(*) from backup_task_sessions").await.cast_unsigned();
        let deleted = uids(&database, "backup_task_sessions", "true", 7).await;
        let altered = uids(&database, "backup_task_sessions", "result = 'Success' and total_size_bytes > 0", 20).await;
        let altered: Vec<Uuid> = altered.into_iter().filter(|uid| !deleted.contains(uid)).take(5).collect();
        assert_eq!((deleted.len(), altered.len()), (7, 5));
        database.execute(&format!("delete from backup_task_sessions where uid in ({})", list(&deleted))).await;
        database
            .execute(&format!("update backup_task_sessions set total_size_bytes = 1 where uid in ({})", list(&altered)))
            .await;
        database
            .execute("update cloud_failover_task_sessions set vm_name = 'someone else' where task_position = 1")
            .await;
        let owners =
            "select count(distinct session_uid) from cloud_failover_task_sessions where vm_name = 'someone else'";
        let owners = database.number(owners).await.cast_unsigned();
        assert!(owners > 0);

        for _ in 0..2 {
            let found = verify(&simulator, &database, false).await;
            assert!(!found.is_equal());
            let tasks = total(&found, "BackupTaskSession");
            assert_eq!(
                tasks,
                DayCount { equal: rows - 12, missing: 7, different: 5, unproven: 0, gone: 0 },
                "nothing is stored without --repair"
            );
            assert_eq!(total(&found, "CloudFailoverSession").different, owners);
            assert_eq!(total(&found, "RestoreSession").missing, 0);
        }
        verify(&simulator, &database, true).await;
        let mended = verify(&simulator, &database, false).await;
        assert!(mended.is_equal(), "{mended:#?}");
        assert_equal(&simulator, &database).await;
    }
}

#[tokio::test]
async fn what_was_purged_stays_and_is_no_difference_once_it_is_proven() {
    for database in both().await {
        let simulator = simulate(fleet(302)).await;
        sync(&simulator, &database).await;
        let before = snapshot(&database).await;
        simulator.with_world(|world| world.set_retention_days(Some(1)));
        let first = verify(&simulator, &database, false).await;
        assert!(!first.is_equal());
        let unproven = total(&first, "BackupTaskSession").unproven;
        assert!(unproven > 0 && total(&first, "BackupTaskSession").gone == 0);
        let second = verify(&simulator, &database, false).await;
        assert!(second.is_equal(), "{second:#?}");
        assert_eq!(total(&second, "BackupTaskSession").gone, unproven);
        assert_eq!(total(&second, "BackupTaskSession").unproven, 0);
        let marked = "select count(*) from backup_task_sessions where source_missing_since is not null";
        assert_eq!(database.number(marked).await.cast_unsigned(), unproven);
        let third = verify(&simulator, &database, false).await;
        assert!(third.is_equal());
        assert_eq!(database.number(marked).await.cast_unsigned(), unproven);
        let mut after = snapshot(&database).await;
        after.iter_mut().flat_map(|(_, rows)| rows).for_each(|row| drop(row.insert("source_missing_since", None)));
        assert!(before == after, "nothing is deleted, and no other value moves");
        // What comes back loses the mark, and that is no change of the row either.
        simulator.with_world(|world| world.set_retention_days(None));
        sync(&simulator, &database).await;
        let back = verify(&simulator, &database, false).await;
        assert!(back.is_equal(), "{back:#?}");
        assert_eq!(total(&back, "BackupTaskSession").gone, 0);
        assert_eq!(database.number(marked).await, 0);
        assert!(before == snapshot(&database).await);
    }
}

#[tokio::test]
async fn a_few_rows_gone_from_among_others_are_proven_by_identity_and_many_are_not() {
    for database in both().await {
        let simulator = simulate(fleet(303)).await;
        sync(&simulator, &database).await;
        let ended = "end_time is not null and creation_time < (select max(creation_time) from restore_sessions)";
        let few = uids(&database, "restore_sessions", ended, 2).await;
        let many = uids(&database, "backup_task_sessions", "true", 120).await;
        simulator.with_world(|world| {
            world.remove(&few);
            world.remove(&many);
        });
        let first = verify(&simulator, &database, false).await;
        assert_eq!(total(&first, "RestoreSession").unproven, 2);
        let second = verify(&simulator, &database, false).await;
        assert_eq!(total(&second, "RestoreSession").gone, 2);
        assert_eq!(total(&second, "BackupTaskSession").gone, 0, "a mass of rows is not marked at once");
        assert_eq!(total(&second, "BackupTaskSession").unproven, 120);
        let tasks = second.kinds.iter().find(|kind| kind.kind == "BackupTaskSession").expect("the kind");
        assert!(tasks.unproven.as_ref().is_some_and(|reason| reason.contains("too many")), "{tasks:#?}");
        let accepting = Comparison { since: None, stores: false, accepts_missing: true };
        let third = compare(&simulator, &database, accepting).await;
        assert_eq!(total(&third, "BackupTaskSession").gone, 120, "unless a person says so");
        assert!(third.is_equal(), "{third:#?}");
    }
}

#[tokio::test]
async fn what_was_never_read_is_not_equal() {
    for database in both().await {
        let simulator = simulate(fleet(311)).await;
        assert!(!verify(&simulator, &database, false).await.is_equal());
        let one = Options { kinds: vec![vemsync::kinds::kind("RestoreSession").expect("a kind")], ..options() };
        sync_with(&simulator, &database, &one).await.expect("a pass");
        let found = verify(&simulator, &database, true).await;
        assert!(!found.is_equal(), "{found:#?}");
    }
}

#[tokio::test]
async fn a_type_that_this_enterprise_manager_does_not_know_is_no_difference() {
    for database in both().await {
        let simulator = simulate(fleet(314)).await;
        simulator.set_unknown_types(&["CdpReplicaSession", "CdpReplicaTaskSession", "CdpPolicy"]);
        sync(&simulator, &database).await;
        let found = verify(&simulator, &database, false).await;
        assert!(found.is_equal(), "{found:#?}");
        assert_eq!(found.kinds.iter().filter(|kind| kind.is_unavailable()).count(), 2);
    }
}

#[tokio::test]
async fn rows_that_cannot_be_proven_do_not_hide_those_that_can() {
    for database in both().await {
        let simulator = simulate(fleet(315)).await;
        simulator.with_world(|world| {
            for minute in 0..5 {
                world.add_burst(Kind::RestoreSession, 1, start() - TimeDelta::minutes(9000 + minute), 500);
            }
        });
        sync(&simulator, &database).await;
        let (ours, other) = simulator.with_world(|world| (world.servers()[0].uid, world.servers()[1].uid));
        // The other server was removed long ago.
        simulator.with_world(|world| world.hide_servers(&[1], start(), start() + TimeDelta::days(30)));
        database
            .execute(&format!("update backup_servers set source_missing_since = updated_at where uid = '{other}'"))
            .await;
        let older = "end_time is not null and creation_time < (select max(creation_time) from restore_sessions)";
        let few = uids(&database, "restore_sessions", &format!("backup_server_uid = '{ours}' and {older}"), 2).await;
        simulator.with_world(|world| world.remove(&few));
        verify(&simulator, &database, false).await;
        let second = total(&verify(&simulator, &database, false).await, "RestoreSession");
        assert_eq!(second.gone, 2, "{second:?}");
        assert!(second.unproven >= 2500, "{second:?}");
    }
}

#[tokio::test]
async fn a_full_sweep_that_does_not_end_keeps_no_recent_one_waiting() {
    for database in both().await {
        let simulator = simulate(fleet(316)).await;
        sync(&simulator, &database).await;
        assert_eq!(due(&simulator, &database).await, []);
        sweep(&simulator, &database, SweepScope::Full, Some(1)).await;
        assert_eq!(due(&simulator, &database).await, [SweepScope::Full]);
        simulator.advance(TimeDelta::hours(7));
        assert_eq!(due(&simulator, &database).await, [SweepScope::Full, SweepScope::Recent]);
    }
}

#[tokio::test]
async fn rows_of_a_crowded_second_are_counted_once() {
    for database in both().await {
        let options = SimulatorOptions { shuffle_ties: true, ..SimulatorOptions::frozen(start()) };
        let simulator = simulate_with(fleet(312), options).await;
        let second = start() - TimeDelta::hours(30);
        simulator.with_world(|world| {
            for server in 0..3 {
                world.add_burst(Kind::BackupTaskSession, server, second, 900);
            }
        });
        sync(&simulator, &database).await;
        let rows = database.number("select count(*) from backup_task_sessions").await.cast_unsigned();
        let some = uids(&database, "backup_task_sessions", "true", 2700).await;
        database.execute(&format!("delete from backup_task_sessions where uid in ({})", list(&some[2600..]))).await;
        let found = total(&verify(&simulator, &database, false).await, "BackupTaskSession");
        assert_eq!(found, DayCount { equal: rows - 100, missing: 100, different: 0, unproven: 0, gone: 0 });
    }
}

#[tokio::test]
async fn a_service_that_lists_nothing_at_all_proves_nothing() {
    for database in both().await {
        let simulator = simulate(fleet(313)).await;
        sync(&simulator, &database).await;
        simulator.with_world(|world| world.set_retention_days(Some(0)));
        for _ in 0..3 {
            let found = verify(&simulator, &database, false).await;
            assert!(found.kinds.iter().all(|kind| kind.gone == 0), "{found:#?}");
            assert!(!found.is_equal());
        }
    }
}

#[tokio::test]
async fn a_row_that_came_later_than_the_overlap_is_found_and_widens_it() {
    for database in both().await {
        let simulator = simulate(fleet(304)).await;
        // With pages as small as this, no request reaches further back than it must.
        let small = Options { page_size: 30, ..options() };
        simulator.with_world(|world| {
            world.set_collection_secs(0, 60);
            world.add_session(Kind::BackupTaskSession, 0, start() - TimeDelta::minutes(10), TimeDelta::minutes(2))
        });
        sync_with(&simulator, &database, &small).await.expect("a sync");
        let late = simulator.with_world(|world| {
            world.add_late(Kind::BackupTaskSession, 0, start() - TimeDelta::hours(20), TimeDelta::hours(21))
        });
        simulator.advance(TimeDelta::minutes(90));
        simulator.with_world(|world| {
            world.add_session(Kind::BackupTaskSession, 0, start() + TimeDelta::minutes(80), TimeDelta::minutes(2))
        });
        sync_with(&simulator, &database, &small).await.expect("a sync");
        let stored = format!("select count(*) from backup_task_sessions where uid = '{late}'");
        assert_eq!(database.number(&stored).await, 0, "it is below what a pass reads");
        let summary = sweep(&simulator, &database, SweepScope::Recent, None).await;
        assert!(summary.is_finished());
        assert_eq!(database.number(&stored).await, 1);
        assert_equal(&simulator, &database).await;
        let found = "select cast(sum(rows_missing) as text), cast(max(max_lateness_seconds) as text) from sync_sweeps";
        let found = database.query(found).await;
        assert_eq!(found[0][0].as_deref(), Some("1"));
        let lateness: i64 = found[0][1].as_deref().and_then(|text| text.parse().ok()).expect("a lateness");
        assert!((21 * 3600..22 * 3600).contains(&lateness), "{lateness}");
        let server = simulator.with_world(|world| world.servers()[0].uid);
        let overlap = format!("select max(overlap_seconds) from sync_marks where backup_server_uid = '{server}'");
        assert_eq!(database.number(&overlap).await, 32 * 3600);
        assert_eq!(
            database.number("select min(overlap_seconds) from sync_marks").await,
            2 * 3600,
            "other servers keep theirs"
        );
        // The next pass keeps it.
        simulator.advance(TimeDelta::minutes(20));
        sync(&simulator, &database).await;
        assert_eq!(database.number(&overlap).await, 32 * 3600);
        // Of what is configured nothing stays.
        for hours in [4, 2] {
            let configured = Options { overlap: TimeDelta::hours(hours), ..options() };
            sync_with(&simulator, &database, &configured).await.expect("a sync");
            let least = database.number("select min(overlap_seconds) from sync_marks").await;
            assert_eq!((least, database.number(&overlap).await), (hours * 3600, 32 * 3600));
        }
    }
}

#[tokio::test]
async fn a_sweep_that_is_interrupted_goes_on_where_it_stopped() {
    for database in both().await {
        let simulator = simulate(fleet(305)).await;
        sync(&simulator, &database).await;
        let small = Options { page_size: 50, ..options() };
        let whole = sweep_with(&simulator, &database, SweepScope::Full, None, &small).await;
        simulator.advance(TimeDelta::seconds(1));
        let mut calls = 0;
        let mut requests = 0;
        loop {
            let part = sweep_with(&simulator, &database, SweepScope::Full, Some(3), &small).await;
            requests += part.requests;
            calls += 1;
            assert!(calls < 500, "it never ends");
            let unfinished = "select count(*) from sync_sweeps where finished_at is null";
            let done = "select count(distinct kind) from sync_sweeps where scope = 'full' and kind like '%Session'\n\
                        and started_at = (select max(started_at) from sync_sweeps)";
            if database.number(unfinished).await == 0 && database.number(done).await == 8 {
                break;
            }
        }
        assert!(calls > 5);
        assert!(requests <= whole.requests + 5 * calls, "{requests} against {}", whole.requests);
        let compared = "select cast(sum(rows_compared) as text) from sync_sweeps where kind = 'BackupTaskSession' group by started_at";
        let compared = database.column(compared).await;
        assert_eq!(compared[0], compared[1]);
    }
}

#[tokio::test]
async fn a_session_that_ends_and_one_that_runs_again_leave_a_trail() {
    for database in both().await {
        let simulator = simulate(fleet(306)).await;
        let begin = start() - TimeDelta::minutes(5);
        let uid = simulator.with_world(|world| {
            world.set_collection_secs(0, 0);
            world.add_session(Kind::BackupJobSession, 0, begin, TimeDelta::minutes(30))
        });
        sync(&simulator, &database).await;
        simulator.advance(TimeDelta::minutes(40));
        sync(&simulator, &database).await;
        let trail = format!(
            "select from_state, to_state, from_result, to_result from session_transitions where uid = '{uid}' order by id"
        );
        let ended = database.query(&trail).await;
        let last = ended.last().expect("an end").clone();
        assert_eq!((last[1].as_deref(), last[3].as_deref()), (Some("Stopped"), Some("Success")));

        // It runs again, for two days.
        simulator.with_world(|world| {
            world.edit(uid, |session| {
                session.end = session.creation.plus(TimeDelta::hours(60).num_seconds() * 10_000_000);
            })
        });
        let state = format!("select state from backup_job_sessions where uid = '{uid}'");
        for hours in [1, 1] {
            simulator.advance(TimeDelta::hours(hours));
            sync(&simulator, &database).await;
            assert_eq!(database.column(&state).await, [Some("Stopped".to_owned())], "one sweep is not enough");
            sweep(&simulator, &database, SweepScope::Full, None).await;
        }
        assert_ne!(database.column(&state).await, [Some("Stopped".to_owned())]);
        let reopened = database.query(&trail).await;
        let last = reopened.last().expect("a reopening");
        assert_eq!((last[0].as_deref(), reopened.len()), (Some("Stopped"), ended.len() + 1));
        assert_equal(&simulator, &database).await;
        simulator.advance(TimeDelta::hours(60));
        sync(&simulator, &database).await;
        assert_eq!(database.column(&state).await, [Some("Stopped".to_owned())]);
        assert_equal(&simulator, &database).await;
    }
}

#[tokio::test]
async fn a_server_that_was_away_for_three_days_is_complete_again() {
    for database in both().await {
        let simulator = simulate(fleet(307)).await;
        sync(&simulator, &database).await;
        simulator.with_world(|world| world.add_outage(0, start(), start() + TimeDelta::hours(72)));
        for _ in 0..10 {
            simulator.advance(TimeDelta::hours(8));
            sync(&simulator, &database).await;
        }
        assert_equal(&simulator, &database).await;
        assert!(verify(&simulator, &database, false).await.is_equal());
    }
}

/// What a restored Enterprise Manager collects again may carry new identities.
fn restore(world: &mut World, since: DateTime<Utc>) {
    let lost: Vec<(Kind, usize, DateTime<Utc>, Uuid)> = [Kind::BackupTaskSession, Kind::RestoreSession]
        .into_iter()
        .flat_map(|kind| {
            let rows = world.sessions(kind).filter(|session| session.creation.utc() >= since);
            rows.map(move |session| (kind, session.server, session.creation.utc(), session.uid)).collect::<Vec<_>>()
        })
        .collect();
    let gone: Vec<Uuid> = lost.iter().map(|(_, _, _, uid)| *uid).collect();
    world.remove(&gone);
    for (kind, server, creation, _) in lost {
        world.add_session(kind, server, creation, TimeDelta::minutes(3));
    }
}

#[tokio::test]
async fn a_source_that_was_restored_from_yesterdays_backup_is_read_again() {
    for database in both().await {
        let simulator = simulate(fleet(308)).await;
        sync(&simulator, &database).await;
        let stored = database.number("select count(*) from backup_task_sessions").await;
        simulator.with_world(|world| restore(world, start() - TimeDelta::hours(24)));
        simulator.advance(TimeDelta::minutes(30));
        sync(&simulator, &database).await;
        let expected = simulator.expected("BackupTaskSession");
        let missing = "select count(*) from backup_task_sessions where uid in";
        let list =
            expected.iter().map(|row| format!("'{}'", row["uid"].as_deref().expect("a UID"))).collect::<Vec<_>>();
        let found = database.number(&format!("{missing} ({})", list.join(", "))).await;
        assert_eq!(found, i64::try_from(list.len()).expect("few"), "all that the source has now is here");
        assert!(database.number("select count(*) from backup_task_sessions").await > stored, "and what it had stays");
        assert_eq!(database.number("select count(*) from enterprise_managers where went_back_at is not null").await, 1);
        let marked = "select count(*) from backup_task_sessions where source_missing_since is not null";
        for _ in 0..2 {
            simulator.advance(TimeDelta::hours(7));
            sweep(&simulator, &database, SweepScope::Recent, None).await;
            assert_eq!(database.number(marked).await, 0, "nothing is marked before a full sweep is done");
        }
    }
}

#[tokio::test]
async fn a_purge_and_a_deleted_session_are_no_source_that_went_back() {
    for database in both().await {
        let simulator = simulate(fleet(309)).await;
        sync(&simulator, &database).await;
        let newest =
            uids(&database, "restore_sessions", "creation_time = (select max(creation_time) from restore_sessions)", 1)
                .await;
        simulator.with_world(|world| {
            world.remove(&newest);
            world.set_retention_days(Some(1));
        });
        simulator.advance(TimeDelta::hours(3));
        sync(&simulator, &database).await;
        assert_eq!(database.number("select count(*) from enterprise_managers where went_back_at is not null").await, 0);
    }
}
