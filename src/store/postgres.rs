//! What only Postgres needs: its pool, how values are bound, and the bulk upsert from arrays.

use std::io;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, TryFutureExt as _};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions, Postgres};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, PgPool, Row as _};

use super::database::Value;
use super::sql::{self, Dialect, Fixed};
use super::{Counts, Error, Result, look};
use crate::batch::{Batch, Values};
use crate::kind::{Entity, SessionKind};

pub(super) async fn open(url: &str) -> Result<PgPool> {
    let options = options(url)?;
    let display = format!("postgres://{}:{}", options.get_host(), options.get_port());
    // A pool would wait for a server that is down, and then only say that it waited.
    let unreachable = |source| match Error::from(source) {
        Error::Statement(source) | Error::Unreachable { source, .. } => Error::Unreachable { display, source },
        known => known,
    };
    answered(options.connect()).await.map_err(unreachable)?.close().await?;
    Ok(pool().max_connections(4).acquire_timeout(Duration::from_secs(30)).connect_lazy_with(options))
}

/// A statement takes less than a second, or as long as it waits for a lock.
const LONGEST: Duration = Duration::from_secs(45);

/// A connection that is up answers a plain question within this time.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// A connection may die without a word, as when a firewall forgets it: then nothing says that no answer will come.
pub(super) fn answered<'a, T>(
    asked: impl Future<Output = sqlx::Result<T>> + Send + 'a,
) -> BoxFuture<'a, sqlx::Result<T>> {
    within(LONGEST, asked)
}

pub(super) fn within<'a, T>(
    longest: Duration,
    asked: impl Future<Output = sqlx::Result<T>> + Send + 'a,
) -> BoxFuture<'a, sqlx::Result<T>> {
    Box::pin(async move {
        tokio::time::timeout(longest, asked).await.unwrap_or_else(|_| {
            let silent = format!("no answer within {} seconds", longest.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, silent).into())
        })
    })
}

/// Closes all connections, as far as they answer.
pub(super) async fn close(pool: &PgPool) -> sqlx::Result<()> {
    within(PATIENCE, pool.close().map(Ok)).await
}

/// A pool that closes connections which do not answer, both before and after they are used.
fn pool() -> PgPoolOptions {
    PgPoolOptions::new()
        .test_before_acquire(false)
        .before_acquire(|conn, _| within(PATIENCE, conn.ping().map_ok(|()| true)))
        .after_release(|conn, _| within(PATIENCE, conn.ping().map_ok(|()| true)))
}

fn options(url: &str) -> Result<PgConnectOptions> {
    // sqlx does not quote the URL in its errors, which may carry a password.
    let options = PgConnectOptions::from_str(url).map_err(|error| Error::Url(error.to_string()))?;
    // A process that was stopped in the middle of a transaction must not hold its locks for ever.
    // Compiling a report's statement takes longer than running it.
    let settings = [("lock_timeout", "30s"), ("idle_in_transaction_session_timeout", "20s"), ("jit", "off")];
    Ok(options.application_name("vemsync").options(settings))
}

/// Connections for pages, none of which is opened yet.
pub(super) fn looks(url: &str) -> Result<PgPool> {
    let longest = format!("{}s", look::LONGEST.as_secs());
    let options = options(url)?.application_name("vemsync page").options([("statement_timeout", longest)]);
    Ok(pool()
        .max_connections(look::AT_ONCE)
        .idle_timeout(look::IDLE)
        .acquire_timeout(look::PATIENCE)
        .connect_lazy_with(options))
}

pub(super) fn query(sql: AssertSqlSafe<String>, values: Vec<Value>) -> Query<'static, Postgres, PgArguments> {
    // What takes a list is planned each time, as in `upsert`.
    let has_list = values.iter().any(|value| matches!(value, Value::Uids(_)));
    let mut query = sqlx::query(sql).persistent(!has_list);
    for value in values {
        query = match value {
            Value::Uid(uid) => query.bind(uid),
            Value::Uids(uids) => query.bind(uids),
            Value::Time(time) => query.bind(time),
            Value::Int(value) => query.bind(value),
            Value::Real(value) => query.bind(value),
            Value::Bool(value) => query.bind(value),
            Value::Text(text) => query.bind(text),
        };
    }
    query
}

/// Stores a batch in one statement: one array a column.
///
/// The statement is planned each time: a plan made while a table was small must not be kept while it grows by millions
/// of rows. Setting `plan_cache_mode` would do as much to the checks of foreign keys, at a plan a row.
pub(super) async fn upsert(
    conn: &mut PgConnection,
    batch: &Batch,
    session: Option<&'static SessionKind>,
    em_id: i64,
    unless_changed_since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Counts> {
    let entity = &batch.entity;
    let (source, columns) = source(entity);
    let fixed = Fixed::from(columns + 1);
    let upsert = sql::upsert(Dialect::Postgres, entity, session, &source, &fixed);
    let statement = format!(
        "with written as ({upsert}\nreturning t.xmax = 0 as inserted)\n\
         select count(*) filter (where inserted), count(*) from written"
    );
    let mut query = bind(sqlx::query(AssertSqlSafe(statement)).persistent(false), batch);
    query = query.bind(em_id).bind(now).bind(unless_changed_since);
    if session.is_none() {
        query = query.bind(entity.name);
    }
    let row = answered(query.fetch_one(conn)).await?;
    let (inserted, written): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    Ok(Counts {
        read: batch.len() as u64,
        inserted: inserted.cast_unsigned(),
        updated: (written - inserted).cast_unsigned(),
        rejected: 0,
    })
}

/// How stored rows compare with a batch's, as [`sql::compare`] has it.
pub(super) async fn compare(
    conn: &mut PgConnection,
    batch: &Batch,
    kind: &'static SessionKind,
) -> Result<Vec<super::database::Row>> {
    let statement = sql::compare(Dialect::Postgres, kind, &source(&batch.entity).0);
    let query = bind(sqlx::query(AssertSqlSafe(statement)).persistent(false), batch);
    let rows = answered(query.fetch_all(conn)).await?;
    Ok(rows.into_iter().map(super::database::Row::Postgres).collect())
}

/// A batch as a relation, one array a column, and how many parameters that takes.
fn source(entity: &Entity) -> (String, usize) {
    let (mut names, mut arrays) = (Vec::new(), Vec::new());
    for (_, column) in sql::carried(entity) {
        names.push(column.name);
        arrays.push(format!("${}::{}[]", names.len(), sql::postgres_type(column.ty)));
    }
    names.push("extra");
    arrays.push(format!("${}::text[]", names.len()));
    (format!("(select * from unnest({}) as u({}))", arrays.join(", "), names.join(", ")), names.len())
}

fn bind<'q>(mut query: Query<'q, Postgres, PgArguments>, batch: &'q Batch) -> Query<'q, Postgres, PgArguments> {
    for (column, _) in sql::carried(&batch.entity) {
        query = match &batch.values[column] {
            Values::Uid(values) => query.bind(values.as_slice()),
            Values::Text(values) => query.bind(values.iter().collect::<Vec<Option<&str>>>()),
            Values::Time(values) => query.bind(values.as_slice()),
            Values::Bigint(values) => query.bind(values.as_slice()),
            Values::Bool(values) => query.bind(values.as_slice()),
        };
    }
    query.bind(batch.extra.iter().collect::<Vec<Option<&str>>>())
}
