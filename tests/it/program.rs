//! The program as its users run it: exit statuses, one clear line an error, and kills at any moment.

use std::time::Duration;

use chrono::TimeDelta;
use vemsync::simulator::{Fault, Faults, FleetOptions, World};

use crate::support::database::{Database, both, postgres_url};
use crate::support::program::{Place, run, signal, start as start_program, wait};
use crate::support::world::{assert_equal, simulate, start};

fn fleet(seed: u64) -> World {
    World::fleet(seed, &FleetOptions::small(start()))
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_five_kills_lose_nothing() {
    for database in both().await {
        let simulator = simulate(fleet(41)).await;
        let place = Place::new("demo");
        // Every answer takes a while, so that a kill finds something to interrupt.
        let slow = Faults { rates: vec![(Fault::Hang(Duration::from_millis(25)), 1.0)], ..Faults::default() };
        simulator.set_faults(slow);
        fastrand::seed(41);
        let mut killed = 0;
        for round in 0..25 {
            let child = start_program(place.against(simulator.url(), &database, &["sync", "--page-size", "20"]));
            tokio::time::sleep(Duration::from_millis(fastrand::u64(10..450))).await;
            signal(&child, "KILL");
            killed += usize::from(wait(child).await.status.is_none());
            if round == 12 {
                simulator.advance(TimeDelta::hours(5));
            }
        }
        assert!(killed > 12, "only {killed} of the kills came in time");
        simulator.clear_faults();
        let ended = run(place.against(simulator.url(), &database, &["sync"])).await;
        assert_eq!(ended.status, Some(0), "{ended:?}");
        assert_equal(&simulator, &database).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_account_is_asked_once_a_run() {
    let database = Database::sqlite();
    let simulator = simulate(fleet(42)).await;
    let wrong = Place::new("wrong");
    for runs in 1..=2 {
        let ended = run(wrong.against(simulator.url(), &database, &["sync"])).await;
        assert_eq!(ended.status, Some(3), "{ended:?}");
        assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
        assert!(ended.err.contains("refused the account"), "{}", ended.err);
        let logons = simulator.requests().iter().filter(|request| request.method == "POST").count();
        assert_eq!(logons, runs, "one logon a run");
    }
    let check = run(wrong.against(simulator.url(), &database, &["check"])).await;
    assert_eq!(check.status, Some(3), "{check:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_enterprise_manager_gets_no_password_and_no_token() {
    let database = Database::sqlite();
    let place = Place::new("demo");
    let simulator = simulate(fleet(43)).await;
    simulator.fail_next("GET /api/", 1000, Fault::LoginPage);
    let ended = run(place.against(simulator.url(), &database, &["sync"])).await;
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.err.contains("is no Enterprise Manager") && ended.err.contains("HTML page"), "{}", ended.err);
    assert!(simulator.requests().iter().all(|request| request.method == "GET"), "the password was sent");

    let sink = simulate(fleet(43)).await;
    let elsewhere = simulate(fleet(43)).await;
    for path in ["GET /api/", "POST /api/sessionMngr", "type=BackupServer", "type=RestoreSession"] {
        elsewhere.clear_faults();
        elsewhere.fail_next(path, 1000, Fault::Redirect(format!("{}/api/", sink.url())));
        let ended = run(place.against(elsewhere.url(), &database, &["sync"])).await;
        assert_eq!(ended.status, Some(1), "{path}: {ended:?}");
        assert!(format!("{}{}", ended.err, ended.out).contains("redirect"), "{path}: {ended:?}");
    }
    assert_eq!(sink.requests().len(), 0, "a redirect was followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_at_the_address_is_one_line() {
    let database = Database::sqlite();
    let ended = run(Place::new("demo").against("http://127.0.0.1:9", &database, &["sync"])).await;
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
    assert!(ended.err.contains("cannot connect to 127.0.0.1:9"), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_used_is_status_four() {
    let simulator = simulate(fleet(44)).await;
    let place = Place::new("demo");
    let mut down = Database::sqlite();
    down.url = "postgres://nobody@127.0.0.1:9/none".to_owned();
    let mut folder = Database::sqlite();
    folder.url = format!("sqlite:{}", place.folder.path().display());
    let mut garbage = Database::sqlite();
    garbage.url = format!("sqlite:{}", place.path("garbage.db").display());
    std::fs::write(place.path("garbage.db"), "this is no database, and long enough to be seen as none".repeat(100))
        .expect("a file");
    for database in [&down, &folder, &garbage] {
        let ended = run(place.against(simulator.url(), database, &["sync"])).await;
        assert_eq!(ended.status, Some(4), "{ended:?}");
        assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
    }
    assert_eq!(simulator.requests().len(), 0, "the source was asked before the database was known to work");

    let read_only = Database::postgres().await;
    assert_eq!(run(place.against(simulator.url(), &read_only, &["sync"])).await.status, Some(0));
    let name = read_only.url.rsplit('/').next().expect("a name").to_owned();
    let mut server = Database::postgres().await;
    server.url = postgres_url();
    server.execute(&format!("alter database {name} set default_transaction_read_only = on")).await;
    simulator.advance(TimeDelta::hours(2));
    let ended = run(place.against(simulator.url(), &read_only, &["sync"])).await;
    assert_eq!(ended.status, Some(4), "{ended:?}");
    assert!(ended.err.contains("read-only"), "{}", ended.err);
    server.execute(&format!("alter database {name} reset default_transaction_read_only")).await;
    assert_eq!(run(place.against(simulator.url(), &read_only, &["sync"])).await.status, Some(0));
    assert_equal(&simulator, &read_only).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_stops_cleanly_and_a_sync_says_that_it_was_interrupted() {
    for database in both().await {
        let simulator = simulate(fleet(45)).await;
        let place = Place::new("demo");
        let daemon = start_program(place.against(
            simulator.url(),
            &database,
            &["run", "--interval", "1s", "--listen", "127.0.0.1:0"],
        ));
        for _ in 0..300 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if simulator.requests().iter().filter(|request| request.path.ends_with("/query")).count() > 60 {
                break;
            }
        }
        signal(&daemon, "TERM");
        let ended = wait(daemon).await;
        assert_eq!(ended.status, Some(0), "{ended:?}");
        assert!(ended.err.contains("stopped"), "{}", ended.err);
        assert_eq!(simulator.logon_count(), 0, "it did not log off");
        assert_eq!(run(place.against(simulator.url(), &database, &["sync"])).await.status, Some(0));
        assert_equal(&simulator, &database).await;

        simulator.fail_next("/query", 1000, Fault::Hang(Duration::from_secs(2)));
        let sync = start_program(place.against(simulator.url(), &database, &["sync"]));
        tokio::time::sleep(Duration::from_millis(700)).await;
        signal(&sync, "INT");
        assert_eq!(wait(sync).await.status, Some(130));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_demo_adds_nothing_and_says_so() {
    let place = Place::new("demo");
    let first = run(place.command(&["demo"])).await;
    assert_eq!(first.status, Some(0), "{first:?}");
    assert!(first.out.contains("rows added") && first.out.contains("vemsync-demo.db"), "{}", first.out);
    let second = run(place.command(&["demo"])).await;
    assert_eq!(second.status, Some(0), "{second:?}");
    assert!(second.out.contains("nothing new since the last run"), "{}", second.out);
    let status = run(place.command(&["status", "--json", "--database", "sqlite:vemsync-demo.db"])).await;
    let json: serde_json::Value = serde_json::from_str(&status.out).expect("JSON");
    assert_eq!(json[0]["name"], "demo");
    assert_eq!(json[0]["kinds"].as_array().map(Vec::len), Some(8));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_records_once_who_asked_for_its_failovers() {
    for database in both().await {
        let demo = async || {
            let ended = run(Place::new("demo").command(&["demo", "--database", &database.url])).await;
            assert_eq!(ended.status, Some(0), "{ended:?}");
            let audit = "select distinct action, requested_by, reason, task_id, result from failover_audit \
                         where plan_name = 'Head office failover' and requested_at < start_time order by action";
            let events = "select operation_id || ' ' || state from failover_events order by id";
            (database.query(audit).await, database.column(events).await)
        };
        let (audit, events) = demo().await;
        let row = |texts: [&str; 5]| texts.map(|text| Some(text.to_owned())).to_vec();
        let flood = row(["start", "demo", "Flood in the server room", "task-2", "Warning"]);
        assert_eq!(audit, [flood, row(["test", "demo", "Quarterly exercise", "task-1", "Success"])]);
        assert_eq!(demo().await, (audit.clone(), events.clone()));

        // One that was killed between two steps is completed.
        for undo in [
            "update failover_operations set state = 'sending', task_id = null, session_uid = null, result = null \
             where id = 2 returning cast(id as text)",
            "delete from failover_events where operation_id = 2 and state in ('accepted', 'running', 'finished') \
             returning cast(id as text)",
        ] {
            assert!(!database.query(undo).await.is_empty());
        }
        assert_eq!(demo().await, (audit, events));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_backfill_counts_and_a_real_one_reads() {
    let database = Database::sqlite();
    let simulator = simulate(fleet(46)).await;
    let place = Place::new("demo");
    let dry = run(place.against(simulator.url(), &database, &["backfill", "--since", "2025-05-01", "--dry-run"])).await;
    assert_eq!(dry.status, Some(0), "{dry:?}");
    assert!(dry.out.contains("Nothing was read"), "{}", dry.out);
    assert_eq!(database.number("select count(*) from restore_sessions").await, 0);
    let real = run(place.against(simulator.url(), &database, &["backfill", "--since", "2025-05-01"])).await;
    assert_eq!(real.status, Some(0), "{real:?}");
    let rows = database.number("select count(*) from backup_task_sessions").await;
    assert!(
        dry.out.contains(&format!("BackupTaskSession {rows:>17}")) || dry.out.contains(&rows.to_string()),
        "{}",
        dry.out
    );
    let wrong =
        run(place.against(simulator.url(), &database, &["backfill", "--since", "2025-05-01", "--until", "2025-04-01"]))
            .await;
    assert_eq!(wrong.status, Some(2), "{wrong:?}");
    let wrong = run(place.against(simulator.url(), &database, &["verify", "--since", "2999-01-01"])).await;
    assert_eq!(wrong.status, Some(2), "{wrong:?}");
    assert!(wrong.err.contains("lies in the future"), "{}", wrong.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_records_can_be_listed_shown_and_replayed() {
    let database = Database::sqlite();
    let simulator = simulate(fleet(47)).await;
    let place = Place::new("demo");
    let at = start() - TimeDelta::hours(3);
    simulator.with_world(|world| {
        world.add_broken(vemsync::simulator::Kind::RestoreSession, 0, at, vemsync::simulator::Broken::NoCreationTime)
    });
    assert_eq!(run(place.against(simulator.url(), &database, &["sync"])).await.status, Some(0));
    let rejects = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        command.args(["--database", &database.url]);
        run(command)
    };
    let list = rejects(&["rejects", "list"]).await;
    assert!(list.out.contains("RestoreSession"), "{}", list.out);
    let id = database.number("select max(id) from sync_rejects").await.to_string();
    let show = rejects(&["rejects", "show", &id]).await;
    assert!(show.out.contains("<RestoreSession"), "{}", show.out);
    assert_eq!(rejects(&["rejects", "show", "999"]).await.status, Some(1));
    let kept = rejects(&["rejects", "replay"]).await;
    assert!(kept.out.starts_with("0 of"), "{}", kept.out);
    // What a later version could read, or someone mended by hand, is stored and forgotten.
    database
        .execute("update sync_rejects set raw = replace(raw, '</RestoreSession>', '<CreationTimeUTC>2025-06-01T00:00:00Z</CreationTimeUTC><State>Stopped</State></RestoreSession>')")
        .await;
    let before = database.number("select count(*) from sync_rejects").await;
    let replayed = rejects(&["rejects", "replay"]).await;
    let after = database.number("select count(*) from sync_rejects").await;
    assert!(after < before, "{}", replayed.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_variable_is_told_and_stops_nothing() {
    let simulator = simulate(fleet(50)).await;
    let place = Place::new("demo");
    let mut command = place.against(simulator.url(), &Database::sqlite(), &["sync"]);
    command.env("VEMSYNC_PAGESIZE", "50").env("VEMSYNC_INTERVAL", "50s");
    let ended = run(command).await;
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let told: Vec<&str> = ended.err.lines().filter(|line| line.contains("VEMSYNC_")).collect();
    assert!(matches!(told[..], [line] if line.ends_with("did you mean VEMSYNC_PAGE_SIZE?")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_made_is_said_before_and_when_it_is_needed() {
    let simulator = simulate(fleet(48)).await;
    let place = Place::new("demo");
    let mut nowhere = Database::sqlite();
    nowhere.url = format!("sqlite:{}", place.path("no/such/folder/x.db").display());
    // The clock of this world is wrong, too, which `check` says first.
    for (command, status) in [("check", 1), ("sync", 4)] {
        let ended = run(place.against(simulator.url(), &nowhere, &[command])).await;
        assert_eq!(ended.status, Some(status), "{ended:?}");
        let said = format!("{}{}", ended.out, ended.err);
        assert!(said.contains("x.db cannot be written: make its folder"), "{said}");
        assert!(said.contains("No such file or directory"), "{said}");
    }
}

/// A service of another account has to go on with what root has made at a shell.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn what_root_makes_belongs_to_whom_the_folder_belongs() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let simulator = simulate(fleet(49)).await;
    let place = Place::new("demo");
    let state = place.path("service");
    std::fs::create_dir(&state).expect("a folder");
    // Only root may give files away; to anyone else, all of it belongs anyway.
    let owner =
        if chown(&state, Some(65_534), Some(65_534)).is_ok() { 65_534 } else { state.metadata().expect("it").uid() };
    let mut database = Database::sqlite();
    database.url = format!("sqlite:{}", state.join("state/x.db").display());
    for _ in 0..2 {
        assert_eq!(run(place.against(simulator.url(), &database, &["sync"])).await.status, Some(0));
        let made: Vec<_> =
            std::fs::read_dir(state.join("state")).expect("a list").map(|file| file.expect("a file")).collect();
        assert!(made.len() >= 3, "{made:?}");
        for file in made {
            assert_eq!(file.metadata().expect("its owner").uid(), owner, "{file:?}");
        }
    }
}
