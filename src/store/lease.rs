//! One writer per Enterprise Manager: who has the turn, and that nobody else writes.
//!
//! Two things work together. **Locks** (`store/lock.rs`) die with their holder, so that a process that was killed
//! holds up nobody. A **lease** is a row with a term and an end: every data transaction looks whether its term still
//! stands. So a process that was stopped, or cut off, while another took over, writes nothing when it wakes.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use super::database::{Pools, Tx, Value};
use super::lock::{Lock, Locks};
use super::sql::Dialect;
use super::{Error, Result};

/// How long a lease lasts unless it is renewed.
const LASTS: Duration = Duration::from_secs(20);

/// What came of asking for something that one instance at a time can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It is ours.
    Granted,
    /// Another has it, or comes first. The name is that of who writes.
    Taken(String),
}

/// The turns of one process on one database.
pub struct Leases {
    pools: Pools,
    locks: Locks,
    holder: String,
    lasts: Duration,
    held: Mutex<HashMap<i64, Held>>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    term: i64,
    renewed_at: Instant,
}

/// What the row says.
struct Lease {
    holder: String,
    /// Negative once it is over.
    left: TimeDelta,
}

impl Leases {
    pub(super) fn new(pools: Pools, locks: Locks) -> Self {
        let holder = format!("process {} on {} ({:08x})", std::process::id(), host(), fastrand::u32(..));
        Self { pools, locks, holder, lasts: LASTS, held: Mutex::default() }
    }

    pub(super) fn set_length(&mut self, lasts: Duration) {
        self.lasts = lasts;
    }

    /// How long a lease lasts unless it is renewed. All other pauses follow from it.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.lasts
    }

    /// This process, as other instances see it.
    #[must_use]
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// Asks to be the instance that follows an Enterprise Manager continuously. It stays so until it resigns, or ends.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn lead(&self, em_id: i64, now: DateTime<Utc>) -> Result<Asked> {
        if self.leads(em_id).await || self.locks.try_lock(Lock::Lead, em_id).await? {
            return Ok(Asked::Granted);
        }
        let lease = self.read(em_id, now).await?;
        Ok(if self.is_stale(lease.as_ref()) { Asked::Granted } else { taken(lease) })
    }

    /// Whether this process leads, and everybody can see it.
    pub async fn leads(&self, em_id: i64) -> bool {
        self.locks.holds(Lock::Lead, em_id).await
    }

    /// Lets another instance lead.
    pub async fn resign(&self, em_id: i64) {
        self.locks.unlock(Lock::Lead, em_id).await;
    }

    /// Asks for the turn, and with `wishing` sees to it that whoever has it gives way. Ask again and again until it is
    /// granted, or [`Leases::withdraw`] the wish.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn take(&self, em_id: i64, wishing: bool, now: DateTime<Utc>) -> Result<Asked> {
        let lease = self.read(em_id, now).await?;
        // One at a time wishes, and is next. A wish that nobody follows up, though it could, is that of a process
        // that stands still.
        let is_next = if wishing {
            self.locks.holds(Lock::Wish, em_id).await || self.locks.try_lock(Lock::Wish, em_id).await?
        } else {
            !self.is_wished(em_id).await?
        };
        if !is_next && !self.is_stale(lease.as_ref()) {
            return Ok(taken(lease));
        }
        let is_free = self.locks.try_lock(Lock::Turn, em_id).await?;
        let is_over = lease.as_ref().is_some_and(|lease| lease.left <= TimeDelta::zero());
        if !is_free && !is_over {
            return Ok(taken(lease));
        }
        let raised = self.raise(em_id, is_free, now).await;
        if let Ok(Some(term)) = raised {
            self.held().insert(em_id, Held { term, renewed_at: Instant::now() });
            self.withdraw(em_id).await;
            return Ok(Asked::Granted);
        }
        if is_free {
            self.locks.unlock(Lock::Turn, em_id).await;
        }
        raised.map(|_| taken(lease))
    }

    /// Does not ask for the turn any longer.
    pub async fn withdraw(&self, em_id: i64) {
        self.locks.unlock(Lock::Wish, em_id).await;
    }

    /// Whether someone waits for the turn.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn is_wished(&self, em_id: i64) -> Result<bool> {
        self.locks.is_held(Lock::Wish, em_id).await
    }

    /// Renews the lease, and takes locks that were lost. Returns whether it has all of them.
    ///
    /// # Errors
    /// [`Error::Fenced`] if another has taken over, or the lease was over.
    pub async fn keep(&self, em_id: i64, leading: bool, now: DateTime<Utc>) -> Result<bool> {
        let mut tx = self.pools.begin().await?;
        self.check_as(&mut tx, em_id, now, true).await?;
        tx.commit().await?;
        self.locks.look().await;
        let mut has_all = true;
        for lock in [Some(Lock::Turn), leading.then_some(Lock::Lead)].into_iter().flatten() {
            has_all &=
                self.locks.holds(lock, em_id).await || matches!(self.locks.try_lock(lock, em_id).await, Ok(true));
        }
        Ok(has_all)
    }

    /// Ends the turn, so that another can have it at once.
    ///
    /// # Errors
    /// If the database cannot be used; the locks are let go of all the same.
    pub async fn end(&self, em_id: i64, now: DateTime<Utc>) -> Result<()> {
        let held = self.held().remove(&em_id);
        let ended = match held {
            Some(held) => self.end_term(em_id, held.term, now).await,
            None => Ok(()),
        };
        self.withdraw(em_id).await;
        self.locks.unlock(Lock::Turn, em_id).await;
        ended
    }

    /// Lets go of everything.
    pub(super) async fn close(&self) {
        self.held().clear();
        self.locks.close().await;
    }

    /// Makes sure, until the transaction ends, that this process may write.
    pub(super) async fn check(&self, tx: &mut Tx, em_id: i64, now: DateTime<Utc>) -> Result<()> {
        let renewed_at = self.held().get(&em_id).map(|held| held.renewed_at);
        let is_half_gone = renewed_at.is_some_and(|renewed_at| renewed_at.elapsed() > self.lasts / 2);
        self.check_as(tx, em_id, now, is_half_gone).await
    }

    async fn check_as(&self, tx: &mut Tx, em_id: i64, now: DateTime<Utc>, renews: bool) -> Result<()> {
        let held = self.held().get(&em_id).copied();
        let Some(held) = held else {
            return Err(self.fenced(tx, em_id).await);
        };
        let ours = vec![em_id.into(), self.holder.as_str().into(), held.term.into()];
        let clock = Clock::of(tx.dialect(), 4);
        let is_ours = format!("em_id = $1 and holder = $2 and term = $3 and expires_at > {}", clock.now);
        let found = if renews {
            let renew = format!("update sync_leases set expires_at = {} where {is_ours}", clock.later);
            tx.execute(&renew, clock.values(ours, now, Some(self.lasts))).await?
        } else {
            // Until the transaction ends, nobody raises the term. On SQLite nobody else writes anyway.
            let share = if tx.dialect() == Dialect::Postgres { " for share" } else { "" };
            let select = format!("select 1 from sync_leases where {is_ours}{share}");
            tx.query(&select, clock.values(ours, now, None)).await?.len() as u64
        };
        if found == 0 {
            self.forget(em_id, held.term);
            return Err(self.fenced(tx, em_id).await);
        }
        if renews && let Some(held) = self.held().get_mut(&em_id) {
            held.renewed_at = Instant::now();
        }
        Ok(())
    }

    fn forget(&self, em_id: i64, term: i64) {
        let mut all = self.held();
        if all.get(&em_id).is_some_and(|held| held.term == term) {
            all.remove(&em_id);
        }
    }

    async fn fenced(&self, tx: &mut Tx, em_id: i64) -> Error {
        let found = tx.query("select holder from sync_leases where em_id = $1", vec![em_id.into()]).await;
        match found.and_then(|rows| rows.first().map_or(Ok(None), |row| row.text(0))) {
            Ok(holder) => Error::Fenced { holder: holder.filter(|holder| *holder != self.holder) },
            Err(error) => error,
        }
    }

    /// The next term, if the lock is ours or the lease is over.
    async fn raise(&self, em_id: i64, has_lock: bool, now: DateTime<Utc>) -> Result<Option<i64>> {
        let mut tx = self.pools.begin().await?;
        let clock = Clock::of(tx.dialect(), 4);
        let raise = format!(
            "insert into sync_leases as t (em_id, holder, term, expires_at) values ($1, $2, 1, {})\n\
             on conflict (em_id) do update set holder = excluded.holder, term = t.term + 1,\n\
             expires_at = excluded.expires_at where $3 or t.expires_at <= {} returning term",
            clock.later, clock.now
        );
        let values = vec![em_id.into(), self.holder.as_str().into(), Value::Bool(Some(has_lock))];
        let rows = tx.query(&raise, clock.values(values, now, Some(self.lasts))).await?;
        let term = rows.first().map(|row| row.int(0)).transpose()?;
        tx.commit().await?;
        Ok(term)
    }

    async fn end_term(&self, em_id: i64, term: i64, now: DateTime<Utc>) -> Result<()> {
        let mut tx = self.pools.begin().await?;
        let clock = Clock::of(tx.dialect(), 4);
        let end = format!(
            "update sync_leases set expires_at = {0} where em_id = $1 and holder = $2 and term = $3 and expires_at > {0}",
            clock.now
        );
        let ours = vec![em_id.into(), self.holder.as_str().into(), term.into()];
        tx.execute(&end, clock.values(ours, now, None)).await?;
        tx.commit().await
    }

    async fn read(&self, em_id: i64, now: DateTime<Utc>) -> Result<Option<Lease>> {
        let mut tx = self.pools.begin_read().await?;
        let clock = Clock::of(tx.dialect(), 2);
        let read = format!("select holder, expires_at, {} from sync_leases where em_id = $1", clock.now);
        let rows = tx.query(&read, clock.values(vec![em_id.into()], now, None)).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(Lease { holder: row.text(0)?.unwrap_or_default(), left: row.time(1)? - row.time(2)? }))
    }

    /// The lease ended so long ago that a living waiter would have taken it: whoever still holds a lock counts as dead.
    fn is_stale(&self, lease: Option<&Lease>) -> bool {
        let quarter = TimeDelta::from_std(self.lasts / 4).unwrap_or(TimeDelta::MAX);
        lease.is_some_and(|lease| lease.left <= -quarter)
    }

    fn held(&self) -> MutexGuard<'_, HashMap<i64, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn taken(lease: Option<Lease>) -> Asked {
    Asked::Taken(lease.map_or_else(|| "another instance".to_owned(), |lease| lease.holder))
}

/// The time that leases go by, in SQL: the server's on Postgres, which all instances share. Instances that share a
/// SQLite file share a machine, and so its clock.
struct Clock {
    dialect: Dialect,
    now: String,
    later: String,
}

impl Clock {
    /// With parameters from this number on.
    fn of(dialect: Dialect, parameter: usize) -> Self {
        let (now, later) = match dialect {
            Dialect::Postgres => {
                ("clock_timestamp()".to_owned(), format!("clock_timestamp() + make_interval(secs => ${parameter})"))
            }
            Dialect::Sqlite => (format!("${parameter}"), format!("${}", parameter + 1)),
        };
        Self { dialect, now, later }
    }

    /// The parameters before, and those for now and for so much later.
    fn values(&self, mut before: Vec<Value>, now: DateTime<Utc>, later: Option<Duration>) -> Vec<Value> {
        match self.dialect {
            Dialect::Postgres => before.extend(later.map(|later| Value::Real(later.as_secs_f64()))),
            Dialect::Sqlite => {
                before.push(now.into());
                before.extend(later.map(|later| Value::from(now + later)));
            }
        }
        before
    }
}

/// This machine's name, for people.
fn host() -> String {
    let of_file = |path| std::fs::read_to_string(path).ok();
    let of_system = ["/proc/sys/kernel/hostname", "/etc/hostname"].into_iter().find_map(of_file);
    let name = of_system.or_else(|| std::env::var("COMPUTERNAME").ok()).unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "a machine without a name".to_owned() } else { name.to_owned() }
}
