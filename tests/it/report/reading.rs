//! A report only reads: it needs no right to write, changes nothing, and leaves nothing behind.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use vemsync::report::views::{REPORT_CLOCK, VIEWS};
use vemsync::store::{self, Error, Select};

use super::{command, every_report, report, told};
use crate::support::database::{Database, both, postgres_url};
use crate::support::program::{Place, run};
use crate::support::world::start;

fn file(database: &Database) -> &Path {
    Path::new(database.url.strip_prefix("sqlite:").expect("a SQLite file"))
}

/// What lies in the database's folder, with the bytes of each file.
fn files(database: &Database) -> Vec<(String, Vec<u8>)> {
    let folder = file(database).parent().expect("a folder");
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let mut files: Vec<_> = entries
        .map(|entry| (entry.file_name().into_string().expect("a name"), std::fs::read(entry.path()).expect("a file")))
        .collect();
    files.sort();
    files
}

/// The same command as somebody who owns nothing here, where this process may become somebody else.
fn as_nobody(command: Command) -> Command {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0);
    if !is_root {
        return command;
    }
    let mut other = Command::new("setpriv");
    other
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => other.env(name, value),
            None => other.env_remove(name),
        };
    }
    other.current_dir("/");
    other
}

/// The program where another account may run it.
fn program_for_all() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(env!("CARGO_BIN_EXE_vemsync"), folder.path().join("vemsync")).expect("a copy");
    set_mode(folder.path(), 0o755);
    folder
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("a mode");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_a_folder_that_is_closed_for_writing_is_read_and_nothing_is_left_behind() {
    let database = Database::sqlite();
    told(std::slice::from_ref(&database)).await;
    let place = Place::new("demo");
    let before = files(&database);
    assert!(before.iter().all(|(name, _)| !name.ends_with("-wal")), "somebody writes");
    for arguments in every_report() {
        assert_eq!(report(&place, &database, &arguments).await.status, Some(0));
        assert!(files(&database) == before, "{arguments:?} changed a file");
    }
    let program = program_for_all();
    let folder = file(&database).parent().expect("a folder");
    set_mode(file(&database), 0o444);
    set_mode(folder, 0o555);
    let mut elsewhere = Command::new(program.path().join("vemsync"));
    elsewhere.args(["report", "overview", "--database", &database.url]).env("HOME", program.path());
    let ended = run(as_nobody(elsewhere)).await;
    set_mode(folder, 0o755);
    assert_eq!((ended.status, &*ended.err), (Some(0), ""), "{ended:?}");
    assert!(files(&database) == before, "a file was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_with_a_log_that_nobody_here_may_merge_is_not_read_without_it() {
    let database = Database::sqlite();
    told(std::slice::from_ref(&database)).await;
    let writer = database.open().await;
    writer.manager("another", "http://em", None, start()).await.expect("a row");
    let copy = tempfile::tempdir().expect("a folder");
    for (name, bytes) in files(&database).iter().filter(|(name, _)| name.ends_with(".db") || name.ends_with("-wal")) {
        std::fs::write(copy.path().join(name), bytes).expect("a copy");
    }
    writer.close().await;
    let program = program_for_all();
    let mut elsewhere = Command::new(program.path().join("vemsync"));
    let url = format!("sqlite:{}", copy.path().join("test.db").display());
    elsewhere.args(["report", "overview", "--database", &url]).env("HOME", program.path());
    set_mode(copy.path(), 0o555);
    let ended = run(as_nobody(elsewhere)).await;
    set_mode(copy.path(), 0o755);
    assert_eq!((ended.status, &*ended.out), (Some(4), ""), "{ended:?}");
    assert!(ended.err.contains("test.db-wal") && ended.err.lines().count() == 1, "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_beside_a_writer_sees_what_is_not_merged_yet() {
    let database = Database::sqlite();
    told(std::slice::from_ref(&database)).await;
    let place = Place::new("demo");
    let writer = database.open().await;
    writer.manager("another", "http://em", None, start()).await.expect("a row");
    database.execute("update report_settings set as_of = '2025-06-01T00:00:00.000000Z'").await;
    assert!(files(&database).iter().any(|(name, log)| name.ends_with("-wal") && !log.is_empty()), "it is merged");
    let ended = report(&place, &database, &["overview"]).await;
    assert_eq!((ended.status, &*ended.err), (Some(0), ""));
    assert!(ended.out.contains("as of 2025-06-01 00:00"), "{}", ended.out);
    writer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_written_to_meanwhile_is_not_believed() {
    let database = Database::sqlite();
    told(std::slice::from_ref(&database)).await;
    let views = store::connect_views(&database.url).await.expect("views");
    let clock = Select::new(&REPORT_CLOCK, &["as_of"]);
    views.select(&clock).await.expect("a time");
    // A writer that ends merges what it wrote.
    let writer = database.open().await;
    writer.manager("another", "http://em", None, start()).await.expect("a row");
    writer.close().await;
    let refused = views.select(&clock).await;
    assert!(matches!(refused, Err(Error::Disturbed)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_role_that_may_read_the_views_alone_is_enough() {
    let database = Database::postgres().await;
    told(std::slice::from_ref(&database)).await;
    let role = format!("reader_{:x}", fastrand::u64(..));
    database.execute(&format!("create role {role} login")).await;
    let place = Place::new("demo");
    let mut reader = Database::sqlite();
    let mut url = url::Url::parse(&database.url).expect("a URL");
    url.set_username(&role).expect("a host");
    reader.url = url.into();

    let ended = report(&place, &reader, &["overview"]).await;
    assert_eq!((ended.status, &*ended.out), (Some(4), ""), "{ended:?}");
    assert!(ended.err.contains("grant") && ended.err.lines().count() == 1, "{}", ended.err);

    let names: Vec<&str> = VIEWS.iter().map(|view| view.name).collect();
    database.execute(&format!("grant select on {} to {role}", names.join(", "))).await;
    for arguments in every_report() {
        let ended = report(&place, &reader, &arguments).await;
        assert_eq!((ended.status, &*ended.err), (Some(0), ""), "{arguments:?}");
    }
    database.execute(&format!("drop owned by {role}; drop role {role}")).await;

    // A server that takes no writes at all, such as a standby, serves as well.
    let name = database.url.rsplit('/').next().expect("a name");
    let mut server = Database::sqlite();
    (server.url, server.is_postgres) = (postgres_url(), true);
    server.execute(&format!("alter database {name} set default_transaction_read_only = on")).await;
    assert_eq!(report(&place, &database, &["overview"]).await.status, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_there_or_of_an_older_schema_is_said_and_left_alone() {
    for database in both().await {
        let place = Place::new("demo");
        if !database.is_postgres {
            let ended = report(&place, &database, &["overview"]).await;
            assert_eq!((ended.status, &*ended.out), (Some(4), ""));
            assert!(ended.err.contains("vemsync sync"), "{}", ended.err);
            assert!(files(&database).is_empty(), "a file was made");
        }
        database.open().await.close().await;
        let newest = "(select max(version) from refinery_schema_history)";
        database.execute(&format!("delete from refinery_schema_history where version = {newest}")).await;
        let before = database.number(&format!("select {newest}")).await;
        let ended = report(&place, &database, &["overview"]).await;
        assert_eq!((ended.status, &*ended.out), (Some(4), ""));
        assert!(ended.err.contains("vemsync migrate") && ended.err.lines().count() == 1, "{}", ended.err);
        assert_eq!(database.number(&format!("select {newest}")).await, before, "it was migrated");
    }
    let mut down = Database::sqlite();
    down.url = "postgres://nobody@127.0.0.1:9/none".to_owned();
    let place = Place::new("demo");
    let mut slow = command(&place, &down, &["overview"]);
    slow.env("RUST_LOG", "error");
    let ended = tokio::time::timeout(Duration::from_secs(20), run(slow)).await.expect("an answer");
    assert_eq!((ended.status, ended.err.lines().count()), (Some(4), 1), "{ended:?}");
}
