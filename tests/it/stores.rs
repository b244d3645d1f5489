//! The store's contract, on both databases.

use chrono::{DateTime, TimeDelta, Utc};
use vemsync::decode::decode;
use vemsync::kinds;
use vemsync::store::{self, Commit, Counts, Schema};
use vemsync::timestamp;

use crate::support::database::{Database, both, take_turn};

fn at(text: &str) -> DateTime<Utc> {
    timestamp::parse(text).expect("a time")
}

/// A page of one task session with these elements.
fn task(uid: &str, more: &str) -> String {
    format!(
        r#"<BackupTaskSession Type="BackupTaskSession" Name="vm@x" UID="urn:veeam:BackupTaskSession:{uid}" VmDisplayName="vm">
             <Links><Link Rel="Up" Type="BackupServerReference" Name="vbr" Href="https://elsewhere/api/backupServers/aaaaaaaa-0000-0000-0000-000000000001"/></Links>
             <JobSessionUid>urn:veeam:BackupJobSession:bbbbbbbb-0000-0000-0000-000000000001</JobSessionUid>
             <CreationTimeUTC>2025-06-01T10:00:00.1234567Z</CreationTimeUTC>{more}
           </BackupTaskSession>"#
    )
}

fn page(rows: &str) -> String {
    format!(
        r#"<QueryResult xmlns="http://www.veeam.com/ent/v1.0"><Entities><Rows>{rows}</Rows></Entities><PagingInfo PageNum="1" PageSize="100" PagesCount="1"/></QueryResult>"#
    )
}

fn commit(em_id: i64, kind: &str, rows: &str) -> Commit {
    let kind = kinds::kind(kind).expect("a kind");
    let decoded = decode(kind.entity(), page(rows).as_bytes()).expect("a page");
    assert_eq!(decoded.rejects, []);
    let mut commit = Commit::new(em_id, kind.entity(), Some(kind), at("2025-06-01T12:00:00Z"));
    commit.batch = decoded.batch;
    commit
}

async fn store(database: &Database, commits: &[Commit], now: &str) -> Vec<Counts> {
    let store = database.open().await;
    take_turn(&store, commits[0].em_id, at(now)).await;
    let counts = store.commit(commits, at(now)).await.expect("a commit");
    store.close().await;
    counts
}

async fn manager(database: &Database) -> i64 {
    let store = database.open().await;
    let id = store.manager("default", "http://x/api/", Some("v1_7"), at("2025-06-01T00:00:00Z")).await.expect("a row");
    store.close().await;
    id
}

const RUNNING: &str = "<State>InProgress</State><Result>None</Result><TotalSize>0</TotalSize>";
const ENDED: &str = "<EndTimeUTC>2025-06-01T10:30:00Z</EndTimeUTC><State>Completed</State><Result>Success</Result><TotalSize>5000000000</TotalSize>";
const UID: &str = "cccccccc-0000-0000-0000-000000000001";

#[tokio::test]
async fn an_upsert_inserts_updates_and_leaves_alone() {
    for database in both().await {
        let em = manager(&database).await;
        let open = commit(em, "BackupTaskSession", &task(UID, RUNNING));
        let ended = commit(em, "BackupTaskSession", &task(UID, ENDED));
        let rows = "select state || ' ' || total_size_bytes from backup_task_sessions";
        for (commit, now, inserted, updated, state) in [
            (&open, "2025-06-01T12:00:00Z", 1, 0, "InProgress 0"),
            (&open, "2025-06-01T12:01:00Z", 0, 0, "InProgress 0"),
            (&ended, "2025-06-01T12:02:00Z", 0, 1, "Completed 5000000000"),
            (&ended, "2025-06-01T12:03:00Z", 0, 0, "Completed 5000000000"),
            (&open, "2025-06-01T12:04:00Z", 0, 0, "Completed 5000000000"),
        ] {
            let counts = store(&database, std::slice::from_ref(commit), now).await;
            assert_eq!(counts, [Counts { read: 1, inserted, updated, rejected: 0 }], "{now}");
            assert_eq!(database.column(rows).await, [Some(state.to_owned())]);
        }
        let changed =
            database.number("select count(*) from backup_task_sessions where first_seen_at < updated_at").await;
        assert_eq!(changed, 1);
        let parents = "select name from backup_servers";
        assert_eq!(database.column(parents).await, [Some("vbr".to_owned())]);
    }
}

#[tokio::test]
async fn a_task_gets_its_job_whichever_comes_first() {
    let job_session = r#"<BackupJobSession Type="BackupJobSession" Name="j@x" UID="urn:veeam:BackupJobSession:bbbbbbbb-0000-0000-0000-000000000001">
        <JobUid>urn:veeam:Job:dddddddd-0000-0000-0000-000000000001</JobUid><JobName>j</JobName><JobType>Backup</JobType>
        <CreationTimeUTC>2025-06-01T10:00:00Z</CreationTimeUTC><State>Working</State></BackupJobSession>"#;
    // A later answer without the job must not take it away.
    let jobless = r#"<BackupJobSession Type="BackupJobSession" Name="j@x" UID="urn:veeam:BackupJobSession:bbbbbbbb-0000-0000-0000-000000000001">
        <CreationTimeUTC>2025-06-01T10:00:00Z</CreationTimeUTC><State>Stopping</State></BackupJobSession>"#;
    for parent_first in [true, false] {
        for database in both().await {
            let em = manager(&database).await;
            let mut commits =
                vec![commit(em, "BackupJobSession", job_session), commit(em, "BackupTaskSession", &task(UID, ENDED))];
            if !parent_first {
                commits.reverse();
            }
            for one in &commits {
                store(&database, std::slice::from_ref(one), "2025-06-01T12:00:00Z").await;
            }
            store(&database, &[commit(em, "BackupJobSession", jobless)], "2025-06-01T12:01:00Z").await;
            let job = Some("dddddddd-0000-0000-0000-000000000001".to_owned());
            for table in ["backup_task_sessions", "backup_job_sessions"] {
                assert_eq!(
                    database.column(&format!("select cast(job_uid as text) from {table}")).await,
                    std::slice::from_ref(&job)
                );
            }
            assert_eq!(database.column("select name || job_type from jobs").await, [Some("jBackup".to_owned())]);
            assert_eq!(database.column("select state from backup_job_sessions").await, [Some("Stopping".to_owned())]);
        }
    }
}

#[tokio::test]
async fn a_row_that_changed_meanwhile_is_left_to_who_changed_it() {
    for database in both().await {
        let em = manager(&database).await;
        store(&database, &[commit(em, "BackupTaskSession", &task(UID, RUNNING))], "2025-06-01T12:00:00Z").await;
        let mut old = commit(em, "BackupTaskSession", &task(UID, ENDED));
        old.unless_changed_since = Some(at("2025-06-01T12:00:00Z") - TimeDelta::seconds(1));
        assert_eq!(store(&database, &[old.clone()], "2025-06-01T12:05:00Z").await[0].updated, 0);
        old.unless_changed_since = Some(at("2025-06-01T12:00:00Z"));
        assert_eq!(store(&database, &[old], "2025-06-01T12:05:00Z").await[0].updated, 1);
    }
}

#[tokio::test]
async fn repeated_rows_and_forbidden_characters_do_not_stop_a_batch() {
    for database in both().await {
        let em = manager(&database).await;
        let awkward = format!("{ENDED}<Reason>a&#0;b\u{1}c \u{1f600} &amp; ' \" \\ </Reason><New x=\"1\">y</New>");
        let rows = format!("{}{}", task(UID, RUNNING), task(&UID.to_uppercase(), &awkward));
        let counts = store(&database, &[commit(em, "BackupTaskSession", &rows)], "2025-06-01T12:00:00Z").await;
        assert_eq!((counts[0].read, counts[0].inserted), (1, 1));
        let found = database.query("select reason, cast(extra as text) from backup_task_sessions").await;
        assert_eq!(found[0][0].as_deref(), Some("a\u{fffd}b\u{fffd}c \u{1f600} & ' \" \\ "));
        let extra: serde_json::Value = serde_json::from_str(found[0][1].as_deref().expect("extras")).expect("JSON");
        assert_eq!(extra, serde_json::json!({"New": "y", "New.x": "1"}));
    }
}

#[tokio::test]
async fn processes_that_start_together_migrate_once() {
    for database in both().await {
        let starts = (0..6).map(|_| store::connect(&database.url, Schema::Migrate));
        for store in futures_util::future::join_all(starts).await {
            store.expect("a store").close().await;
        }
        let applied = database.number("select count(*) from refinery_schema_history").await;
        assert_eq!(applied, database.number("select max(version) from refinery_schema_history").await);
        assert_eq!(store::pending(&database.url).await.expect("an answer"), []);
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    for database in both().await {
        database.open().await.close().await;
        database.execute("insert into refinery_schema_history (version, name, applied_on, checksum) values (999, 'later', '2030-01-01T00:00:00Z', '1')").await;
        for schema in [Schema::Migrate, Schema::Require] {
            let refused = store::connect(&database.url, schema).await.err().expect("a refusal");
            assert!(matches!(refused, store::Error::Newer { found: 999, .. }), "{refused}");
        }
    }
}

#[tokio::test]
async fn a_database_without_its_schema_is_not_made_up() {
    let sqlite = Database::sqlite();
    assert!(matches!(store::connect(&sqlite.url, Schema::Require).await.err(), Some(store::Error::Missing(_))));
    assert!(!std::path::Path::new(sqlite.url.trim_start_matches("sqlite:")).exists());
    let postgres = Database::postgres().await;
    assert!(matches!(store::connect(&postgres.url, Schema::Require).await.err(), Some(store::Error::Older(_))));
    assert!(!store::pending(&sqlite.url).await.expect("an answer").is_empty());
}

#[tokio::test]
async fn marks_and_backfills_come_back_as_they_were_set() {
    use vemsync::store::{Backfill, Field, Mark};
    for database in both().await {
        let em = manager(&database).await;
        let kind = kinds::kind("RestoreSession").expect("a kind");
        let server = uuid::Uuid::from_u128(7);
        let mark = Mark {
            server,
            field: Field::End,
            mark: at("2025-06-01T10:00:00.000001Z"),
            scanned_at: at("2025-06-01T11:00:00Z"),
            overlap_seconds: 7200,
            rows_per_hour: 0.25,
        };
        let backfill = Backfill {
            server: uuid::Uuid::nil(),
            started_at: at("2025-06-01T09:00:00.5Z"),
            from: at("2025-05-01"),
            until: at("2025-06-01T09:00:00Z"),
            first_marks: Some(vec![(server, at("2025-06-01T08:59:59Z"))]),
            finished_at: None,
            floor: None,
        };
        let mut commit = Commit::new(em, kind.entity(), Some(kind), at("2025-06-01T12:00:00Z"));
        commit.marks.push(mark.clone());
        commit.backfills.push(backfill.clone());
        let store = database.open().await;
        take_turn(&store, em, at("2025-06-01T12:00:00Z")).await;
        for _ in 0..2 {
            store.commit(&[commit.clone()], at("2025-06-01T12:00:00Z")).await.expect("a commit");
        }
        assert_eq!(store.marks(em, kind).await.expect("marks"), [mark]);
        assert_eq!(store.backfills(em, kind).await.expect("backfills"), [backfill]);
        store.close().await;
    }
}
