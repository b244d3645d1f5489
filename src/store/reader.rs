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
pub(super) struct Reader {
    tx: Mutex<Tx>,
    still: Option<Still>,
}

/// Opens a database by its URL. Nothing is written: no schema, no lock, no file beside it.
pub(super) async fn open(url: &str) -> Result<Reader> {
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
        migrate::prepare_sqlite(&pool, Schema::Require).await?;
        Ok(Reader { tx: Mutex::new(Tx::Sqlite(pool.begin().await?)), still })
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        let pool = postgres::open(url).await?;
        match migrate::prepare_postgres(&pool, Schema::Require).await {
            // A role that was given the views alone may not read which migrations were applied.
            Err(Error::Forbidden(_)) => {}
            checked => checked?,
        }
        let tx = pool.begin_with("begin isolation level repeatable read read only").await?;
        Ok(Reader { tx: Mutex::new(Tx::Postgres(tx)), still: None })
    } else {
        Err(Error::Scheme)
    }
}

#[async_trait]
impl Views for Reader {
    async fn select(&self, select: &Select) -> Result<Vec<Vec<Cell>>> {
        let rows = view::rows(&mut *self.tx.lock().await, select).await;
        if self.still.as_ref().is_some_and(Still::is_disturbed) {
            return Err(Error::Disturbed);
        }
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
