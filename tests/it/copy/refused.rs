//! What is refused, in one line, with nothing changed.

use super::*;

/// Refused, and the target is as it was.
async fn assert_refused(from: &Database, to: &Database, is_expected: impl Fn(&CopyError) -> bool) {
    let before = contents(to).await;
    let refused = copy_to(from, to).await.expect_err("a refusal");
    assert!(is_expected(&refused), "{refused:?}");
    assert!(before == contents(to).await, "the target has changed");
}

fn is_foreign(expected: &'static str) -> impl Fn(&CopyError) -> bool {
    move |error| matches!(error, CopyError::Foreign { table, .. } if *table == expected)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_with_another_history_is_left_alone() {
    for [from, to] in ways().await {
        let simulator = fleet(71, &from).await;
        // Another reading of the same Enterprise Manager: the same sessions under the same numbers.
        sync(&simulator, &to).await;
        assert_refused(&from, &to, is_foreign("enterprise_managers")).await;

        let place = Place::new("demo");
        let refused = run(place.command(&["copy", "--from", &from.url, "--to", &to.url])).await;
        assert_eq!(refused.status, Some(1), "{refused:?}");
        assert_eq!(refused.err.lines().count(), 1, "{}", refused.err);
        assert!(refused.err.contains("(1 in enterprise_managers, such as 1 "), "{refused:?}");

        // Not even its schema is touched.
        let newest = to.number("select max(version) from refinery_schema_history").await;
        to.execute(
            "delete from refinery_schema_history where version = (select max(version) from refinery_schema_history)",
        )
        .await;
        assert_refused(&from, &to, is_foreign("enterprise_managers")).await;
        assert_eq!(to.number("select max(version) from refinery_schema_history").await, newest - 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_went_on_by_itself_is_left_alone() {
    let uid = "eeeeeeee-0000-0000-0000-000000000001";
    let at = "'2025-06-01T00:00:00.000000Z'";
    for (table, values) in [
        (
            "restore_sessions (uid, em_id, creation_time, state, result, first_seen_at, updated_at)",
            format!("'{uid}', 1, {at}, 's', 'r', {at}, {at}"),
        ),
        (
            "session_transitions (kind, uid, observed_at, from_state, to_state, from_result, to_result)",
            format!("'k', '{uid}', {at}, 'a', 'b', 'c', 'd'"),
        ),
        ("report_settings (job_uid, rpo_hours)", format!("'{uid}', 5")),
        ("jobs (uid, em_id, first_seen_at, updated_at)", format!("'{uid}', 1, {at}, {at}")),
        (
            "failover_operations (em_id, plan_uid, plan_name, action, plan_fingerprint, request, state, requested_by, \
          requested_on, reason, requested_at, updated_at)",
            format!("1, '{uid}', 'p', 'start', 'f', 'r', 'confirmed', 'b', 'o', 'r', {at}, {at}"),
        ),
        ("enterprise_managers (name, base_url, first_seen_at, updated_at)", format!("'other', 'u', {at}, {at}")),
    ] {
        for [from, to] in ways().await {
            fleet(72, &from).await;
            copied(&from, &to).await;
            to.execute(&format!("insert into {table} values ({values})")).await;
            let table = copy::tables().find(|known| table.starts_with(&format!("{known} "))).expect("a table");
            assert_refused(&from, &to, is_foreign(table)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_may_write_to_either_meanwhile() {
    for [from, to] in ways().await {
        fleet(73, &from).await;
        copied(&from, &to).await;
        for (database, which) in [(&from, End::Source), (&to, End::Target)] {
            let store = database.open().await;
            take_turn(&store, 1, start()).await;
            let busy = copy_to(&from, &to).await.expect_err("a refusal");
            let holder = store.leases().holder().to_owned();
            assert!(matches!(&busy, CopyError::Busy { end, holder: by } if *end == which && *by == holder), "{busy}");
            store.leases().end(1, start()).await.expect("an end");
            store.close().await;
        }
        copied(&from, &to).await;

        // While it is copied, a newcomer waits, whatever lease was there before.
        let blocked = std::sync::Mutex::new(None);
        let watch = |progress: Progress| {
            if progress.table == "restore_sessions" && progress.step == copy::Step::Copying {
                let url = to.url.clone();
                let asked = tokio::task::block_in_place(|| {
                    tokio::runtime::Handle::current().block_on(async {
                        let store = vemsync::store::connect(&url, Schema::Require).await.expect("a store");
                        let asked = store.leases().take(1, true, start()).await.expect("an answer");
                        store.close().await;
                        asked
                    })
                });
                *blocked.lock().expect("no panic") = Some(asked);
            }
        };
        let cancel = CancellationToken::new();
        copy::copy(&from.url, &to.url, Watch { cancel: &cancel, progress: &watch }).await.expect("a copy");
        let blocked = blocked.into_inner().expect("no panic");
        assert!(matches!(blocked, Some(vemsync::store::Asked::Taken(_))), "{blocked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_to_the_source_meanwhile_is_a_difference() {
    for [from, to] in ways().await {
        fleet(74, &from).await;
        let change = |progress: Progress| {
            if progress.table == "sync_marks" && progress.step == copy::Step::Copying {
                let change = "update restore_sessions set name = 'changed'";
                tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(from.execute(change)));
            }
        };
        let cancel = CancellationToken::new();
        match copy::copy(&from.url, &to.url, Watch { cancel: &cancel, progress: &change }).await {
            Ok(copied) => {
                let differing: Vec<_> = copied.tables.iter().filter(|table| !table.is_equal()).collect();
                assert!(matches!(differing[..], [one] if one.table == "restore_sessions"), "{differing:?}");
            }
            // A file to which nobody wrote is read without a lock.
            Err(CopyError::Database { end: End::Source, source: Error::Disturbed }) => assert!(!from.is_postgres),
            Err(error) => panic!("{error:?}"),
        }
        copied(&from, &to).await;
        assert_same(&from, &to).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_of_an_older_schema_and_one_that_is_not_there_are_status_four() {
    let place = Place::new("demo");
    for [from, to] in ways().await {
        if !from.is_postgres {
            let missing = run(place.command(&["copy", "--from", &from.url, "--to", &to.url])).await;
            assert_eq!(missing.status, Some(4), "{missing:?}");
            assert!(missing.err.starts_with("vemsync: source: there is no database at"), "{missing:?}");
        }
        from.open().await.close().await;
        from.execute("delete from refinery_schema_history where version > 3").await;
        let older = run(place.command(&["copy", "--from", &from.url, "--to", &to.url])).await;
        assert_eq!(older.status, Some(4), "{older:?}");
        assert_eq!(older.err.lines().count(), 1, "{}", older.err);
        assert!(older.err.starts_with("vemsync: source:") && older.err.contains("run `vemsync migrate`"), "{older:?}");
        let is_there = vemsync::store::pending(&to.url).await.expect("an answer").first().map(|first| first.version);
        assert_eq!(is_there, Some(1), "the target was made");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_someone_added_is_not_left_behind_silently() {
    for [from, to] in ways().await {
        fleet(75, &from).await;
        from.execute("alter table jobs add column owner text").await;
        let refused = copy_to(&from, &to).await.expect_err("a refusal");
        assert!(matches!(refused, CopyError::Columns { table: "jobs" }), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_urls_are_status_two_and_show_no_password() {
    let place = Place::new("demo");
    let same = place.path("vemsync.db").display().to_string();
    std::os::unix::fs::symlink(place.path("vemsync.db"), place.path("link.db")).expect("a link");
    std::fs::write(place.path("vemsync.db"), "").expect("a file");
    for (from, to, more, said) in [
        ("sqlite:vemsync.db", "sqlite:./vemsync.db", None, "--to: that is the database to copy from"),
        ("sqlite:link.db", &*format!("sqlite:{same}"), None, "--to: that is the database to copy from"),
        ("postgres://a:hunter2@h/d", "postgresql://b@h:5432/d?sslmode=require", None, "--to: that is the database"),
        ("postgres://a:hunter2@h:x/d", "sqlite:b.db", None, "--from: the database url is not one"),
        ("sqlite:a.db", "hunter2", None, "--to: the database url has no scheme"),
        ("sqlite:a.db", "sqlite:b.db", Some("--to-password-file"), "--to: SQLite takes no password"),
        (
            "postgres://a:hunter2@h/d",
            "sqlite:b.db",
            Some("--from-password-file"),
            "--from: the password is given twice",
        ),
    ] {
        let mut arguments = vec!["copy", "--from", from, "--to", to];
        arguments.extend(more.iter().flat_map(|flag| [*flag, "password"]));
        let ended = run(place.command(&arguments)).await;
        assert_eq!(ended.status, Some(2), "{ended:?}");
        assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
        assert!(ended.err.starts_with(said) && !ended.err.contains("hunter2"), "{}", ended.err);
    }
    assert!(!place.path("b.db").exists());
}
