//! The database: the same contract on Postgres and SQLite.
//!
//! Callers see [`Store`]; nothing outside this module knows SQL. Text that both dialects share is in `store/sql.rs`,
//! what differs (pools, binding, bulk upserts, locking) in `store/postgres.rs` and `store/sqlite.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use crate::batch::Batch;
use crate::decode::Reject;
use crate::kind::{Entity, SessionKind};
use crate::kinds::common;

mod collection;
mod commit;
mod compare;
pub mod copy;
mod daemon;
mod database;
mod error;
mod grant;
mod lease;
mod lock;
mod look;
mod migrate;
mod operation;
mod postgres;
mod read;
mod reader;
mod report;
mod sql;
mod sqlite;
mod sweep;
mod transition;
mod view;

pub use collection::{Collection, Collects};
pub use daemon::{Fingerprint, Refusal, Upkeep};
pub use database::SqlStore;
pub use error::Error;
pub use grant::{Granted, reader as grant_reader};
pub use lease::{Asked, Leases};
pub use look::{JobName, Known, Look, Looks, News, Relative, StoredSession, Transition};
pub use migrate::Pending;
pub use operation::{Event, Ledger, NewOperation, Operation, State, Step, Taken};
pub use report::{KindStatus, LeaseStatus, ManagerStatus, RejectRow, StreamStatus};
pub use sweep::{Doubt, Doubted, Doubts, Likeness, StoredRow, Sweep, SweepScope, SweepStep};
pub use view::{Cell, Filter, Select, Type, View, Views};

/// The result of a call to the store.
pub type Result<T> = std::result::Result<T, Error>;

/// Which time of a session a stream follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// When it started.
    Creation,
    /// When it ended.
    End,
}

impl Field {
    /// Its name in `sync_marks`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Creation => "creation",
            Self::End => "end",
        }
    }

    /// The position of its column, which is the same in every session type.
    #[must_use]
    pub const fn column(self) -> usize {
        match self {
            Self::Creation => common::CREATION_TIME,
            Self::End => common::END_TIME,
        }
    }
}

/// The watermark of one stream: how far one kind of one backup server is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// The backup server; nil for rows that name none.
    pub server: Uuid,
    /// Which time it follows.
    pub field: Field,
    /// The greatest value seen and committed.
    pub mark: DateTime<Utc>,
    /// When the stream was last read to its end, by Enterprise Manager's clock.
    pub scanned_at: DateTime<Utc>,
    /// How far before the mark each scan begins.
    pub overlap_seconds: i64,
    /// How dense the last scan found the stream.
    pub rows_per_hour: f64,
}

/// A stretch of history that is read, or is being read from its end downwards.
#[derive(Debug, Clone, PartialEq)]
pub struct Backfill {
    /// The backup server; nil for all of them.
    pub server: Uuid,
    /// When it began, by Enterprise Manager's clock.
    pub started_at: DateTime<Utc>,
    /// Everything from here on is read …
    pub from: DateTime<Utc>,
    /// … up to here.
    pub until: DateTime<Utc>,
    /// The marks that the first backfill's newest window gave, by server.
    pub first_marks: Option<Vec<(Uuid, DateTime<Utc>)>>,
    /// When it reached its floor.
    pub finished_at: Option<DateTime<Utc>>,
    /// How far down it is to go where that is settled; `None` leaves it to the settings.
    pub floor: Option<DateTime<Utc>>,
}

impl Backfill {
    /// Whether it is the first history of its kind, and read to its floor.
    #[must_use]
    pub fn is_first_history(&self) -> bool {
        self.first_marks.is_some() && self.finished_at.is_some()
    }
}

/// A stored row that has not ended, and how it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRow {
    /// Its identity.
    pub uid: Uuid,
    /// When it started.
    pub creation_time: DateTime<Utc>,
    /// Whether its state is a finished one, so that only its end time is missing.
    pub is_finished: bool,
    /// When it was last asked for by UID.
    pub asked_at: Option<DateTime<Utc>>,
    /// How often it was asked for by UID.
    pub times: i64,
    /// Whether the source did not return it when last asked.
    pub is_absent: bool,
}

/// A row that was asked for by UID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reread {
    /// The row.
    pub uid: Uuid,
    /// Whether the source returned it.
    pub was_returned: bool,
}

/// What one window gave, and how far it brings its streams: all of it is stored, or none.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The Enterprise Manager.
    pub em_id: i64,
    /// The API's query type, under which marks, backfills and rejects are kept.
    pub kind: &'static str,
    /// The rows.
    pub batch: Batch,
    /// Final states of the kind; `None` for parents, whose rows never end.
    pub session: Option<&'static SessionKind>,
    /// Records that could not be decoded.
    pub rejects: Vec<Reject>,
    /// Marks that are true once the rows are stored.
    pub marks: Vec<Mark>,
    /// Progress of a backfill.
    pub backfills: Vec<Backfill>,
    /// Rows that were asked for by UID.
    pub rereads: Vec<Reread>,
    /// Rows of the batch that are to be stored as running again though they are stored as ended.
    pub reopened: Vec<Uuid>,
    /// What a sweep found, and how far it is.
    pub sweep: Option<SweepStep>,
    /// The source went back: marks fall to this floor, and history is read again down to it.
    pub rewind: Option<DateTime<Utc>>,
    /// Rows that changed here after this are left alone; `None` stores whatever differs.
    pub unless_changed_since: Option<DateTime<Utc>>,
    /// The time of Enterprise Manager's answer.
    pub seen_at: DateTime<Utc>,
}

impl Commit {
    /// A commit that stores nothing yet.
    #[must_use]
    pub fn new(em_id: i64, entity: Entity, session: Option<&'static SessionKind>, seen_at: DateTime<Utc>) -> Self {
        Self {
            em_id,
            kind: entity.name,
            batch: Batch::new(entity),
            session,
            rejects: Vec::new(),
            marks: Vec::new(),
            backfills: Vec::new(),
            rereads: Vec::new(),
            reopened: Vec::new(),
            sweep: None,
            rewind: None,
            unless_changed_since: None,
            seen_at,
        }
    }
}

/// What became of the rows of a commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows that were read.
    pub read: u64,
    /// Rows that were new.
    pub inserted: u64,
    /// Rows that had changed.
    pub updated: u64,
    /// Records that could not be stored.
    pub rejected: u64,
}

impl Counts {
    /// Rows that were stored already as they are.
    #[must_use]
    pub fn unchanged(&self) -> u64 {
        self.read.saturating_sub(self.inserted + self.updated)
    }

    /// Adds another commit's counts.
    pub fn add(&mut self, other: Self) {
        self.read += other.read;
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.rejected += other.rejected;
    }
}

/// One line of the sync's diary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// The Enterprise Manager.
    pub em_id: i64,
    /// The API's query type.
    pub kind: &'static str,
    /// narrow, wide, backfill or sweep.
    pub mode: &'static str,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// done, unavailable or failed.
    pub outcome: &'static str,
    /// Requests that it sent.
    pub requests: u64,
    /// What became of the rows.
    pub counts: Counts,
    /// Why it failed.
    pub error: Option<String>,
}

/// What a sync needs of a database.
#[async_trait]
pub trait Store: Send + Sync {
    /// Who may write for which Enterprise Manager: without the turn, [`Store::commit`] and [`Store::record_pass`] are
    /// refused with [`Error::Fenced`].
    fn leases(&self) -> &Leases;

    /// Finds or makes the row of an Enterprise Manager and returns its id.
    async fn manager(&self, name: &str, base_url: &str, api_version: Option<&str>, now: DateTime<Utc>) -> Result<i64>;

    /// When the Enterprise Manager of that name was first read, if it ever was.
    async fn manager_since(&self, name: &str) -> Result<Option<DateTime<Utc>>>;

    /// The backup servers of an Enterprise Manager that are known.
    async fn servers(&self, em_id: i64) -> Result<Vec<Uuid>>;

    /// The marks of one kind.
    async fn marks(&self, em_id: i64, kind: &SessionKind) -> Result<Vec<Mark>>;

    /// The stretches of history of one kind that are read, or under way.
    async fn backfills(&self, em_id: i64, kind: &SessionKind) -> Result<Vec<Backfill>>;

    /// How many rows of one kind that were created since then are stored, by backup server; nil for rows that name none.
    async fn rows_by_server(&self, em_id: i64, kind: &SessionKind, since: DateTime<Utc>) -> Result<Vec<(Uuid, u64)>>;

    /// Stored rows of one kind that have not ended.
    async fn open_rows(&self, em_id: i64, kind: &SessionKind) -> Result<Vec<OpenRow>>;

    /// Parent sessions that tasks of this kind refer to, that are not stored, and that were never asked for.
    async fn unseen_parent_sessions(&self, em_id: i64, kind: &SessionKind) -> Result<Vec<Uuid>>;

    /// The names of all backup servers that have one.
    async fn server_names(&self) -> Result<HashMap<Uuid, String>>;

    /// The newest sweeps of one kind, newest first.
    async fn sweeps(&self, em_id: i64, kind: &SessionKind) -> Result<Vec<Sweep>>;

    /// Stored rows of one kind that are not marked as missing, newest first, created from `from` up to `to`.
    async fn stored_rows(
        &self,
        em_id: i64,
        kind: &SessionKind,
        from: DateTime<Utc>,
        to: Option<DateTime<Utc>>,
        limit: u32,
    ) -> Result<Vec<StoredRow>>;

    /// How the rows of a batch compare with what is stored; those that are not stored are left out.
    async fn compare(&self, batch: &Batch, kind: &'static SessionKind) -> Result<Vec<Likeness>>;

    /// Rows that sweeps have doubted, oldest first, with the time of the first doubt.
    async fn doubts(&self, em_id: i64, entity: Entity, which: Doubts) -> Result<Vec<Doubted>>;

    /// How many rows of one kind are marked as missing, by backup server and day of creation.
    async fn marked_by_day(
        &self,
        em_id: i64,
        kind: &SessionKind,
        from: DateTime<Utc>,
    ) -> Result<Vec<(Uuid, NaiveDate, u64)>>;

    /// Objects of a parent's type that were listed once: those that are marked as missing, or those that are not.
    async fn listed_parents(&self, em_id: i64, entity: Entity, is_missing: bool) -> Result<Vec<Uuid>>;

    /// The rows of one kind that gave each backup server its creation mark.
    async fn rows_at_marks(&self, em_id: i64, kind: &SessionKind) -> Result<Vec<StoredRow>>;

    /// The newest rows of one kind and backup server that started up to `until` and were first stored before
    /// `seen_before`, by this machine's clock.
    async fn newest_rows(
        &self,
        em_id: i64,
        kind: &SessionKind,
        server: Uuid,
        until: DateTime<Utc>,
        seen_before: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<StoredRow>>;

    /// When the Enterprise Manager was last found to show older data than before.
    async fn went_back_at(&self, em_id: i64) -> Result<Option<DateTime<Utc>>>;

    /// Stores what several windows gave, in order, all of it or none of it. Rows of the same kind are stored in the
    /// order of the commits.
    async fn commit(&self, commits: &[Commit], now: DateTime<Utc>) -> Result<Vec<Counts>>;

    /// Writes a line of the diary, and cuts it after 90 days.
    async fn record_pass(&self, pass: &Pass) -> Result<()>;

    /// What is known of an Enterprise Manager's own collections.
    async fn collection(&self, em_id: i64) -> Result<Collection>;

    /// Takes note of what an Enterprise Manager said of its own collections.
    async fn set_collection(&self, em_id: i64, collection: &Collection) -> Result<()>;

    /// Everything that `vemsync status` shows; counting all rows takes seconds on years of history.
    async fn status(&self, counts_rows: bool) -> Result<Vec<ManagerStatus>>;

    /// Rejected records, newest first.
    async fn rejects(&self) -> Result<Vec<RejectRow>>;

    /// Forgets a rejected record that could be stored after all.
    async fn forget_reject(&self, id: i64) -> Result<()>;

    /// Waits for the connections to close.
    async fn close(&self);
}

/// Whether a database is made, or brought to this program's schema, when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// Apply what is pending.
    Migrate,
    /// Refuse a database that is not up to date.
    Require,
}

/// Opens a database by its URL: `sqlite:PATH` or `postgres://…`.
///
/// # Errors
/// If it cannot be reached, or holds the schema of a newer program.
pub async fn connect(url: &str, schema: Schema) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(SqlStore::connect(url, schema).await?))
}

/// Opens a database by its URL for reading its views. Nothing is written, not even the schema: an account that may only
/// read is enough, and a SQLite file in a folder that is closed for writing.
///
/// # Errors
/// If it cannot be reached, or is not up to date.
pub async fn connect_views(url: &str) -> Result<Arc<dyn Views>> {
    Ok(Arc::new(reader::open(url).await?))
}

/// Sees that a SQLite file can be written to, or made. A server has rights of its own, which show when they are used.
///
/// # Errors
/// If not.
pub fn check_writable(url: &str) -> Result<()> {
    match url.strip_prefix("sqlite:") {
        Some(rest) => sqlite::check_writable(&sqlite::path(rest)?),
        None => Ok(()),
    }
}

/// The migrations that a database lacks. Nothing is applied, and no database is made.
///
/// # Errors
/// If it cannot be reached, or holds the schema of a newer program.
pub async fn pending(url: &str) -> Result<Vec<Pending>> {
    migrate::pending(url).await
}
