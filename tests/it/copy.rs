//! A history in another database is the same history: nothing is lost, whatever happens on the way.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use vemsync::simulator::{FleetOptions, Simulator, World};
use vemsync::store::copy::{self, Compared, Copied, CopyError, End, Progress, Watch};
use vemsync::store::{Error, Schema};

use crate::support::answer::Answer;
use crate::support::database::{Database, both, take_turn};
use crate::support::program::{Place, run};
use crate::support::world::{assert_equal, simulate, start, sync};

mod cuts;
mod refused;

/// Each way that a history can go.
async fn ways() -> [[Database; 2]; 4] {
    [
        [Database::sqlite(), Database::postgres().await],
        [Database::postgres().await, Database::sqlite()],
        [Database::sqlite(), Database::sqlite()],
        [Database::postgres().await, Database::postgres().await],
    ]
}

async fn copy_to(from: &Database, to: &Database) -> Result<Copied, CopyError> {
    let watch = Watch { cancel: &CancellationToken::new(), progress: &|_| {} };
    copy::copy(&from.url, &to.url, watch).await
}

/// A copy that has to succeed. Returns how many rows were written.
async fn copied(from: &Database, to: &Database) -> u64 {
    let copied = copy_to(from, to).await.expect("a copy");
    assert_all_equal(&copied.tables);
    copied.written
}

fn assert_all_equal(tables: &[Compared]) {
    let differing: Vec<_> = tables.iter().filter(|table| !table.is_equal()).collect();
    assert!(differing.is_empty(), "{differing:#?}");
    assert_eq!(tables.len(), copy::tables().count());
}

async fn compared(from: &Database, to: &Database) -> Vec<Compared> {
    let watch = Watch { cancel: &CancellationToken::new(), progress: &|_| {} };
    copy::compare(&from.url, &to.url, watch).await.expect("a comparison")
}

/// Everything in a database, read without the code that copies: rows by table, sorted.
async fn contents(database: &Database) -> BTreeMap<&'static str, Vec<Vec<String>>> {
    let mut contents = BTreeMap::new();
    for table in copy::tables() {
        let names: BTreeSet<String> = columns(database, table).await.into_iter().map(|(name, _)| name).collect();
        let names: Vec<String> = names.into_iter().collect();
        let mut rows = Answer::of(database, &format!("select {} from {table}", names.join(", "))).await.rows;
        for (at, _) in names.iter().enumerate().filter(|(_, name)| copy::JSON.contains(&name.as_str())) {
            for row in &mut rows {
                let json = serde_json::from_str::<serde_json::Value>(&row[at]);
                row[at] = json.map_or_else(|_| row[at].clone(), |json| json.to_string());
            }
        }
        rows.sort();
        contents.insert(table, rows);
    }
    contents
}

/// Names and types of a table's columns.
async fn columns(database: &Database, table: &str) -> Vec<(String, String)> {
    let sql = if database.is_postgres {
        format!(
            "select column_name::text, data_type::text from information_schema.columns \
             where table_schema = current_schema() and table_name = '{table}'"
        )
    } else {
        format!("select name, type from pragma_table_info('{table}')")
    };
    let text = |value: &Option<String>| value.clone().expect("no null");
    database.query(&sql).await.iter().map(|row| (text(&row[0]), text(&row[1]))).collect()
}

async fn assert_same(a: &Database, b: &Database) {
    let (a, b) = (contents(a).await, contents(b).await);
    for (table, rows) in &a {
        let other = &b[table];
        let differing = rows.iter().zip(other).find(|(row, other)| row != other);
        assert!(rows == other, "{table}: {} rows and {}, such as {differing:#?}", rows.len(), other.len());
    }
}

async fn fleet(seed: u64, database: &Database) -> Simulator {
    let simulator = simulate(World::fleet(seed, &FleetOptions::small(start()))).await;
    sync(&simulator, database).await;
    simulator
}

/// Rows such as a source could send on its worst day, in tables of every shape. The same statements on both databases.
async fn add_oddities(database: &Database) {
    let text = "\u{1}\t\n\r\u{1b}[2J\u{7f}\u{85}'' \" \\ \\n %s \u{1f600} \u{202e} e\u{301} \u{10ffff}";
    let long = "ä".repeat(40_000);
    let earliest = "1970-01-01T00:00:00.000000Z";
    let latest = "9999-12-31T23:59:59.999999Z";
    let json = r#"{"b": {"z": [], "a": ""}, "a": [1, "\u0001é\ud83d\ude00", null, true], "": {}}"#;
    let uid = |n: u32| format!("ffffffff-ffff-ffff-ffff-{n:012x}");
    let task = |n: u32, time: &str, size: &str, reason: &str, extra: &str| {
        format!(
            "insert into backup_task_sessions (uid, em_id, creation_time, end_time, state, result, total_size_bytes, \
             reason, vm_display_name, extra, first_seen_at, updated_at) \
             values ('{}', 1, '{time}', null, '', '{text}', {size}, {reason}, '', {extra}, '{earliest}', '{latest}')",
            uid(n)
        )
    };
    let mark = |n: u32, rate: &str| {
        format!(
            "insert into sync_marks (em_id, kind, backup_server_uid, field, mark, scanned_at, overlap_seconds, \
             rows_per_hour, updated_at) values (1, 'odd', '{}', 'end', '{latest}', '{earliest}', 0, {rate}, '{latest}')",
            uid(n)
        )
    };
    let rates = ["0.1", "-0.0", "5e-324", "1.7976931348623157e308", "-123456789.123456789", "1e15", "3"];
    let doubt = |kind: &str| {
        format!(
            "insert into sync_doubts (em_id, kind, uid, doubt, swept_at, sweeps, seen_at) \
             values (1, '{kind}', '{}', 'absent', '2025-01-01T00:00:00.000001Z', 1, '{latest}')",
            uid(1)
        )
    };
    let mut statements = vec![
        task(1, earliest, "9223372036854775807", "null", "'{}'"),
        task(2, latest, "-9223372036854775808", "''", "'[]'"),
        task(3, "2025-01-01T00:00:00.000001Z", "0", &format!("'{long}'"), &format!("'{json}'")),
        task(4, "2025-01-01T00:00:00.100000Z", "null", &format!("'{text}'"), "'\"\"'"),
        format!(
            "insert into jobs (uid, em_id, name, schedule_configured, schedule_enabled, extra, first_seen_at, updated_at) \
             values ('{}', 1, '{text}', true, false, 'null', '{earliest}', '{latest}')",
            uid(5)
        ),
        format!("insert into report_settings (job_uid, rpo_hours, as_of) values ('{}', 48, '{latest}')", uid(5)),
        format!(
            "insert into sync_rejects (em_id, kind, digest, uid, reason, raw, first_seen_at, last_seen_at, times) \
             values (1, 'odd', 'd', 'Not A GUID', '{text}', '{long}', '{earliest}', '{latest}', 1)"
        ),
        format!(
            "insert into session_transitions (kind, uid, observed_at, from_state, to_state, from_result, to_result) \
             values ('odd', '{}', '{earliest}', '', '{text}', '', '')",
            uid(6)
        ),
    ];
    statements.push(format!(
        "insert into sync_sweeps (em_id, kind, scope, range_start, range_end, reached, rows_compared, rows_missing, \
         rows_different, rows_absent, started_at, updated_at) \
         values (1, 'odd', 'full', '{earliest}', '{latest}', '{latest}', 1, 2, 3, 4, '{earliest}', '{latest}')"
    ));
    statements.push(format!(
        "insert into sync_rereads (em_id, kind, uid, asked_at, times) values (1, 'odd', '{}', '{latest}', 9)",
        uid(1)
    ));
    statements.push(format!(
        "insert into sync_refusals (em_name, refused_at, credentials, message) \
         values ('odd', '{latest}', '0123456789abcdef:7f', 'no\nmore \u{1f512}')"
    ));
    statements.extend(rates.iter().zip(10..).map(|(rate, n)| mark(n, rate)));
    // Names that languages sort otherwise than bytes do.
    statements.extend(["a", "B", "_", "é", "z", "Z", "a b", "ab", "-"].map(doubt));
    database.execute(&statements.join(";\n")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_goes_to_postgres_and_back_unchanged() {
    let [first, second, third] = [Database::sqlite(), Database::postgres().await, Database::sqlite()];
    let place = Place::new("demo");
    let demo = run(place.command(&["demo", "--database", &first.url])).await;
    assert_eq!(demo.status, Some(0), "{demo:?}");
    add_oddities(&first).await;
    let before = contents(&first).await;

    let there = run(place.command(&["copy", "--from", &first.url, "--to", &second.url])).await;
    assert_eq!((there.status, there.err.as_str()), (Some(0), ""), "{there:?}");
    let back = run(place.command(&["copy", "--from", &second.url, "--to", &third.url])).await;
    assert_eq!((back.status, back.err.as_str()), (Some(0), ""), "{back:?}");

    let table = |out: &str| out.split("\n\n").next().expect("a table").to_owned();
    assert_eq!(table(&there.out), table(&back.out));
    assert_eq!(there.out.matches(" equal").count(), copy::tables().count(), "{}", there.out);
    assert!(before == contents(&first).await, "the source has changed");
    assert_same(&first, &second).await;
    assert_same(&first, &third).await;
    let filled: BTreeSet<_> = before.iter().filter(|(_, rows)| !rows.is_empty()).map(|(table, _)| *table).collect();
    let all: BTreeSet<_> = copy::tables().collect();
    assert_eq!(all.difference(&filled).copied().collect::<Vec<_>>(), Vec::<&str>::new(), "a table had no rows to copy");

    for copy in [&second, &third] {
        let again = run(place.command(&["demo", "--database", &copy.url])).await;
        assert!(again.out.contains("nothing new since the last run"), "{again:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_goes_on_in_the_copy() {
    for [from, to] in ways().await {
        let simulator = fleet(61, &from).await;
        let last = "select max(id) from sync_passes";
        let before = from.number(last).await;
        assert!(copied(&from, &to).await > 100);

        let summary = sync(&simulator, &to).await;
        let new: u64 = summary.kinds.iter().map(|kind| kind.counts.inserted + kind.counts.updated).sum();
        assert_eq!(new, 0, "{summary:#?}");
        assert_same_sessions(&from, &to).await;

        simulator.advance(TimeDelta::hours(5));
        sync(&simulator, &to).await;
        assert_equal(&simulator, &to).await;
        assert!(to.number(last).await > before, "the passes are not counted on");
    }
}

async fn assert_same_sessions(from: &Database, to: &Database) {
    let (from, to) = (contents(from).await, contents(to).await);
    for (table, rows) in from.iter().filter(|(table, _)| table.ends_with("_sessions")) {
        assert!(*rows == to[table], "{table} was written to");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_values_survive_every_way() {
    for [from, to] in ways().await {
        fleet(62, &from).await;
        add_oddities(&from).await;
        copied(&from, &to).await;
        assert_same(&from, &to).await;
        // The comparison above reads an empty text like none.
        for (column, value) in [("reason is null", 1), ("reason = ''", 2), ("end_time is null", 1)] {
            let uid = format!("ffffffff-ffff-ffff-ffff-{value:012x}");
            let found = format!("select count(*) from backup_task_sessions where uid = '{uid}' and {column}");
            assert_eq!(to.number(&found).await, 1, "{column}");
        }
        assert_eq!(copied(&from, &to).await, 0, "a second copy wrote something");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_may_only_read_is_enough_for_the_source() {
    let [from, to] = [Database::postgres().await, Database::sqlite()];
    fleet(65, &from).await;
    let role = format!("reader_{:x}", fastrand::u64(..));
    from.execute(&format!("create role {role} login")).await;
    vemsync::store::grant_reader(&from.url, &role).await.expect("rights");
    let mut url: url::Url = from.url.parse().expect("a URL");
    url.set_username(&role).expect("a user");
    let watch = Watch { cancel: &CancellationToken::new(), progress: &|_| {} };
    let copied = copy::copy(url.as_str(), &to.url, watch).await.expect("a copy");
    assert_all_equal(&copied.tables);
    assert_same(&from, &to).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn checksums_do_not_depend_on_the_database() {
    let [[a, b], [c, d], ..] = ways().await;
    fleet(63, &a).await;
    add_oddities(&a).await;
    copied(&a, &b).await;
    copied(&b, &d).await;
    copied(&d, &c).await;
    let checksums = |tables: Vec<Compared>| tables.into_iter().map(|table| table.checksums).collect::<Vec<_>>();
    let expected = checksums(compared(&a, &b).await);
    for [from, to] in [[&b, &d], [&d, &c], [&a, &d], [&c, &b]] {
        assert_eq!(checksums(compared(from, to).await), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_finds_a_single_value_and_changes_nothing() {
    for [from, to] in ways().await {
        fleet(64, &from).await;
        copied(&from, &to).await;
        let one = "uid = (select uid from restore_sessions order by uid limit 1)";
        for change in [
            format!("update restore_sessions set updated_at = '2025-01-01T00:00:00.000001Z' where {one}"),
            format!("update restore_sessions set name = name || ' ' where {one}"),
            format!("update restore_sessions set failure_message = '' where {one}"),
            format!("update restore_sessions set extra = '{{\"a\": \"b\"}}' where {one}"),
            format!("delete from restore_sessions where {one}"),
        ] {
            to.execute(&change).await;
            let before = contents(&to).await;
            let program = Place::new("demo");
            let found = run(program.command(&["copy", "--verify", "--from", &from.url, "--to", &to.url])).await;
            assert_eq!(found.status, Some(1), "{change}: {found:?}");
            assert!(found.err.starts_with("vemsync: not equal: restore_sessions: "), "{}", found.err);
            assert_eq!(found.out.matches("DIFFERS").count(), 1, "{}", found.out);
            assert!(before == contents(&to).await, "the target has changed");
            assert_eq!(copied(&from, &to).await, 1, "{change}");
        }
    }
}

#[tokio::test]
async fn every_table_is_copied_or_there_is_a_reason() {
    for database in both().await {
        database.open().await.close().await;
        let live = if database.is_postgres {
            "select table_name::text from information_schema.tables \
             where table_schema = current_schema() and table_type = 'BASE TABLE'"
        } else {
            "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'"
        };
        let live: BTreeSet<String> = database.column(live).await.into_iter().flatten().collect();
        let mut known: BTreeSet<String> = copy::tables().map(str::to_owned).collect();
        assert_eq!(known.len(), copy::tables().count(), "a table is copied twice");
        for (table, reason) in copy::NOT_COPIED {
            assert!(!reason.is_empty() && known.insert((*table).to_owned()), "{table} is copied after all");
        }
        if database.is_postgres {
            known.remove("schema_comments");
        }
        assert_eq!(live, known);
    }
}

#[tokio::test]
async fn what_is_json_and_what_is_numbered_is_what_postgres_says() {
    let database = Database::postgres().await;
    database.open().await.close().await;
    let (mut json, mut order) = (BTreeSet::new(), Vec::new());
    for table in copy::tables() {
        let columns = columns(&database, table).await;
        json.extend(columns.into_iter().filter(|(_, ty)| ty == "jsonb").map(|(name, _)| name));
        order.push(table);
    }
    assert_eq!(json.into_iter().collect::<Vec<_>>(), copy::JSON);
    let numbered = "select c.relname || '.' || a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid \
                    where a.attidentity <> '' and c.relnamespace = current_schema()::regnamespace";
    for column in database.column(numbered).await.into_iter().flatten() {
        assert!(column.ends_with(".id"), "{column}");
    }
    let references =
        "select conrelid::regclass::text, confrelid::regclass::text from pg_constraint where contype = 'f'";
    let place = |table: &Option<String>| order.iter().position(|known| Some(*known) == table.as_deref());
    for row in database.query(references).await {
        let is_behind = place(&row[0]) > place(&row[1]);
        assert!(is_behind || row[0].as_deref() == Some("sync_leases"), "{row:?}");
    }
}
