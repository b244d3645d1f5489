//! What the daemon keeps for itself: refused logons, and the rows that have been kept long enough.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::Result;
use super::database::{Pools, Row, SqlStore, Value};
use super::sql::{self, Dialect};
use super::sqlite;
use crate::kind::SessionKind;

/// A logon that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// When.
    pub refused_at: DateTime<Utc>,
    /// Of whom.
    pub credentials: Fingerprint,
    /// What Enterprise Manager said.
    pub message: String,
}

/// Tells one account and password from others without giving them away: a random number, and a single byte of a hash.
/// One change in 256 goes unnoticed, which costs no more than a longer wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Of an address, an account and its password, with a random number of its own.
    #[must_use]
    pub fn of(parts: [&str; 3]) -> Self {
        Self::with(&format!("{:016x}", fastrand::u64(..)), parts)
    }

    /// Whether it may be that of these.
    #[must_use]
    pub fn fits(&self, parts: [&str; 3]) -> bool {
        let salt = self.0.split(':').next().unwrap_or_default();
        *self == Self::with(salt, parts)
    }

    fn with(salt: &str, parts: [&str; 3]) -> Self {
        let mut hash = Sha256::new();
        for part in std::iter::once(salt).chain(parts) {
            hash.update(part);
            hash.update([0]);
        }
        Self(format!("{salt}:{:02x}", hash.finalize()[0]))
    }
}

/// What the daemon needs of a database besides the sync.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Sees that the database answers.
    async fn ping(&self) -> Result<()>;

    /// Gives back the memory that only much writing needs.
    async fn shrink(&self) -> Result<()>;

    /// The logons at an Enterprise Manager that were refused since one last succeeded, oldest first.
    async fn refusals(&self, manager: &str) -> Result<Vec<Refusal>>;

    /// Remembers another one.
    async fn add_refusal(&self, manager: &str, refusal: &Refusal) -> Result<()>;

    /// Forgets them: a logon has succeeded.
    async fn forget_refusals(&self, manager: &str) -> Result<()>;

    /// Deletes up to `limit` ended sessions of one kind that were created before `before`, with their inner rows and
    /// transitions, and returns how many there were. Asks for the turn, like [`super::Store::commit`].
    async fn purge(
        &self,
        em_id: i64,
        kind: &SessionKind,
        before: DateTime<Utc>,
        limit: u32,
        now: DateTime<Utc>,
    ) -> Result<u64>;
}

#[async_trait]
impl Upkeep for SqlStore {
    async fn ping(&self) -> Result<()> {
        self.begin_read().await?.query("select count(*) from enterprise_managers", vec![]).await.map(drop)
    }

    async fn shrink(&self) -> Result<()> {
        match self.pools() {
            Pools::Postgres(_) => Ok(()),
            Pools::Sqlite { writer, .. } => sqlite::shrink(writer).await,
        }
    }

    async fn refusals(&self, manager: &str) -> Result<Vec<Refusal>> {
        let select =
            "select refused_at, credentials, message from sync_refusals where em_name = $1 order by refused_at, id";
        let rows = self.begin_read().await?.query(select, vec![manager.into()]).await?;
        let refusal = |row: &Row| {
            Ok(Refusal {
                refused_at: row.time(0)?,
                credentials: Fingerprint(row.text(1)?.unwrap_or_default()),
                message: row.text(2)?.unwrap_or_default(),
            })
        };
        rows.iter().map(refusal).collect()
    }

    async fn add_refusal(&self, manager: &str, refusal: &Refusal) -> Result<()> {
        let mut tx = self.begin().await?;
        tx.execute(
            "insert into sync_refusals (em_name, refused_at, credentials, message) values ($1, $2, $3, $4)",
            vec![
                manager.into(),
                refusal.refused_at.into(),
                refusal.credentials.0.as_str().into(),
                refusal.message.as_str().into(),
            ],
        )
        .await?;
        tx.commit().await
    }

    async fn forget_refusals(&self, manager: &str) -> Result<()> {
        // Most logons follow upon none that was refused, and need not write.
        if self.refusals(manager).await?.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        tx.execute("delete from sync_refusals where em_name = $1", vec![manager.into()]).await?;
        tx.commit().await
    }

    async fn purge(
        &self,
        em_id: i64,
        kind: &SessionKind,
        before: DateTime<Utc>,
        limit: u32,
        now: DateTime<Utc>,
    ) -> Result<u64> {
        let mut tx = self.begin().await?;
        self.leases.check(&mut tx, em_id, now).await?;
        let locked = if tx.dialect() == Dialect::Postgres { " for update" } else { "" };
        let old = format!(
            "select uid from {} where em_id = $1 and creation_time < $2 and not ({}) order by creation_time limit $3{locked}",
            kind.table,
            sql::is_open(kind)
        );
        let rows = tx.query(&old, vec![em_id.into(), before.into(), u64::from(limit).into()]).await?;
        let uids = rows.iter().map(|row| row.uid(0)).collect::<Result<Vec<_>>>()?;
        if uids.is_empty() {
            return Ok(0);
        }
        let list = sql::uid_list(tx.dialect(), 1);
        let uids = Value::Uids(uids);
        if kind.table == "cloud_failover_sessions" {
            let inner = format!("delete from cloud_failover_task_sessions where session_uid in ({list})");
            tx.execute(&inner, vec![uids.clone()]).await?;
        }
        let trail = format!("delete from session_transitions where kind = $2 and uid in ({list})");
        tx.execute(&trail, vec![uids.clone(), kind.name.into()]).await?;
        for table in ["sync_doubts", "sync_rereads"] {
            let notes = format!("delete from {table} where em_id = $2 and kind = $3 and uid in ({list})");
            tx.execute(&notes, vec![uids.clone(), em_id.into(), kind.name.into()]).await?;
        }
        let deleted = tx.execute(&format!("delete from {} where uid in ({list})", kind.table), vec![uids]).await?;
        tx.commit().await?;
        Ok(deleted)
    }
}
