//! Pools, transactions, values and rows of both databases behind one face, so that a statement is written once.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use sqlx::{AssertSqlSafe, PgPool, Postgres, Row as _, Sqlite, SqlitePool, Transaction};
use uuid::Uuid;

use super::lock::Locks;
use super::postgres::answered;
use super::sql::Dialect;
use super::{
    Backfill, Collection, Commit, Counts, Doubted, Doubts, Error, Leases, Likeness, ManagerStatus, Mark, OpenRow, Pass,
    RejectRow, Result, Schema, Store, StoredRow, Sweep, migrate, postgres, sqlite,
};
use crate::batch::{Batch, Values};
use crate::kind::{Entity, SessionKind};
use crate::timestamp;

/// A value on its way into a statement.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Uid(Option<Uuid>),
    Uids(Vec<Uuid>),
    Time(Option<DateTime<Utc>>),
    Int(Option<i64>),
    Real(f64),
    Bool(Option<bool>),
    Text(Option<String>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Int(Some(i64::try_from(value).unwrap_or(i64::MAX)))
    }
}

impl From<DateTime<Utc>> for Value {
    fn from(time: DateTime<Utc>) -> Self {
        Self::Time(Some(time))
    }
}

impl From<Uuid> for Value {
    fn from(uid: Uuid) -> Self {
        Self::Uid(Some(uid))
    }
}

/// The value of a batch's column.
pub(super) fn value(values: &Values, row: usize) -> Value {
    match values {
        Values::Uid(values) => Value::Uid(values[row]),
        Values::Text(values) => Value::Text(values.get(row).map(str::to_owned)),
        Values::Time(values) => Value::Time(values[row]),
        Values::Bigint(values) => Value::Int(values[row]),
        Values::Bool(values) => Value::Bool(values[row]),
    }
}

/// A row on its way out.
pub(super) enum Row {
    Postgres(sqlx::postgres::PgRow),
    Sqlite(sqlx::sqlite::SqliteRow),
}

impl Row {
    pub(super) fn int(&self, column: usize) -> Result<i64> {
        Ok(self.maybe_int(column)?.unwrap_or_default())
    }

    pub(super) fn real(&self, column: usize) -> Result<f64> {
        Ok(match self {
            Self::Postgres(row) => row.try_get(column)?,
            Self::Sqlite(row) => row.try_get(column)?,
        })
    }

    pub(super) fn maybe_real(&self, column: usize) -> Result<Option<f64>> {
        Ok(match self {
            Self::Postgres(row) => row.try_get(column)?,
            Self::Sqlite(row) => row.try_get(column)?,
        })
    }

    pub(super) fn maybe_bool(&self, column: usize) -> Result<Option<bool>> {
        Ok(match self {
            Self::Postgres(row) => row.try_get(column)?,
            Self::Sqlite(row) => row.try_get(column)?,
        })
    }

    pub(super) fn maybe_day(&self, column: usize) -> Result<Option<NaiveDate>> {
        match self {
            Self::Postgres(row) => Ok(row.try_get(column)?),
            Self::Sqlite(row) => row.try_get::<Option<String>, _>(column)?.map(super::view::day).transpose(),
        }
    }

    pub(super) fn maybe_int(&self, column: usize) -> Result<Option<i64>> {
        Ok(match self {
            Self::Postgres(row) => row.try_get(column)?,
            Self::Sqlite(row) => row.try_get(column)?,
        })
    }

    /// A number that a statement spells as a literal, which Postgres makes narrower than a column's.
    pub(super) fn small(&self, column: usize) -> Result<i64> {
        Ok(match self {
            Self::Postgres(row) => row.try_get::<i32, _>(column)?.into(),
            Self::Sqlite(row) => row.try_get(column)?,
        })
    }

    pub(super) fn text(&self, column: usize) -> Result<Option<String>> {
        Ok(match self {
            Self::Postgres(row) => row.try_get(column)?,
            Self::Sqlite(row) => row.try_get(column)?,
        })
    }

    pub(super) fn uid(&self, column: usize) -> Result<Uuid> {
        self.maybe_uid(column)?.ok_or_else(|| Error::Value("an identity that must not be null is null".to_owned()))
    }

    pub(super) fn maybe_uid(&self, column: usize) -> Result<Option<Uuid>> {
        match self {
            Self::Postgres(row) => Ok(row.try_get(column)?),
            Self::Sqlite(row) => {
                let text: Option<String> = row.try_get(column)?;
                text.map(|text| Uuid::try_parse(&text).map_err(|_| Error::Value(text))).transpose()
            }
        }
    }

    pub(super) fn time(&self, column: usize) -> Result<DateTime<Utc>> {
        self.maybe_time(column)?.ok_or_else(|| Error::Value("a time that must not be null is null".to_owned()))
    }

    pub(super) fn maybe_time(&self, column: usize) -> Result<Option<DateTime<Utc>>> {
        match self {
            Self::Postgres(row) => Ok(row.try_get(column)?),
            Self::Sqlite(row) => {
                let text: Option<String> = row.try_get(column)?;
                text.map(|text| timestamp::parse(&text).ok_or(Error::Value(text))).transpose()
            }
        }
    }
}

/// A transaction, or the session of one that only reads.
pub(super) enum Tx {
    Postgres(Transaction<'static, Postgres>),
    Sqlite(Transaction<'static, Sqlite>),
}

impl Tx {
    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Self::Postgres(_) => Dialect::Postgres,
            Self::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// Runs a statement and returns how many rows it wrote.
    pub(super) async fn execute(&mut self, sql: &str, values: Vec<Value>) -> Result<u64> {
        let sql = AssertSqlSafe(sql.to_owned());
        Ok(match self {
            Self::Postgres(tx) => answered(postgres::query(sql, values).execute(&mut **tx)).await?.rows_affected(),
            Self::Sqlite(tx) => sqlite::bind(sqlx::query(sql), values).execute(&mut **tx).await?.rows_affected(),
        })
    }

    pub(super) async fn query(&mut self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>> {
        let sql = AssertSqlSafe(sql.to_owned());
        Ok(match self {
            Self::Postgres(tx) => {
                let rows = answered(postgres::query(sql, values).fetch_all(&mut **tx)).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
            Self::Sqlite(tx) => {
                let rows = sqlite::bind(sqlx::query(sql), values).fetch_all(&mut **tx).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
        })
    }

    /// The rows of a query one by one, however many there are: a row of SQLite takes ten times the room of its values.
    pub(super) fn stream(&mut self, sql: String, values: Vec<Value>) -> BoxStream<'_, Result<Row>> {
        let sql = AssertSqlSafe(sql);
        match self {
            Self::Postgres(tx) => {
                postgres::query(sql, values).fetch(&mut **tx).map(|row| Ok(Row::Postgres(row?))).boxed()
            }
            Self::Sqlite(tx) => {
                let rows = sqlite::bind(sqlx::query(sql), values).fetch(&mut **tx);
                rows.map(|row| Ok(Row::Sqlite(row?))).boxed()
            }
        }
    }

    /// What each row of many says, none of which is kept.
    pub(super) async fn map<T>(
        &mut self,
        sql: &str,
        values: Vec<Value>,
        read: impl Fn(&Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut rows = self.stream(sql.to_owned(), values);
        let mut all = Vec::new();
        while let Some(row) = rows.next().await {
            all.push(read(&row?)?);
        }
        Ok(all)
    }

    pub(super) async fn commit(self) -> Result<()> {
        match self {
            Self::Postgres(tx) => answered(tx.commit()).await?,
            Self::Sqlite(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

#[derive(Clone)]
pub(super) enum Pools {
    Postgres(PgPool),
    /// One connection writes and has the cache; the others only read.
    Sqlite {
        writer: SqlitePool,
        reader: SqlitePool,
    },
}

/// The store on either database.
pub struct SqlStore {
    pools: Pools,
    pub(super) leases: Leases,
    /// Parents that are known to be stored, so that a commit need not ask.
    pub(super) known_parents: tokio::sync::Mutex<std::collections::HashSet<(&'static str, Uuid)>>,
}

impl SqlStore {
    /// Opens a database by its URL.
    ///
    /// # Errors
    /// If it cannot be reached, or holds another schema than this program's.
    pub async fn connect(url: &str, schema: Schema) -> Result<Self> {
        let (pools, locks) = if let Some(path) = url.strip_prefix("sqlite:") {
            let path = sqlite::path(path)?;
            let may_create = schema == Schema::Migrate;
            if !may_create && !path.exists() {
                return Err(Error::Missing(path.display().to_string()));
            }
            if may_create && !path.exists() {
                sqlite::make(&path)?;
            }
            let writer = sqlite::open(&path, may_create, sqlite::Use::Write).await?;
            migrate::prepare_sqlite(&writer, schema).await?;
            let reader = sqlite::open(&path, false, sqlite::Use::Read).await?;
            // Whoever comes by another path finds the same locks.
            let path = std::fs::canonicalize(&path).unwrap_or(path);
            (Pools::Sqlite { writer, reader }, Locks::beside(path))
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let pool = postgres::open(url).await?;
            migrate::prepare_postgres(&pool, schema).await?;
            let locks = Locks::of_session(pool.connect_options().as_ref().clone());
            (Pools::Postgres(pool), locks)
        } else {
            return Err(Error::Scheme);
        };
        Ok(Self { leases: Leases::new(pools.clone(), locks), pools, known_parents: tokio::sync::Mutex::default() })
    }

    /// With leases of another length than 20 seconds. Pauses between two tries shrink and grow with it.
    #[must_use]
    pub fn with_leases_of(mut self, length: std::time::Duration) -> Self {
        self.leases.set_length(length);
        self
    }

    /// Whether no connection of the pools is at work.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        match &self.pools {
            Pools::Postgres(pool) => pool.num_idle() == pool.size() as usize,
            Pools::Sqlite { writer, reader } => {
                writer.num_idle() == writer.size() as usize && reader.num_idle() == reader.size() as usize
            }
        }
    }

    pub(super) async fn begin(&self) -> Result<Tx> {
        self.pools.begin().await
    }

    pub(super) fn pools(&self) -> &Pools {
        &self.pools
    }

    pub(super) async fn begin_read(&self) -> Result<Tx> {
        self.pools.begin_read().await
    }
}

impl Pools {
    /// A transaction that may write. On SQLite it holds the write lock from its start.
    pub(super) async fn begin(&self) -> Result<Tx> {
        Ok(match self {
            Self::Postgres(pool) => Tx::Postgres(answered(pool.begin()).await?),
            Self::Sqlite { writer, .. } => Tx::Sqlite(writer.begin_with("begin immediate").await?),
        })
    }

    /// A transaction that only reads, and so waits for nobody.
    pub(super) async fn begin_read(&self) -> Result<Tx> {
        Ok(match self {
            Self::Postgres(pool) => Tx::Postgres(answered(pool.begin()).await?),
            Self::Sqlite { reader, .. } => Tx::Sqlite(reader.begin().await?),
        })
    }
}

#[async_trait]
impl Store for SqlStore {
    fn leases(&self) -> &Leases {
        &self.leases
    }

    async fn manager(&self, name: &str, base_url: &str, api_version: Option<&str>, now: DateTime<Utc>) -> Result<i64> {
        super::commit::manager(self, name, base_url, api_version, now).await
    }

    async fn manager_since(&self, name: &str) -> Result<Option<DateTime<Utc>>> {
        super::read::manager_since(&mut self.begin_read().await?, name).await
    }

    async fn servers(&self, em_id: i64) -> Result<Vec<Uuid>> {
        super::read::servers(&mut self.begin_read().await?, em_id).await
    }

    async fn marks(&self, em_id: i64, kind: &SessionKind) -> Result<Vec<Mark>> {
        super::read::marks(&mut self.begin_read().await?, em_id, kind).await
    }

    async fn backfills(&self, em_id: i64, kind: &SessionKind) -> Result<Vec<Backfill>> {
        super::read::backfills(&mut self.begin_read().await?, em_id, kind).await
    }

    async fn rows_by_server(&self, em_id: i64, kind: &SessionKind, since: DateTime<Utc>) -> Result<Vec<(Uuid, u64)>> {
        super::read::rows_by_server(&mut self.begin_read().await?, em_id, kind, since).await
    }

    async fn open_rows(&self, em_id: i64, kind: &SessionKind) -> Result<Vec<OpenRow>> {
        super::read::open_rows(&mut self.begin_read().await?, em_id, kind).await
    }

    async fn unseen_parent_sessions(&self, em_id: i64, kind: &SessionKind) -> Result<Vec<Uuid>> {
        super::read::unseen_parent_sessions(&mut self.begin_read().await?, em_id, kind).await
    }

    async fn server_names(&self) -> Result<HashMap<Uuid, String>> {
        super::read::server_names(&mut self.begin_read().await?).await
    }

    async fn sweeps(&self, em_id: i64, kind: &SessionKind) -> Result<Vec<Sweep>> {
        super::compare::sweeps(&mut self.begin_read().await?, em_id, kind.name).await
    }

    async fn stored_rows(
        &self,
        em_id: i64,
        kind: &SessionKind,
        from: DateTime<Utc>,
        to: Option<DateTime<Utc>>,
        limit: u32,
    ) -> Result<Vec<StoredRow>> {
        super::compare::stored_rows(&mut self.begin_read().await?, em_id, kind, from, to, limit).await
    }

    async fn compare(&self, batch: &Batch, kind: &'static SessionKind) -> Result<Vec<Likeness>> {
        super::compare::compare(&mut self.begin_read().await?, batch, kind).await
    }

    async fn doubts(&self, em_id: i64, entity: Entity, which: Doubts) -> Result<Vec<Doubted>> {
        super::compare::doubts(&mut self.begin_read().await?, em_id, entity, which).await
    }

    async fn marked_by_day(
        &self,
        em_id: i64,
        kind: &SessionKind,
        from: DateTime<Utc>,
    ) -> Result<Vec<(Uuid, NaiveDate, u64)>> {
        super::compare::marked_by_day(&mut self.begin_read().await?, em_id, kind, from).await
    }

    async fn listed_parents(&self, em_id: i64, entity: Entity, is_missing: bool) -> Result<Vec<Uuid>> {
        super::compare::listed_parents(&mut self.begin_read().await?, em_id, entity, is_missing).await
    }

    async fn rows_at_marks(&self, em_id: i64, kind: &SessionKind) -> Result<Vec<StoredRow>> {
        super::compare::rows_at_marks(&mut self.begin_read().await?, em_id, kind).await
    }

    async fn newest_rows(
        &self,
        em_id: i64,
        kind: &SessionKind,
        server: Uuid,
        until: DateTime<Utc>,
        seen_before: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<StoredRow>> {
        let mut tx = self.begin_read().await?;
        super::compare::newest_rows(&mut tx, em_id, kind, server, until, seen_before, limit).await
    }

    async fn went_back_at(&self, em_id: i64) -> Result<Option<DateTime<Utc>>> {
        super::read::went_back_at(&mut self.begin_read().await?, em_id).await
    }

    async fn commit(&self, commits: &[Commit], now: DateTime<Utc>) -> Result<Vec<Counts>> {
        super::commit::commit(self, commits, now).await
    }

    async fn record_pass(&self, pass: &Pass) -> Result<()> {
        super::report::record_pass(self, pass).await
    }

    async fn collection(&self, em_id: i64) -> Result<Collection> {
        super::collection::collection(&mut self.begin_read().await?, em_id).await
    }

    async fn set_collection(&self, em_id: i64, collection: &Collection) -> Result<()> {
        super::collection::set_collection(self, em_id, collection).await
    }

    async fn status(&self, counts_rows: bool) -> Result<Vec<ManagerStatus>> {
        super::report::status(&mut self.begin_read().await?, counts_rows).await
    }

    async fn rejects(&self) -> Result<Vec<RejectRow>> {
        let newest = "order by r.last_seen_at desc, r.id desc";
        super::report::rejects(&mut self.begin_read().await?, "r.raw", newest, vec![]).await
    }

    async fn forget_reject(&self, id: i64) -> Result<()> {
        let mut tx = self.begin().await?;
        tx.execute("delete from sync_rejects where id = $1", vec![id.into()]).await?;
        tx.commit().await
    }

    async fn close(&self) {
        self.leases.close().await;
        match &self.pools {
            // It would wait for connections that are dead and do not know it.
            Pools::Postgres(pool) => drop(postgres::close(pool).await),
            Pools::Sqlite { writer, reader } => {
                reader.close().await;
                writer.close().await;
            }
        }
    }
}
