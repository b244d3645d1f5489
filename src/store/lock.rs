//! Locks that die with their holder: an OS file lock beside the SQLite file, a session's advisory lock on Postgres.

use std::collections::{HashMap, HashSet};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::postgres::{PATIENCE, within};
use super::{Error, Result, sqlite};

/// What is locked, once for each Enterprise Manager of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Lock {
    /// Held by the `run` that leads, for as long as it lives.
    Lead,
    /// Held by who waits for the turn, so that whoever has it gives way.
    Wish,
    /// Held by who writes.
    Turn,
}

impl Lock {
    const fn name(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Wish => "wish",
            Self::Turn => "turn",
        }
    }

    /// The first half of the advisory lock's key; the Enterprise Manager's id is the other one.
    const fn key(self) -> i32 {
        match self {
            Self::Lead => 1_465_209_601,
            Self::Wish => 1_465_209_602,
            Self::Turn => 1_465_209_603,
        }
    }
}

/// The locks of one process on one database.
pub(super) enum Locks {
    Files(Files),
    Session(Box<Session>),
}

impl Locks {
    /// Those of the database with this URL, which exists.
    pub(super) fn at(url: &str) -> Result<Self> {
        let Some(rest) = url.strip_prefix("sqlite:") else {
            return Ok(Self::of_session(url.parse().map_err(|error: sqlx::Error| Error::Url(error.to_string()))?));
        };
        let path = sqlite::path(rest)?;
        // Whoever comes by another path finds the same locks.
        Ok(Self::beside(std::fs::canonicalize(&path).unwrap_or(path)))
    }

    pub(super) fn beside(database: PathBuf) -> Self {
        Self::Files(Files { database, held: Mutex::default() })
    }

    pub(super) fn of_session(options: PgConnectOptions) -> Self {
        // A machine that is gone says no goodbye: the server has to find out, or its locks stay.
        let keepalives =
            [("tcp_keepalives_idle", "5"), ("tcp_keepalives_interval", "5"), ("tcp_keepalives_count", "2")];
        let options = options.application_name("vemsync lock").options(keepalives);
        Self::Session(Box::new(Session { options, open: tokio::sync::Mutex::default() }))
    }

    /// Takes a lock if it is free. One that this process holds already is not.
    pub(super) async fn try_lock(&self, lock: Lock, em_id: i64) -> Result<bool> {
        match self {
            Self::Files(files) => files.try_lock(lock, em_id),
            Self::Session(session) => session.try_lock(lock, em_id).await,
        }
    }

    /// Whether this process holds a lock.
    pub(super) async fn holds(&self, lock: Lock, em_id: i64) -> bool {
        match self {
            Self::Files(files) => files.held().contains_key(&(lock, em_id)),
            Self::Session(session) => session.open.lock().await.held.contains(&(lock, em_id)),
        }
    }

    /// Whether anyone holds a lock.
    pub(super) async fn is_held(&self, lock: Lock, em_id: i64) -> Result<bool> {
        match self {
            Self::Files(files) => files.is_held(lock, em_id),
            Self::Session(session) => session.is_held(lock, em_id).await,
        }
    }

    /// Lets go of a lock, if this process holds it.
    pub(super) async fn unlock(&self, lock: Lock, em_id: i64) {
        match self {
            Self::Files(files) => drop(files.held().remove(&(lock, em_id))),
            Self::Session(session) => session.unlock(lock, em_id).await,
        }
    }

    /// Finds out whether locks were lost without this process's doing.
    pub(super) async fn look(&self) {
        if let Self::Session(session) = self {
            session.look().await;
        }
    }

    /// Lets go of all of them.
    pub(super) async fn close(&self) {
        match self {
            Self::Files(files) => files.held().clear(),
            Self::Session(session) => session.close().await,
        }
    }
}

/// Files that are locked, and stay where they are: to delete one would let two processes lock the same name.
pub(super) struct Files {
    database: PathBuf,
    held: Mutex<HashMap<(Lock, i64), File>>,
}

impl Files {
    fn held(&self) -> MutexGuard<'_, HashMap<(Lock, i64), File>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_lock(&self, lock: Lock, em_id: i64) -> Result<bool> {
        if self.held().contains_key(&(lock, em_id)) {
            return Ok(false);
        }
        let (path, file) = self.open(lock, em_id)?;
        let is_free = is_free(file.try_lock(), &path)?;
        if is_free {
            self.held().insert((lock, em_id), file);
        }
        Ok(is_free)
    }

    fn is_held(&self, lock: Lock, em_id: i64) -> Result<bool> {
        if self.held().contains_key(&(lock, em_id)) {
            return Ok(true);
        }
        let (path, file) = self.open(lock, em_id)?;
        Ok(!is_free(file.try_lock_shared(), &path)?)
    }

    fn open(&self, lock: Lock, em_id: i64) -> Result<(PathBuf, File)> {
        let mut path = self.database.clone().into_os_string();
        path.push(format!(".{}-{em_id}.lock", lock.name()));
        let path = PathBuf::from(path);
        match File::options().read(true).write(true).create(true).truncate(false).open(&path) {
            Ok(file) => {
                sqlite::hand_over(&path, &self.database);
                Ok((path, file))
            }
            Err(source) => Err(Error::LockFile { path: path.display().to_string(), source }),
        }
    }
}

fn is_free(tried: std::result::Result<(), TryLockError>, path: &Path) -> Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(source)) => Err(Error::LockFile { path: path.display().to_string(), source }),
    }
}

/// One connection for all locks of the process. With it, all of them are lost.
pub(super) struct Session {
    options: PgConnectOptions,
    open: tokio::sync::Mutex<Open>,
}

#[derive(Default)]
struct Open {
    conn: Option<PgConnection>,
    held: HashSet<(Lock, i64)>,
}

const LOCK: &str = "select pg_try_advisory_lock($1, $2)";
const UNLOCK: &str = "select pg_advisory_unlock($1, $2)";
/// Whether nobody holds it. What is taken to find out is let go of by the same statement.
const IS_FREE: &str =
    "select case when pg_try_advisory_lock_shared($1, $2) then pg_advisory_unlock_shared($1, $2) else false end";

impl Session {
    async fn try_lock(&self, lock: Lock, em_id: i64) -> Result<bool> {
        let mut open = self.open.lock().await;
        if open.held.contains(&(lock, em_id)) {
            return Ok(false);
        }
        let is_free = self.ask(&mut open, LOCK, lock, em_id).await?;
        if is_free {
            open.held.insert((lock, em_id));
        }
        Ok(is_free)
    }

    async fn is_held(&self, lock: Lock, em_id: i64) -> Result<bool> {
        let mut open = self.open.lock().await;
        Ok(open.held.contains(&(lock, em_id)) || !self.ask(&mut open, IS_FREE, lock, em_id).await?)
    }

    async fn unlock(&self, lock: Lock, em_id: i64) {
        let mut open = self.open.lock().await;
        // A connection that fails here has let go of it too.
        if open.held.remove(&(lock, em_id)) && open.ask(UNLOCK, lock, em_id).await.is_err() {
            open.lose();
        }
    }

    async fn look(&self) {
        let mut open = self.open.lock().await;
        let Some(conn) = &mut open.conn else { return };
        if within(PATIENCE, conn.ping()).await.is_err() {
            open.lose();
        }
    }

    async fn close(&self) {
        let mut open = self.open.lock().await;
        open.held.clear();
        if let Some(mut conn) = open.conn.take() {
            // The server lets go of the locks with the connection, however that ends, but not at once.
            let unlocked = sqlx::query("select pg_advisory_unlock_all()").execute(&mut conn);
            drop(within(PATIENCE, unlocked).await);
            drop(within(PATIENCE, conn.close()).await);
        }
    }

    /// Asks on the connection that there is, and where that is dead, once on a new one.
    async fn ask(&self, open: &mut Open, statement: &'static str, lock: Lock, em_id: i64) -> Result<bool> {
        if open.conn.is_some() {
            if let Ok(answer) = open.ask(statement, lock, em_id).await {
                return Ok(answer);
            }
            open.lose();
        }
        open.conn = Some(within(PATIENCE, self.options.connect()).await?);
        open.ask(statement, lock, em_id).await
    }
}

impl Open {
    async fn ask(&mut self, statement: &'static str, lock: Lock, em_id: i64) -> Result<bool> {
        let conn = self.conn.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        let key = i32::try_from(em_id).map_err(|_| Error::Value(em_id.to_string()))?;
        let asked = sqlx::query_scalar(statement).bind(lock.key()).bind(key).fetch_one(conn);
        Ok(within(PATIENCE, asked).await?)
    }

    fn lose(&mut self) {
        self.conn = None;
        self.held.clear();
    }
}
