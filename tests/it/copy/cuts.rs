//! Copies that are cut off anywhere, again and again, while the source changes in between.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::support::program::{signal, start as start_program, wait};

/// Enough finished rows for several batches.
async fn fill(database: &Database, rows: u32) {
    let uid = |prefix: &str| {
        // Scattered, so that an order by UID is not the order of insertion.
        if database.is_postgres {
            format!("(substr(md5('{prefix}' || n), 1, 20) || lpad(to_hex(n), 12, '0'))::uuid")
        } else {
            format!("printf('%08x-{prefix}-4000-8000-%012x', (n * 2654435761) & 4294967295, n)")
        }
    };
    let time = if database.is_postgres {
        "timestamptz '2025-01-01T00:00:00Z' + n * interval '1 second'".to_owned()
    } else {
        "strftime('%Y-%m-%dT%H:%M:%S.000000Z', 1735689600 + n, 'unixepoch')".to_owned()
    };
    database
        .execute(&format!(
            "with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < {rows}) \
             insert into backup_task_sessions (uid, em_id, creation_time, end_time, state, result, vm_display_name, \
             total_size_bytes, first_seen_at, updated_at) \
             select {}, 1, {time}, {time}, 'Completed', 'Success', 'vm-' || n, n, {time}, {time} from numbers",
            uid("ab12")
        ))
        .await;
}

/// Something that a daemon might have done in between.
async fn change(database: &Database, random: &mut fastrand::Rng) {
    let n = random.u32(..);
    let at = "'2025-06-02T00:00:00.000000Z'";
    let modulus = random.u32(2..9);
    let digit = format!("{:x}", random.u8(..16));
    let statements = [
        format!("update backup_task_sessions set state = 'state {n}' where cast(uid as text) like '{digit}%'"),
        format!(
            "insert into backup_task_sessions (uid, em_id, creation_time, state, result, extra, first_seen_at, updated_at) \
             values ('{n:08x}-0000-0000-0000-{n:012x}', 1, {at}, 's', 'r', '{{\"a\":\"{n}\"}}', {at}, {at})"
        ),
        format!("update enterprise_managers set api_version = 'v{n}'"),
        format!(
            "update jobs set source_missing_since = {at}, name = name || '{digit}' where cast(uid as text) like '{digit}%'"
        ),
        format!("delete from sync_passes where id % {modulus} = 0"),
        format!("update sync_marks set rows_per_hour = rows_per_hour + {n}"),
        format!("update report_settings set rpo_hours = {}", n % 100 + 1),
        "delete from cloud_failover_task_sessions where task_position > 0".to_owned(),
        // Records that change places: each is stored under the number of the other.
        "delete from sync_rejects".to_owned(),
        format!(
            "insert into sync_rejects (id, em_id, kind, digest, reason, raw, first_seen_at, last_seen_at, times) \
             {} select n, 1, 'k', 'digest ' || (({n} + n) % 7), 'r', 'x', {at}, {at}, 1 \
             from (select 101 as n union all select 102 union all select 103 union all select 104) numbers",
            if database.is_postgres { "overriding system value" } else { "" }
        ),
        format!(
            "insert into session_transitions (kind, uid, observed_at, from_state, to_state, from_result, to_result) \
             values ('k', '{n:08x}-0000-0000-0000-000000000000', {at}, 'a', 'b', 'c', 'd')"
        ),
        // One operation of a plan ends, and the next one begins.
        "update failover_operations set state = 'finished', result = 'Success' where plan_name = 'cut'".to_owned(),
        format!(
            "insert into failover_operations (em_id, plan_uid, plan_name, action, plan_fingerprint, request, state, \
             requested_by, requested_on, reason, requested_at, updated_at) values \
             (1, 'dddddddd-0000-0000-0000-000000000000', 'cut', 'start', 'f', 'r', 'confirmed', 'b', 'o', 'r', {at}, {at})"
        ),
    ];
    let chosen: Vec<_> = statements
        .into_iter()
        // Both of a pair, in their order: half of it would not be possible.
        .filter(|statement| {
            statement.contains("sync_rejects") || statement.contains("failover_operations") || random.bool()
        })
        .collect();
    database.execute(&chosen.join("; ")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_off_anywhere_while_the_source_changes_it_ends_equal() {
    for [from, to] in ways().await {
        fleet(81, &from).await;
        add_oddities(&from).await;
        fill(&from, 9000).await;
        let mut cuts = BTreeSet::new();
        for seed in 0..12 {
            let mut random = fastrand::Rng::with_seed(seed);
            change(&from, &mut random).await;
            let cancel = CancellationToken::new();
            let (left, last) = (AtomicUsize::new(random.usize(..60)), std::sync::Mutex::new(""));
            let watch = |progress: Progress| {
                if left.fetch_sub(1, Ordering::Relaxed) == 0 {
                    *last.lock().expect("no panic") = progress.table;
                    cancel.cancel();
                }
            };
            let cut = copy::copy(&from.url, &to.url, Watch { cancel: &cancel, progress: &watch }).await;
            match cut {
                Err(CopyError::Interrupted) => drop(cuts.insert(last.into_inner().expect("no panic"))),
                Ok(copied) => assert_all_equal(&copied.tables),
                Err(error) => panic!("seed {seed}: {error:?}"),
            }
            if random.u8(..4) == 0 {
                change(&from, &mut random).await;
                copied(&from, &to).await;
                assert_same(&from, &to).await;
            }
        }
        assert!(cuts.len() > 2, "cut off in {cuts:?} only");
        copied(&from, &to).await;
        assert_same(&from, &to).await;
        assert_eq!(copied(&from, &to).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_it_ends_equal() {
    for [from, to] in ways().await {
        fleet(82, &from).await;
        fill(&from, 40_000).await;
        let place = Place::new("demo");
        let arguments = ["copy", "--from", &from.url, "--to", &to.url];
        fastrand::seed(82);
        let mut killed = 0;
        for _ in 0..10 {
            let child = start_program(place.command(&arguments));
            tokio::time::sleep(Duration::from_millis(fastrand::u64(50..1200))).await;
            signal(&child, "KILL");
            let ended = wait(child).await;
            killed += usize::from(ended.status.is_none());
        }
        assert!(killed > 3, "only {killed} of the kills came in time");
        let done = run(place.command(&arguments)).await;
        assert_eq!(done.status, Some(0), "{done:?}");
        assert_same(&from, &to).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_copy_says_how_to_go_on() {
    for [from, to] in ways().await {
        fleet(83, &from).await;
        fill(&from, 40_000).await;
        let place = Place::new("demo");
        let arguments = ["copy", "--from", &from.url, "--to", &to.url];
        to.open().await.close().await;
        let mut child = start_program(place.command(&arguments));
        let stored = "select count(*) from backup_task_sessions";
        while to.number(stored).await == 0 {
            let ended = child.try_wait().expect("a state");
            assert!(ended.is_none(), "it ended before anything was stored: {ended:?}");
        }
        signal(&child, "INT");
        let ended = wait(child).await;
        assert_eq!(ended.status, Some(130), "{ended:?}");
        assert!(ended.err.ends_with("interrupted: what is copied stays; run it again to go on\n"), "{}", ended.err);
        assert!(to.number(stored).await < from.number(stored).await);
        let done = run(place.command(&arguments)).await;
        assert_eq!(done.status, Some(0), "{done:?}");
        assert_same(&from, &to).await;
    }
}
