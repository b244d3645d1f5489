//! Reading the views without leaving a trace: one transaction that cannot write, so that all that is asked is one look
//! at the database.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::database::Tx;
use super::view::{self, Cell, Select, Views};
use super::{Error, Result, Schema, migrate, postgres, sqlite};

/// A database that is only read.
pub(super) struct Reader(Mutex<Look>);

/// One look at a database: a transaction that cannot write, and sees all tables as they were at one moment.
pub(super) struct Look {
    pub(super) tx: Tx,
    still: Option<Still>,
}

/// Opens a database by its URL. Nothing is written: no schema, no lock, no file beside it.
pub(super) async fn open(url: &str) -> Result<Reader> {
    Ok(Reader(Mutex::new(Look::at(url, Schema::Require).await?)))
}

impl Look {
    /// Opens a database for one look. [`Schema::Require`] refuses one that is not up to date; nothing is migrated
    /// either way.
    pub(super) async fn at(url: &str, schema: Schema) -> Result<Self> {
        if let Some(rest) = url.strip_prefix("sqlite:") {
            let path = sqlite::path(rest)?;
            if !path.exists() {
                return Err(Error::Missing(path.display().to_string()));
            }
            let still = Still::of(&path);
            let opened = sqlite::open(&path, false, sqlite::Use::Look { still: still.is_some() }).await;
            let pool = opened.map_err(|error| match error {
                Error::Unreachable { source, .. } if still.is_none() && path.is_file() => {
                    Error::Unmerged { log: log(&path).display().to_string(), source }
                }
                error => error,
            })?;
            if schema == Schema::Require {
                migrate::prepare_sqlite(&pool, schema).await?;
            }
            Ok(Self { tx: Tx::Sqlite(pool.begin().await?), still })
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let pool = postgres::open(url).await?;
            if schema == Schema::Require {
                match migrate::prepare_postgres(&pool, schema).await {
                    // A role that was given the views alone may not read which migrations were applied.
                    Err(Error::Forbidden(_)) => {}
                    checked => checked?,
                }
            }
            let tx = pool.begin_with("begin isolation level repeatable read read only").await?;
            Ok(Self { tx: Tx::Postgres(tx), still: None })
        } else {
            Err(Error::Scheme)
        }
    }

    /// Makes sure, after reading, that nobody began to write to what was read without a lock.
    pub(super) fn check(&self) -> Result<()> {
        if self.still.as_ref().is_some_and(Still::is_disturbed) { Err(Error::Disturbed) } else { Ok(()) }
    }
}

#[async_trait]
impl Views for Reader {
    async fn select(&self, select: &Select) -> Result<Vec<Vec<Cell>>> {
        let mut look = self.0.lock().await;
        let rows = view::rows(&mut look.tx, select).await;
        look.check()?;
        rows
    }
}

/// A SQLite file that nobody has open for writing, seen by its log of writes: that is gone, or empty.
///
/// It can be read without a lock, which would leave files of the reader's account beside it that a writer of another
/// account could not use, and which a folder that is closed for writing does not allow at all. That nobody began to
/// write meanwhile has to be looked at afterwards.
struct Still {
    path: PathBuf,
    state: (u64, Option<SystemTime>),
}

impl Still {
    fn of(path: &Path) -> Option<Self> {
        let state = state(path)?;
        let is_still = std::fs::metadata(log(path)).map_or(true, |log| log.len() == 0);
        is_still.then(|| Self { path: path.to_owned(), state })
    }

    fn is_disturbed(&self) -> bool {
        state(&self.path) != Some(self.state)
    }
}

/// What was written and is not merged yet.
fn log(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

fn state(path: &Path) -> Option<(u64, Option<SystemTime>)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()))
}
