//! Throwaway databases of both kinds, read back independently of the store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use tempfile::TempDir;
use vemsync::kind::{Column, Ty};
use vemsync::store::{self, Asked, Schema, SqlStore, Store};

/// A row by column; `None` is null. Spelt like the simulator's truth.
pub type Row = BTreeMap<&'static str, Option<String>>;

/// An empty database of its own.
pub struct Database {
    pub url: String,
    pub is_postgres: bool,
    _folder: TempDir,
}

/// One of each.
pub async fn both() -> [Database; 2] {
    [Database::sqlite(), Database::postgres().await]
}

static NEXT: AtomicU64 = AtomicU64::new(0);

impl Database {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        Self { url, is_postgres: false, _folder: folder }
    }

    /// A SQLite file that somebody else looks after.
    pub fn at(url: String) -> Self {
        Self { url, is_postgres: false, _folder: tempfile::tempdir().expect("a folder") }
    }

    /// A copy of a SQLite file that nobody writes to, in a folder that lives as long as it does.
    pub fn copy_of(template: &std::path::Path, folder: TempDir) -> Self {
        let path = folder.path().join("test.db");
        std::fs::copy(template, &path).expect("a copy");
        Self { url: format!("sqlite:{}", path.display()), is_postgres: false, _folder: folder }
    }

    pub async fn postgres() -> Self {
        let server = postgres_url();
        let name = format!("t{}_{:x}", NEXT.fetch_add(1, Ordering::Relaxed), fastrand::u64(..));
        let mut conn = PgConnection::connect(&server).await.expect("the test's Postgres");
        sqlx::raw_sql(AssertSqlSafe(format!("create database {name}"))).execute(&mut conn).await.expect("a database");
        let (base, _) = server.rsplit_once('/').expect("a URL with a database");
        Self { url: format!("{base}/{name}"), is_postgres: true, _folder: tempfile::tempdir().expect("a folder") }
    }

    pub async fn open(&self) -> Arc<dyn Store> {
        store::connect(&self.url, Schema::Migrate).await.expect("a store")
    }

    /// With leases that last so long.
    pub async fn open_with_leases_of(&self, length: Duration) -> Arc<dyn Store> {
        Arc::new(SqlStore::connect(&self.url, Schema::Migrate).await.expect("a store").with_leases_of(length))
    }

    /// Columns of all rows as canonical text, sorted.
    pub async fn rows(&self, table: &str, columns: &[(&'static str, Ty)]) -> Vec<Row> {
        let list: Vec<String> = columns.iter().map(|(name, ty)| self.canonical(name, *ty)).collect();
        let texts = self.query(&format!("select {} from {table}", list.join(", "))).await;
        let mut rows: Vec<Row> = texts
            .into_iter()
            .map(|row| columns.iter().zip(row).map(|((name, ty), value)| (*name, tidy(*ty, value))).collect())
            .collect();
        rows.sort();
        rows
    }

    /// A kind's columns, with those that the store adds where `all` is set.
    pub async fn entity(&self, table: &str, columns: &'static [Column], all: bool) -> Vec<Row> {
        let mut wanted: Vec<(&'static str, Ty)> = columns.iter().map(|column| (column.name, column.ty)).collect();
        wanted.push(("extra", Ty::Json));
        if all {
            wanted.extend([("first_seen_at", Ty::Time), ("updated_at", Ty::Time), ("source_missing_since", Ty::Time)]);
        }
        self.rows(table, &wanted).await
    }

    fn canonical(&self, column: &str, ty: Ty) -> String {
        match (self.is_postgres, ty) {
            (true, Ty::Time) => {
                format!("to_char({column} at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
            }
            (_, Ty::Bool) => format!("case when {column} then 'true' when not {column} then 'false' end"),
            _ => format!("cast({column} as text)"),
        }
    }

    /// The first column, as text, of every row.
    pub async fn column(&self, sql: &str) -> Vec<Option<String>> {
        self.query(sql).await.into_iter().map(|mut row| row.remove(0)).collect()
    }

    /// A single number.
    pub async fn number(&self, sql: &str) -> i64 {
        let value = self.column(&format!("select cast(({sql}) as text)")).await.remove(0);
        value.expect("a value").parse().expect("a number")
    }

    pub async fn query(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.is_postgres {
            let mut conn = PgConnection::connect(&self.url).await.expect("a connection");
            let rows = sqlx::query(sql).fetch_all(&mut conn).await.expect("rows");
            rows.iter().map(|row| (0..row.len()).map(|i| row.get(i)).collect()).collect()
        } else {
            let mut conn = SqliteConnection::connect(&self.url).await.expect("a connection");
            let rows = sqlx::query(sql).fetch_all(&mut conn).await.expect("rows");
            rows.iter().map(|row| (0..row.len()).map(|i| row.get(i)).collect()).collect()
        }
    }

    pub async fn execute(&self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        if self.is_postgres {
            let mut conn = PgConnection::connect(&self.url).await.expect("a connection");
            sql.execute(&mut conn).await.expect("a statement");
        } else {
            let mut conn = SqliteConnection::connect(&self.url).await.expect("a connection");
            sql.execute(&mut conn).await.expect("a statement");
            // A connection that is only dropped merges its log some time later.
            conn.close().await.expect("an end");
        }
    }
}

/// Has the turn to write, which nobody else may have.
pub async fn take_turn(store: &Arc<dyn Store>, em_id: i64, now: DateTime<Utc>) {
    let asked = store.leases().take(em_id, true, now).await.expect("an answer");
    assert_eq!(asked, Asked::Granted);
}

/// The server that `scripts/test` started.
pub fn postgres_url() -> String {
    std::env::var("VEMSYNC_TEST_POSTGRES").expect("VEMSYNC_TEST_POSTGRES: run the tests with scripts/test")
}

/// Spaces in JSON differ between the databases.
fn tidy(ty: Ty, value: Option<String>) -> Option<String> {
    match ty {
        Ty::Json => {
            value.map(|text| serde_json::from_str::<serde_json::Value>(&text).map_or(text, |json| json.to_string()))
        }
        _ => value,
    }
}
