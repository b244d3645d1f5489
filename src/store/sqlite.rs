//! What only SQLite needs: its pools, how values are bound, and the bulk upsert from rows of values.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::query::Query;
use sqlx::sqlite::{
    Sqlite, SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection, SqlitePool};
use uuid::Uuid;

use super::database::Value;
use super::sql::{self, Dialect, Fixed};
use super::{Counts, Error, Result, look};
use crate::batch::{Batch, Values};
use crate::kind::{Entity, SessionKind};
use crate::timestamp;

/// Rows in one statement. Smaller rests use powers of two, so that few statements are prepared.
const CHUNK: usize = 128;

/// What a pool is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Write,
    Read,
    /// Reading alone, by an account that may have no right to write.
    Look {
        /// Nobody writes: no lock is needed.
        still: bool,
    },
}

/// The file that the URL's part after `sqlite:` names.
pub(super) fn path(rest: &str) -> Result<PathBuf> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let path = path.split('?').next().unwrap_or(path);
    if path.is_empty() || path == ":memory:" {
        return Err(Error::Url("sqlite: needs the path of a file, as in sqlite:vemsync.db".to_owned()));
    }
    Ok(PathBuf::from(path))
}

/// Sees that the file can be written to, or made.
pub(super) fn check_writable(path: &Path) -> Result<()> {
    let tried = || {
        let folder = folder(path);
        tempfile::tempfile_in(if folder.exists() { folder } else { self::folder(folder) })?;
        if path.exists() {
            File::options().append(true).open(path)?;
        }
        Ok(())
    };
    tried().map_err(|source| Error::Unwritable { path: path.display().to_string(), source })
}

/// Makes an empty file for a database that is not there yet, and the folder where that alone is missing.
pub(super) fn make(path: &Path) -> Result<()> {
    let folder = folder(path);
    let made = || {
        if !folder.exists() {
            std::fs::create_dir(folder)?;
            hand_over(folder, self::folder(folder));
        }
        File::create_new(path).map(|_| hand_over(path, folder))
    };
    match made() {
        // Another program was quicker.
        Err(source) if source.kind() != ErrorKind::AlreadyExists => {
            Err(Error::Unwritable { path: path.display().to_string(), source })
        }
        _ => Ok(()),
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What root makes belongs to whom the other file or folder belongs: a service of that account has to use it later.
/// Whoever may not give files away keeps them.
pub(super) fn hand_over(made: &Path, like: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, chown};
        if let (Ok(ours), Ok(theirs)) = (made.metadata(), like.metadata())
            && ours.uid() != theirs.uid()
        {
            drop(chown(made, Some(theirs.uid()), Some(theirs.gid())));
        }
    }
    #[cfg(not(unix))]
    let _ = (made, like);
}

pub(super) async fn open(path: &Path, may_create: bool, purpose: Use) -> Result<SqlitePool> {
    let options = options(path, may_create);
    let (connections, options) = match purpose {
        Use::Write => (
            1,
            options
                .journal_mode(SqliteJournalMode::Wal)
                .pragma("cache_size", "-20000")
                // The index of a random UID dirties pages all over; they are worth gathering for longer.
                .pragma("wal_autocheckpoint", "16000")
                .pragma("journal_size_limit", "67108864"),
        ),
        Use::Read => (2, options.pragma("cache_size", "-4000").pragma("query_only", "on")),
        Use::Look { still } => (1, options.pragma("cache_size", "-64000").read_only(true).immutable(still)),
    };
    let connect = SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(60))
        .connect_with(options);
    connect.await.map_err(|source| match Error::from(source) {
        Error::Statement(source) | Error::Unreachable { source, .. } => {
            Error::Unreachable { display: format!("sqlite:{}", path.display()), source }
        }
        known => known,
    })
}

/// Frees the pages that a connection keeps in memory. They are read again when they are needed.
pub(super) async fn shrink(pool: &SqlitePool) -> Result<()> {
    sqlx::query("pragma shrink_memory").execute(pool).await?;
    Ok(())
}

fn options(path: &Path, may_create: bool) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(may_create)
        .busy_timeout(Duration::from_secs(30))
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Normal)
        .statement_cache_capacity(200)
        .pragma("temp_store", "memory")
}

/// Connections for pages, none of which is opened yet.
pub(super) fn looks(path: &Path) -> SqlitePool {
    let options = options(path, false).pragma("cache_size", "-8000").pragma("query_only", "on");
    SqlitePoolOptions::new()
        .max_connections(look::AT_ONCE)
        .idle_timeout(look::IDLE)
        .acquire_timeout(look::PATIENCE)
        .connect_lazy_with(options)
}

pub(super) fn bind(
    mut query: Query<'_, Sqlite, SqliteArguments>,
    values: Vec<Value>,
) -> Query<'_, Sqlite, SqliteArguments> {
    for value in values {
        query = match value {
            Value::Uid(uid) => query.bind(uid.map(|uid| uid.hyphenated().to_string())),
            Value::Uids(uids) => query.bind(serde_json::json!(uids).to_string()),
            Value::Time(time) => query.bind(time.map(timestamp::format)),
            Value::Int(value) => query.bind(value),
            Value::Real(value) => query.bind(value),
            Value::Bool(value) => query.bind(value),
            Value::Text(text) => query.bind(text),
        };
    }
    query
}

/// Stores a batch in statements of up to [`CHUNK`] rows.
pub(super) async fn upsert(
    conn: &mut SqliteConnection,
    batch: &Batch,
    session: Option<&'static SessionKind>,
    em_id: i64,
    unless_changed_since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Counts> {
    let entity = &batch.entity;
    let before = greatest_rowid(conn, entity.table).await?;
    let mut written = 0;
    let mut first = 0;
    while first < batch.len() {
        let left = batch.len() - first;
        let rows = if left >= CHUNK { CHUNK } else { 1 << left.ilog2() };
        written += upsert_chunk(conn, batch, first..first + rows, session, em_id, unless_changed_since, now).await?;
        first += rows;
    }
    // Rows are never deleted in a commit, so every new row has a greater rowid than all before it.
    let inserted = (greatest_rowid(conn, entity.table).await? - before).cast_unsigned();
    Ok(Counts { read: batch.len() as u64, inserted, updated: written - inserted, rejected: 0 })
}

async fn greatest_rowid(conn: &mut SqliteConnection, table: &str) -> Result<i64> {
    let query = format!("select coalesce(max(rowid), 0) from {table}");
    Ok(sqlx::query(AssertSqlSafe(query)).fetch_one(conn).await?.try_get(0)?)
}

async fn upsert_chunk(
    conn: &mut SqliteConnection,
    batch: &Batch,
    rows: std::ops::Range<usize>,
    session: Option<&'static SessionKind>,
    em_id: i64,
    unless_changed_since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<u64> {
    let query = sqlx::query(AssertSqlSafe(statement(&batch.entity, session, rows.len())));
    let mut query = bind_rows(query, batch, rows);
    query = query.bind(em_id).bind(timestamp::format(now)).bind(timestamp::format(unless_changed_since));
    if session.is_none() {
        query = query.bind(batch.entity.name);
    }
    Ok(query.execute(conn).await?.rows_affected())
}

/// How stored rows compare with a batch's, as [`sql::compare`] has it.
pub(super) async fn compare(
    conn: &mut SqliteConnection,
    batch: &Batch,
    kind: &'static SessionKind,
) -> Result<Vec<super::database::Row>> {
    let mut found = Vec::with_capacity(batch.len());
    for first in (0..batch.len()).step_by(CHUNK) {
        let rows = first..batch.len().min(first + CHUNK);
        let statement = sql::compare(Dialect::Sqlite, kind, &source(&batch.entity, rows.len()).0);
        let compared = bind_rows(sqlx::query(AssertSqlSafe(statement)), batch, rows).fetch_all(&mut *conn).await?;
        found.extend(compared.into_iter().map(super::database::Row::Sqlite));
    }
    Ok(found)
}

fn bind_rows<'q>(
    mut query: Query<'q, Sqlite, SqliteArguments>,
    batch: &'q Batch,
    rows: std::ops::Range<usize>,
) -> Query<'q, Sqlite, SqliteArguments> {
    for row in rows {
        for (column, _) in sql::carried(&batch.entity) {
            query = match &batch.values[column] {
                // Shared strings go to SQLite's thread as they are; others would be allocated twice.
                Values::Uid(values) => query.bind(
                    values[row]
                        .map(|uid| Arc::<str>::from(&*uid.hyphenated().encode_lower(&mut Uuid::encode_buffer()))),
                ),
                Values::Text(values) => query.bind(values.get(row).map(Arc::<str>::from)),
                Values::Time(values) => query.bind(values[row].map(|time| Arc::<str>::from(timestamp::format(time)))),
                Values::Bigint(values) => query.bind(values[row]),
                Values::Bool(values) => query.bind(values[row]),
            };
        }
        query = query.bind(batch.extra.get(row));
    }
    query
}

/// The statement for so many rows of a type. It is long, and made once.
fn statement(entity: &Entity, session: Option<&SessionKind>, rows: usize) -> Arc<str> {
    static MADE: Mutex<BTreeMap<(&str, usize), Arc<str>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.entry((entity.name, rows)).or_insert_with(|| make_statement(entity, session, rows).into()).clone()
}

fn make_statement(entity: &Entity, session: Option<&SessionKind>, rows: usize) -> String {
    let (source, columns) = source(entity, rows);
    // Plain question marks are counted by themselves; the fixed parameters follow them by number.
    let fixed = Fixed::from(columns * rows + 1);
    sql::upsert(Dialect::Sqlite, entity, session, &source, &fixed)
}

/// So many rows of a type as a relation, and how many parameters one of them takes.
fn source(entity: &Entity, rows: usize) -> (String, usize) {
    let mut names: Vec<String> = sql::carried(entity)
        .enumerate()
        .map(|(n, (_, column))| format!("column{} as {}", n + 1, column.name))
        .collect();
    names.push(format!("column{} as extra", names.len() + 1));
    let row = format!("({})", vec!["?"; names.len()].join(","));
    (format!("(select {} from (values {}))", names.join(", "), vec![row.as_str(); rows].join(",")), names.len())
}
