//! What goes wrong on the way, and that nothing is lost by it.

use chrono::TimeDelta;
use vemsync::simulator::{Broken, Fault, Faults, FleetOptions, Kind, World};

use crate::support::database::both;
use crate::support::world::{assert_equal, options, simulate, snapshot, start, sync, sync_with};

fn fleet(seed: u64) -> World {
    World::fleet(seed, &FleetOptions::small(start()))
}

#[tokio::test]
async fn a_fifth_of_all_requests_fails() {
    for database in both().await {
        let simulator = simulate(fleet(21)).await;
        simulator.set_faults(Faults { logon_too: true, ..Faults::transient(21, 0.2) });
        sync(&simulator, &database).await;
        assert_equal(&simulator, &database).await;
        simulator.advance(TimeDelta::hours(8));
        sync(&simulator, &database).await;
        assert_equal(&simulator, &database).await;
    }
}

/// Each of these answers must be rejected, tried again, and in the end fail one kind, by name, and no other.
#[tokio::test]
async fn an_answer_that_cannot_be_believed_fails_its_kind_alone() {
    for fault in [
        Fault::TruncatedXml,
        Fault::NoPagingInfo,
        Fault::WrongPage,
        Fault::Doctype,
        Fault::LoginPage,
        Fault::EmptyBody,
        Fault::TruncatedBody,
        Fault::Reset,
        Fault::ServerError,
        Fault::TooManyRequests(Some(1)),
        Fault::Forbidden,
    ] {
        for database in both().await {
            let simulator = simulate(fleet(22)).await;
            simulator.fail_next("type=RestoreSession", 1000, fault.clone());
            let summary = sync_with(&simulator, &database, &options()).await.expect("the others go on");
            assert!(!summary.is_complete());
            for outcome in &summary.kinds {
                assert_eq!(outcome.result.is_err(), outcome.kind == "RestoreSession", "{fault:?}: {outcome:?}");
            }
            assert_eq!(database.number("select count(*) from restore_sessions").await, 0, "{fault:?}");
            assert_eq!(database.number("select count(*) from sync_marks where kind = 'RestoreSession'").await, 0);
            // The next run goes on.
            simulator.clear_faults();
            sync(&simulator, &database).await;
            assert_equal(&simulator, &database).await;
        }
    }
}

#[tokio::test]
async fn mark_does_not_pass_a_rejected_window() {
    for database in both().await {
        let simulator = simulate(fleet(23)).await;
        sync(&simulator, &database).await;
        let marks = "select cast(mark as text) from sync_marks where kind = 'BackupTaskSession' order by backup_server_uid, field";
        let before = database.column(marks).await;
        simulator.advance(TimeDelta::hours(10));
        simulator.fail_next("type=BackupTaskSession", 1000, Fault::NoPagingInfo);
        let summary = sync_with(&simulator, &database, &options()).await.expect("the others go on");
        assert!(!summary.is_complete());
        assert_eq!(before, database.column(marks).await);
        simulator.clear_faults();
        sync(&simulator, &database).await;
        assert_equal(&simulator, &database).await;
        assert_ne!(before, database.column(marks).await);
    }
}

#[tokio::test]
async fn an_empty_list_in_place_of_rows_loses_nothing() {
    for database in both().await {
        let simulator = simulate(fleet(24)).await;
        sync(&simulator, &database).await;
        simulator.advance(TimeDelta::hours(5));
        for kind in ["BackupTaskSession", "ReplicaJobSession"] {
            simulator.fail_next(&format!("type={kind}"), 2, Fault::EmptyList);
            simulator.fail_next(&format!("type={kind}"), 2, Fault::NoEntities);
        }
        sync_with(&simulator, &database, &options()).await.expect("a sync");
        simulator.clear_faults();
        sync(&simulator, &database).await;
        assert_equal(&simulator, &database).await;
    }
}

#[tokio::test]
async fn one_bad_record_is_kept_aside_and_its_page_is_stored() {
    for database in both().await {
        let simulator = simulate(fleet(25)).await;
        let at = start() - TimeDelta::hours(4);
        simulator.with_world(|world| {
            for broken in [Broken::NoUid, Broken::NoCreationTime, Broken::YearOne] {
                world.add_broken(Kind::BackupTaskSession, 0, at, broken);
                world.add_broken(Kind::RestoreSession, 0, at, broken);
            }
        });
        let summary = sync(&simulator, &database).await;
        assert_equal(&simulator, &database).await;
        let rejects = database.query("select kind, reason, raw from sync_rejects order by kind, reason").await;
        assert!(rejects.len() >= 4, "{rejects:#?}");
        let rejected: u64 = summary.kinds.iter().map(|kind| kind.counts.rejected).sum();
        assert!(rejected >= 4);
        for reject in &rejects {
            let raw = reject[2].as_deref().expect("raw text");
            assert!(raw.starts_with('<') && raw.ends_with('>') && raw.contains("Session"), "{raw}");
        }
        // Seen again, they are counted and not doubled.
        sync(&simulator, &database).await;
        assert_eq!(
            database.number("select count(*) from sync_rejects").await,
            i64::try_from(rejects.len()).expect("few")
        );
        assert!(database.number("select max(times) from sync_rejects").await > 1);
    }
}

#[tokio::test]
async fn a_type_that_the_server_does_not_know_is_no_failure() {
    for database in both().await {
        let simulator = simulate(fleet(26)).await;
        simulator.set_unknown_types(&["CdpReplicaSession", "CdpReplicaTaskSession", "CdpPolicy"]);
        let summary = sync_with(&simulator, &database, &options()).await.expect("a sync");
        assert!(summary.is_complete(), "{summary:#?}");
        let unavailable: Vec<&str> =
            summary.kinds.iter().filter(|kind| kind.result.is_err()).map(|kind| kind.kind).collect();
        assert_eq!(unavailable, ["CdpPolicy", "CdpReplicaSession", "CdpReplicaTaskSession"]);
        simulator.set_unknown_types(&[]);
        sync(&simulator, &database).await;
        assert_equal(&simulator, &database).await;
    }
}

#[tokio::test]
async fn a_row_that_the_source_does_not_return_is_flagged_and_kept() {
    for database in both().await {
        let simulator = simulate(fleet(27)).await;
        let uid = simulator.with_world(|world| {
            world.set_collection_secs(0, 0);
            world.add_session(Kind::RestoreSession, 0, start() - TimeDelta::minutes(30), TimeDelta::hours(5))
        });
        sync(&simulator, &database).await;
        simulator.with_world(|world| world.remove(&[uid]));
        simulator.advance(TimeDelta::minutes(20));
        sync(&simulator, &database).await;
        let row = format!("from restore_sessions where uid = '{uid}'");
        assert_eq!(database.number(&format!("select count(*) {row} and source_missing_since is null")).await, 1);
        assert_eq!(database.column(&format!("select state {row}")).await, [Some("Working".to_owned())]);
        let flag = format!("select count(*) from sync_rereads where uid = '{uid}' and absent_since is not null");
        assert_eq!(database.number(&flag).await, 1);
    }
}

#[tokio::test]
async fn a_lagging_answer_never_turns_a_final_row_back() {
    for database in both().await {
        let simulator = simulate(fleet(28)).await;
        sync(&simulator, &database).await;
        let before = snapshot(&database).await;
        // The source shows an hour ago: rows that have ended since are running again there.
        simulator.advance(TimeDelta::hours(-1));
        sync_with(&simulator, &database, &options()).await.expect("a sync");
        let final_rows = |tables: &[(&str, Vec<crate::support::database::Row>)]| {
            tables
                .iter()
                .flat_map(|(_, rows)| rows)
                .filter(|row| {
                    row["end_time"].is_some() && matches!(row["state"].as_deref(), Some("Stopped" | "Completed"))
                })
                .cloned()
                .collect::<Vec<_>>()
        };
        assert!(final_rows(&before) == final_rows(&snapshot(&database).await), "a final row was turned back");
        simulator.advance(TimeDelta::hours(1));
        sync(&simulator, &database).await;
        assert_equal(&simulator, &database).await;
    }
}

#[tokio::test]
async fn a_logon_that_never_lasts_ends_the_pass_at_once() {
    for database in both().await {
        let simulator = simulate(fleet(29)).await;
        simulator.set_token_life(vemsync::simulator::TokenLife::Absolute(std::time::Duration::ZERO));
        let error = sync_with(&simulator, &database, &options()).await.expect_err("nothing can be read");
        assert!(error.to_string().contains("BackupServer"), "{error}");
        let logons = simulator.requests().iter().filter(|request| request.method == "POST").count();
        assert_eq!(logons, 6, "the first logon and five renewals, for all kinds together");
    }
}

#[tokio::test]
async fn unreadable_records_do_not_hold_up_a_crowded_second_or_a_page_of_one() {
    for database in both().await {
        let simulator = simulate(fleet(30)).await;
        let second = start() - TimeDelta::hours(6);
        simulator.with_world(|world| {
            world.add_burst(Kind::RestoreSession, 0, second, 130);
            for broken in [Broken::NoUid, Broken::NoCreationTime, Broken::YearOne] {
                world.add_broken(Kind::RestoreSession, 0, second, broken);
            }
        });
        let small = vemsync::sync::Options { page_size: 50, ..options() };
        let summary = sync_with(&simulator, &database, &small).await.expect("a sync");
        assert!(summary.is_complete(), "{summary:#?}");
        assert_equal(&simulator, &database).await;
        simulator.with_world(|world| {
            world.add_broken(Kind::RestoreSession, 1, start() + TimeDelta::hours(1), Broken::NoCreationTime)
        });
        simulator.advance(TimeDelta::hours(2));
        let restores = vemsync::kinds::kind("RestoreSession").expect("a kind");
        let one = vemsync::sync::Options { page_size: 1, kinds: vec![restores], ..options() };
        let summary = sync_with(&simulator, &database, &one).await.expect("a sync");
        assert!(summary.is_complete(), "{summary:#?}");
    }
}
