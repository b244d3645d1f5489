//! Moves a whole history to another database: every row with its marks, as they are.
//!
//! The target keeps no note of how far a copy came. Each run compares and stores what differs, so that it goes on
//! wherever another was cut off, and also where the source has changed since. It ends by comparing both databases, and
//! that comparison is what counts. Rows that only the target has are another history's: they are never deleted, and
//! nothing is copied to where they are.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::database::{SqlStore, Tx};
use super::lock::{Lock, Locks};
use super::reader::Look;
use super::sql::Dialect;
use super::{Error, Schema, Store as _, migrate, sqlite};

mod row;
mod table;
mod write;

use row::{Cell, Digest, Rows, spelt};
use table::{Fate, MANAGERS, Order, TABLES, Table};

pub use table::{JSON, NOT_COPIED};

/// One of the two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Where the rows come from. It is not changed.
    Source,
    /// Where they go.
    Target,
}

impl End {
    fn failed(self) -> impl Fn(Error) -> CopyError {
        move |source| CopyError::Database { end: self, source }
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}

/// Why nothing was copied, or not everything. What was stored stays, and another run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A database cannot be used.
    #[error("{end}")]
    Database {
        /// Which one.
        end: End,
        /// Why.
        #[source]
        source: Error,
    },
    /// An instance has the turn to write.
    #[error("{end}: {holder} writes to it: stop it, then run this again")]
    Busy {
        /// To which database.
        end: End,
        /// Who.
        holder: String,
    },
    /// The target is another history's, or it has gone on by itself.
    #[error(
        "target: it holds rows that the source does not have ({rows} in {table}, such as {example}): give an empty database"
    )]
    Foreign {
        /// The first table that has such rows.
        table: &'static str,
        /// How many.
        rows: u64,
        /// The first one's key.
        example: String,
    },
    /// Someone has altered a table.
    #[error("the columns of {table} are not the same in both databases: see what was added by hand")]
    Columns {
        /// Which table.
        table: &'static str,
    },
    /// The token was cancelled.
    #[error("interrupted: what is copied stays; run it again to go on")]
    Interrupted,
}

/// The result of a call here.
pub type Outcome<T> = std::result::Result<T, CopyError>;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Rows are stored.
    Copying,
    /// Both databases are read.
    Comparing,
}

/// How far it is with one table.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// What is being done.
    pub step: Step,
    /// The table.
    pub table: &'static str,
    /// Rows that are done.
    pub done: u64,
    /// Rows that the source has.
    pub rows: u64,
}

/// A table, compared. The source comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The table.
    pub table: &'static str,
    /// How many rows each database has.
    pub rows: [u64; 2],
    /// SHA-256 over all rows in the order of their keys, in a form that does not depend on the database.
    pub checksums: [String; 2],
}

impl Compared {
    /// Whether both databases hold the same.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.rows[0] == self.rows[1] && self.checksums[0] == self.checksums[1]
    }
}

/// What a copy came to.
#[derive(Debug, Clone)]
pub struct Copied {
    /// Rows that were new in the target, or different.
    pub written: u64,
    /// Every table, compared afterwards.
    pub tables: Vec<Compared>,
}

/// What every step needs: when to stop, and whom to tell.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Stops between two batches.
    pub cancel: &'a CancellationToken,
    /// Told after each batch.
    pub progress: &'a (dyn Fn(Progress) + Send + Sync),
}

/// Names of the tables that are copied, in the order in which they are.
pub fn tables() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|(name, _)| *name)
}

/// Whether two URLs name one database, as far as they tell.
#[must_use]
pub fn is_same(from: &str, to: &str) -> bool {
    let file = |url: &str| {
        let path = sqlite::path(url.strip_prefix("sqlite:")?).ok()?;
        Some(std::fs::canonicalize(&path).unwrap_or(path))
    };
    let server = |url: &str| {
        let options = PgConnectOptions::from_str(url).ok()?;
        let database = options.get_database().unwrap_or(options.get_username()).to_owned();
        Some((options.get_host().to_owned(), options.get_socket().cloned(), options.get_port(), database))
    };
    match (file(from), file(to)) {
        (Some(from), Some(to)) => from == to,
        (None, None) => server(from).is_some_and(|from| server(to) == Some(from)),
        _ => false,
    }
}

/// Copies everything, then compares both databases.
///
/// # Errors
/// If a database cannot be used or is in use, or if the target holds rows that the source does not have.
pub async fn copy(from: &str, to: &str, watch: Watch<'_>) -> Outcome<Copied> {
    let mut source = look(End::Source, from, Schema::Require).await?;
    let managers = managers(&mut source.tx).await?;
    let locks = lock(End::Source, from, &mut source.tx, &managers).await?;
    let copied = copy_from(source, &managers, from, to, watch).await;
    locks.close().await;
    copied
}

/// Compares two databases, and changes neither.
///
/// # Errors
/// If a database cannot be used.
pub async fn compare(from: &str, to: &str, watch: Watch<'_>) -> Outcome<Vec<Compared>> {
    let mut source = look(End::Source, from, Schema::Require).await?;
    let mut target = look(End::Target, to, Schema::Require).await?;
    let mut compared = Vec::new();
    for table in common(&mut source.tx, &mut target.tx).await? {
        let [ours, theirs] = digests(&mut source.tx, &mut target.tx, &table, watch).await?;
        compared.push(Compared {
            table: table.name,
            rows: [ours.rows, theirs.rows],
            checksums: [ours.hex(), theirs.hex()],
        });
    }
    source.check().map_err(End::Source.failed())?;
    target.check().map_err(End::Target.failed())?;
    Ok(compared)
}

async fn look(end: End, url: &str, schema: Schema) -> Outcome<Look> {
    let mut look = Look::at(url, schema).await.map_err(end.failed())?;
    be_patient(&mut look.tx).await.map_err(end.failed())?;
    Ok(look)
}

/// One database waits while the other one is busy with a large table; and what is read once needs no large cache.
async fn be_patient(tx: &mut Tx) -> super::Result<()> {
    let settings: &[&str] = match tx.dialect() {
        Dialect::Postgres => &["set local idle_in_transaction_session_timeout = 0", "set local statement_timeout = 0"],
        Dialect::Sqlite => &["pragma cache_size = -8000"],
    };
    for setting in settings {
        tx.execute(setting, vec![]).await?;
    }
    Ok(())
}

async fn managers(source: &mut Tx) -> Outcome<Vec<i64>> {
    let rows = source.query("select id from enterprise_managers", vec![]).await;
    let ids = rows.and_then(|rows| rows.iter().map(|row| row.int(0)).collect());
    ids.map_err(End::Source.failed())
}

/// Takes every turn to write. A lease would be a change of the database; the lock alone keeps others out for as long as
/// there is no lease that has run out, and what gets past it is found by the comparison.
async fn lock(end: End, url: &str, tx: &mut Tx, managers: &[i64]) -> Outcome<Locks> {
    let failed = end.failed();
    let locks = Locks::at(url).map_err(&failed)?;
    for em_id in managers {
        let refused = match try_lock(&locks, *em_id).await {
            Ok(true) => continue,
            // Where this account may make no file beside the source.
            Err(Error::LockFile { .. }) if end == End::Source => continue,
            Ok(false) => holder(tx, *em_id).await.map(|holder| CopyError::Busy { end, holder }),
            Err(error) => Err(error),
        };
        locks.close().await;
        return Err(refused.unwrap_or_else(&failed));
    }
    Ok(locks)
}

/// A server takes a moment to let go of the locks of a copy that was killed.
async fn try_lock(locks: &Locks, em_id: i64) -> super::Result<bool> {
    const TRIES: u32 = 20;
    for _ in 1..TRIES {
        if locks.try_lock(Lock::Turn, em_id).await? {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    locks.try_lock(Lock::Turn, em_id).await
}

async fn holder(tx: &mut Tx, em_id: i64) -> super::Result<String> {
    let rows = tx.query("select holder from sync_leases where em_id = $1", vec![em_id.into()]).await?;
    let holder = rows.first().map(|row| row.text(0)).transpose()?.flatten();
    Ok(holder.unwrap_or_else(|| "another instance".to_owned()))
}

/// A target of an older schema is migrated, but not if it belongs to someone else.
async fn check_before_migration(source: &mut Tx, to: &str, watch: Watch<'_>) -> Outcome<()> {
    let failed = End::Target.failed();
    let pending = migrate::pending(to).await.map_err(&failed)?;
    // Without the first migration there is nothing in it.
    if pending.first().is_none_or(|pending| pending.version == 1) {
        return Ok(());
    }
    let mut target = look(End::Target, to, Schema::Migrate).await?;
    let managers = agreed(source, &mut target.tx, MANAGERS, Fate::Foreign, Table::identity).await?;
    refuse_foreign(source, &mut target.tx, &managers, watch).await
}

async fn copy_from(mut source: Look, managers: &[i64], from: &str, to: &str, watch: Watch<'_>) -> Outcome<Copied> {
    check_before_migration(&mut source.tx, to, watch).await?;
    let store = SqlStore::connect(to, Schema::Migrate).await.map_err(End::Target.failed())?;
    let mut target = begin_read(&store).await?;
    let locks = match lock(End::Target, to, &mut target, managers).await {
        Ok(locks) => locks,
        Err(error) => {
            drop(target);
            store.close().await;
            return Err(error);
        }
    };
    let written = transfer_all(&mut source.tx, &store, target, watch).await;
    let written = source.check().map_err(End::Source.failed()).and(written);
    drop(source);
    store.close().await;
    let copied = match written {
        // The source is looked at anew: what has changed there meanwhile is a difference.
        Ok(written) => compare(from, to, watch).await.map(|tables| Copied { written, tables }),
        Err(error) => Err(error),
    };
    locks.close().await;
    copied
}

async fn begin_read(target: &SqlStore) -> Outcome<Tx> {
    let mut tx = target.begin_read().await.map_err(End::Target.failed())?;
    be_patient(&mut tx).await.map_err(End::Target.failed())?;
    Ok(tx)
}

/// Copies everything, and returns how many rows that took.
async fn transfer_all(source: &mut Tx, store: &SqlStore, mut target: Tx, watch: Watch<'_>) -> Outcome<u64> {
    let failed = End::Target.failed();
    let tables = common(source, &mut target).await?;
    for table in &tables {
        if table.fate != Fate::Replaced {
            refuse_foreign(source, &mut target, &table.identity(), watch).await?;
        }
    }
    drop(target);
    // A lease that has run out would let others write in spite of the locks.
    write::empty(store.pools(), "sync_leases").await.map_err(&failed)?;
    let mut written = 0;
    for table in &tables {
        if table.fate != Fate::Foreign {
            let mut target = begin_read(store).await?;
            let [ours, theirs] = digests(source, &mut target, table, watch).await?;
            if ours.hex() == theirs.hex() {
                continue;
            }
            drop(target);
            write::empty(store.pools(), table.name).await.map_err(&failed)?;
        }
        written += transfer(source, store, table, watch).await?;
    }
    Ok(written)
}

/// Stores the rows of a table that the target does not have, or has otherwise.
async fn transfer(source: &mut Tx, store: &SqlStore, table: &Table, watch: Watch<'_>) -> Outcome<u64> {
    let failed = End::Target.failed();
    let rows = count(source, table).await?;
    // Of numbered rows a later one may only be true because an earlier one has changed.
    let order = if table.is_numbered() { Order::Key } else { Order::Stored };
    let mut source = Rows::of((End::Source, source), table, order, watch.cancel);
    let mut batch = source.batch().await?;
    let (mut done, mut written) = (0, 0);
    while !batch.is_empty() {
        let (next, stored) = tokio::join!(source.batch(), write::write(store.pools(), table, &batch));
        written += stored.map_err(&failed)?;
        done += batch.len() as u64;
        (watch.progress)(Progress { step: Step::Copying, table: table.name, done, rows });
        batch = next?;
    }
    if table.is_numbered() {
        write::go_on(store.pools(), table).await.map_err(&failed)?;
    }
    Ok(written)
}

/// The tables as both databases have them.
async fn common(source: &mut Tx, target: &mut Tx) -> Outcome<Vec<Table>> {
    let mut tables = Vec::new();
    for (name, fate) in TABLES {
        tables.push(agreed(source, target, name, *fate, Table::clone).await?);
    }
    Ok(tables)
}

/// A part of a table that both databases have to have, with the types of Postgres where that is one of them.
async fn agreed(
    source: &mut Tx,
    target: &mut Tx,
    name: &'static str,
    fate: Fate,
    part: fn(&Table) -> Table,
) -> Outcome<Table> {
    let ours = part(&Table::of(source, name, fate).await.map_err(End::Source.failed())?);
    let theirs = part(&Table::of(target, name, fate).await.map_err(End::Target.failed())?);
    if ours.key != theirs.key || !ours.names().eq(theirs.names()) {
        return Err(CopyError::Columns { table: name });
    }
    Ok(if target.dialect() == Dialect::Postgres { theirs } else { ours })
}

/// Nothing is copied to where other rows are.
async fn refuse_foreign(source: &mut Tx, target: &mut Tx, table: &Table, watch: Watch<'_>) -> Outcome<()> {
    let mut theirs = Rows::of((End::Target, target), table, Order::Key, watch.cancel);
    let mut ours = Rows::of((End::Source, source), table, Order::Key, watch.cancel);
    let (mut rows, mut example) = (0, None);
    let mut their = theirs.next().await?;
    let mut our = if their.is_some() { ours.next().await? } else { None };
    while let Some(key) = their {
        while our.as_ref().is_some_and(|our| *our < key) {
            our = ours.next().await?;
        }
        let is_default = table.fate == Fate::Settings && key == [Cell::Text(Uuid::nil().to_string().into())];
        if our.as_ref() != Some(&key) && !is_default {
            rows += 1;
            example.get_or_insert_with(|| spelt(&key));
        }
        their = theirs.next().await?;
    }
    match example {
        Some(example) => Err(CopyError::Foreign { table: table.name, rows, example }),
        None => Ok(()),
    }
}

async fn count(source: &mut Tx, table: &Table) -> Outcome<u64> {
    let rows = source.query(&format!("select count(*) from {}", table.name), vec![]).await;
    let count = rows.and_then(|rows| rows[0].int(0)).map_err(End::Source.failed())?;
    Ok(count.cast_unsigned())
}

/// Reads a table in both databases at once.
async fn digests(source: &mut Tx, target: &mut Tx, table: &Table, watch: Watch<'_>) -> Outcome<[Digest; 2]> {
    let rows = count(source, table).await?;
    let told = |done| (watch.progress)(Progress { step: Step::Comparing, table: table.name, done, rows });
    let ours = digest(Rows::of((End::Source, source), table, Order::Key, watch.cancel), told);
    let theirs = digest(Rows::of((End::Target, target), table, Order::Key, watch.cancel), |_| {});
    let (ours, theirs) = tokio::try_join!(ours, theirs)?;
    Ok([ours, theirs])
}

async fn digest(mut rows: Rows<'_>, told: impl Fn(u64)) -> Outcome<Digest> {
    let mut digest = Digest::default();
    loop {
        let batch = rows.batch().await?;
        if batch.is_empty() {
            return Ok(digest);
        }
        batch.iter().for_each(|row| digest.add(row));
        told(digest.rows);
    }
}
