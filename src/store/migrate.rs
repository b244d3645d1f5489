//! Brings a database to this program's schema: refinery's migrations over sqlx connections.
//!
//! One transaction covers the whole run. It takes a writer's lock first (an advisory lock on Postgres,
//! `begin immediate` on SQLite), and each migration is a savepoint inside it: all that is pending lands, or none of
//! it. Processes that start together queue up, and the later ones find nothing to do.

use refinery::{Migration, Runner};
use refinery_core::AsyncMigrate;
use refinery_core::traits::r#async::{AsyncQuery, AsyncTransaction};
use sqlx::{
    AssertSqlSafe, ColumnIndex, Connection, Database, Decode, Executor, IntoArguments, PgPool, Row, SqlitePool, Type,
};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Error, Result, Schema, postgres, sqlite};

mod postgres_migrations {
    refinery::embed_migrations!("migrations/postgres");
}
mod sqlite_migrations {
    refinery::embed_migrations!("migrations/sqlite");
}

/// Any constant does, as long as every instance of this program uses the same.
const ADVISORY_LOCK: &str = "select pg_advisory_xact_lock(6293114705512038477)";

/// Refinery's own table.
const HISTORY_EXISTS: [&str; 2] = [
    "select count(*) from pg_class where oid = to_regclass('refinery_schema_history')",
    "select count(*) from sqlite_schema where name = 'refinery_schema_history'",
];

/// A migration that a database lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its number.
    pub version: i64,
    /// What it does, in a word or two.
    pub name: String,
}

pub(super) async fn prepare_postgres(pool: &PgPool, schema: Schema) -> Result<()> {
    let runner = postgres_migrations::migrations::runner();
    let mut conn = pool.acquire().await?;
    let pending = lacking(&mut *conn, HISTORY_EXISTS[0], &runner).await?;
    if pending.is_empty() {
        return Ok(());
    }
    if schema == Schema::Require {
        return Err(Error::Older(pending.len()));
    }
    let mut tx = conn.begin().await?;
    tx.execute(ADVISORY_LOCK).await?;
    run(&runner, &mut Bridge(&mut *tx)).await?;
    tx.commit().await?;
    Ok(())
}

pub(super) async fn prepare_sqlite(pool: &SqlitePool, schema: Schema) -> Result<()> {
    let runner = sqlite_migrations::migrations::runner();
    let mut conn = pool.acquire().await?;
    let pending = lacking(&mut *conn, HISTORY_EXISTS[1], &runner).await?;
    if pending.is_empty() {
        return Ok(());
    }
    if schema == Schema::Require {
        return Err(Error::Older(pending.len()));
    }
    let mut tx = conn.begin_with("begin immediate").await?;
    run(&runner, &mut Bridge(&mut *tx)).await?;
    tx.commit().await?;
    Ok(())
}

/// What a database lacks, without changing it. A SQLite file that does not exist lacks everything.
pub(super) async fn pending(url: &str) -> Result<Vec<Pending>> {
    if let Some(rest) = url.strip_prefix("sqlite:") {
        let path = sqlite::path(rest)?;
        let runner = sqlite_migrations::migrations::runner();
        if !path.exists() {
            return Ok(all(&runner));
        }
        let pool = sqlite::open(&path, false, sqlite::Use::Read).await?;
        let found = lacking(&mut *pool.acquire().await?, HISTORY_EXISTS[1], &runner).await;
        pool.close().await;
        found
    } else if url.starts_with("postgres") {
        let runner = postgres_migrations::migrations::runner();
        let pool = postgres::open(url).await?;
        let found = lacking(&mut *pool.acquire().await?, HISTORY_EXISTS[0], &runner).await;
        pool.close().await;
        found
    } else {
        Err(Error::Scheme)
    }
}

async fn run<B: AsyncMigrate + Send>(runner: &Runner, bridge: &mut B) -> Result<()> {
    runner.run_async(bridge).await.map_err(|error| Error::Migration(Box::new(error)))?;
    Ok(())
}

fn all(runner: &Runner) -> Vec<Pending> {
    let mut known: Vec<Pending> = runner
        .get_migrations()
        .iter()
        .map(|migration| Pending { version: i64::from(migration.version()), name: migration.name().to_owned() })
        .collect();
    known.sort_by_key(|migration| migration.version);
    known
}

async fn lacking<C, DB>(conn: &mut C, exists: &'static str, runner: &Runner) -> Result<Vec<Pending>>
where
    DB: Database<Connection = C>,
    C: Connection<Database = DB>,
    for<'e> &'e mut C: Executor<'e, Database = DB>,
    usize: ColumnIndex<DB::Row>,
    for<'r> i64: Decode<'r, DB> + Type<DB>,
{
    let known = all(runner);
    let history: i64 = conn.fetch_one(exists).await?.try_get(0)?;
    if history == 0 {
        return Ok(known);
    }
    let newest = "select cast(coalesce(max(version), 0) as bigint) from refinery_schema_history";
    let found: i64 = conn.fetch_one(newest).await?.try_get(0)?;
    let newest_known = known.last().map_or(0, |migration| migration.version);
    if found > newest_known {
        return Err(Error::Newer { found, known: newest_known });
    }
    Ok(known.into_iter().filter(|migration| migration.version > found).collect())
}

/// Lends a sqlx connection to refinery.
struct Bridge<'c, C>(&'c mut C);

impl<C, DB> AsyncTransaction for Bridge<'_, C>
where
    DB: Database<Connection = C>,
    C: Connection<Database = DB>,
    for<'e> &'e mut C: Executor<'e, Database = DB>,
    for<'q> DB::Arguments: IntoArguments<DB>,
{
    type Error = sqlx::Error;

    async fn execute<'a, T: Iterator<Item = &'a str> + Send + 'a>(
        &'a mut self,
        queries: T,
    ) -> std::result::Result<usize, sqlx::Error> {
        let mut savepoint = self.0.begin().await?;
        let mut count = 0;
        for query in queries {
            (&mut *savepoint).execute(sqlx::raw_sql(AssertSqlSafe(query.to_owned()))).await?;
            count += 1;
        }
        savepoint.commit().await?;
        Ok(count)
    }
}

impl<C, DB> AsyncQuery<Vec<Migration>> for Bridge<'_, C>
where
    Self: AsyncTransaction<Error = sqlx::Error>,
    DB: Database<Connection = C>,
    C: Connection<Database = DB>,
    for<'e> &'e mut C: Executor<'e, Database = DB>,
    usize: ColumnIndex<DB::Row>,
    for<'r> i32: Decode<'r, DB> + Type<DB>,
    for<'r> String: Decode<'r, DB> + Type<DB>,
{
    async fn query<'a>(&'a mut self, query: &'a str) -> std::result::Result<Vec<Migration>, sqlx::Error> {
        let rows = (&mut *self.0).fetch_all(AssertSqlSafe(query.to_owned())).await?;
        rows.iter().map(applied).collect()
    }
}

impl<C> AsyncMigrate for Bridge<'_, C> where Self: AsyncQuery<Vec<Migration>> {}

/// A row of refinery's history. One that cannot be read is a broken history, which is reported.
fn applied<'r, R>(row: &'r R) -> std::result::Result<Migration, sqlx::Error>
where
    R: Row,
    usize: ColumnIndex<R>,
    i32: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    let broken = |column: &str, source: Box<dyn std::error::Error + Send + Sync>| sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source,
    };
    let applied_on: String = row.try_get(2)?;
    let checksum: String = row.try_get(3)?;
    Ok(Migration::applied(
        row.try_get(0)?,
        row.try_get(1)?,
        OffsetDateTime::parse(&applied_on, &Rfc3339).map_err(|error| broken("applied_on", error.into()))?,
        checksum.parse().map_err(|error: std::num::ParseIntError| broken("checksum", error.into()))?,
    ))
}
