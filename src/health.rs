//! How the daemon is, as those who follow the Enterprise Managers see it.
//!
//! They note here what becomes of each pass; `/readyz`, `/metrics`, the page, the service manager and the log's "one
//! line a change" all read it. Nothing here touches the database or the network.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::escape;
use crate::kind::SessionKind;
use crate::sync::{Error, Mode, Summary};

/// A stream whose marks have not risen for so long is late: two wide passes are missing.
const MARKS_LATE: TimeDelta = TimeDelta::minutes(45);

/// Passes that may be missing before a stream counts as late, and the least time that this is.
const PASSES_LATE: u32 = 3;
const LEAST_LATE: Duration = Duration::from_secs(30);

/// What may be behind a pass that takes long.
pub(crate) const SLOW: &str = "Enterprise Manager or the database answers slowly, or much is new";

/// What one Enterprise Manager's follower is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Nothing has been read since the start.
    Starting,
    /// Passes are done.
    Following,
    /// A pass takes longer than streams may go unread.
    Slow,
    /// Another instance, which is named, follows it.
    StandingBy(String),
    /// Enterprise Manager cannot be read.
    Away(String),
    /// Enterprise Manager refuses the account.
    Refused(String),
    /// The database cannot be used.
    DatabaseAway(String),
}

impl Condition {
    /// Whether it is another kind of condition, whatever was said of it.
    fn differs(&self, other: &Self) -> bool {
        std::mem::discriminant(self) != std::mem::discriminant(other)
    }
}

/// One Enterprise Manager.
#[derive(Debug, Clone)]
pub struct ManagerHealth {
    /// What is going on.
    pub condition: Condition,
    /// Since when.
    pub since: DateTime<Utc>,
    /// When it is tried again, where it waits for that.
    pub next_try: Option<DateTime<Utc>>,
    /// The session types that are read, in the order of [`crate::kinds::KINDS`].
    pub kinds: Vec<KindHealth>,
    /// Between two passes.
    pub interval: Duration,
}

/// One session type of an Enterprise Manager.
#[derive(Debug, Clone)]
pub struct KindHealth {
    /// The API's query type.
    pub kind: &'static str,
    /// When the last pass began that read it to the end.
    pub read_at: Option<DateTime<Utc>>,
    /// When the last such pass began in which its marks could rise.
    pub marked_at: Option<DateTime<Utc>>,
    /// Why the last pass did not read it.
    pub error: Option<String>,
    /// Whether that was told by itself, and not as part of what concerns all of them.
    is_told: bool,
    /// Whether this Enterprise Manager knows the type.
    pub is_known: bool,
}

/// Something that an operator should know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The Enterprise Manager; `None` where it concerns all of them.
    pub manager: Option<String>,
    /// The session type; `None` where it concerns all of them.
    pub kind: Option<&'static str>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub mend: &'static str,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for name in [self.manager.as_deref(), self.kind].into_iter().flatten() {
            write!(f, "{}: ", escape::control(name))?;
        }
        write!(f, "{} ({})", escape::control(&self.what), self.mend)
    }
}

/// How all of them are.
#[derive(Debug, Default)]
pub struct Health {
    managers: Mutex<BTreeMap<String, ManagerHealth>>,
}

impl Health {
    /// An Enterprise Manager is followed from now on, or followed otherwise.
    pub fn enter(&self, manager: &str, kinds: &[&'static SessionKind], interval: Duration, now: DateTime<Utc>) {
        let kinds = kinds.iter().map(|kind| KindHealth {
            kind: kind.name,
            read_at: None,
            marked_at: None,
            error: None,
            is_told: false,
            is_known: true,
        });
        let entered = ManagerHealth {
            condition: Condition::Starting,
            since: now,
            next_try: None,
            kinds: kinds.collect(),
            interval,
        };
        self.lock().insert(manager.to_owned(), entered);
    }

    /// An Enterprise Manager is not followed any longer.
    pub fn leave(&self, manager: &str) {
        self.lock().remove(manager);
    }

    /// What its follower is about from now on. Where that is news, returns what it was about before, and since when.
    pub fn turn(
        &self,
        manager: &str,
        condition: Condition,
        next_try: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Option<(Condition, DateTime<Utc>)> {
        let mut managers = self.lock();
        let found = managers.get_mut(manager)?;
        found.next_try = next_try;
        let is_news = found.condition.differs(&condition);
        let before = std::mem::replace(&mut found.condition, condition);
        is_news.then(|| (before, std::mem::replace(&mut found.since, now)))
    }

    /// What became of a pass that began then. Returns what is news: the kinds that failed when they had not before,
    /// with the reason, and those that failed before and are read again.
    pub fn note(
        &self,
        manager: &str,
        mode: Mode,
        began: DateTime<Utc>,
        summary: &Summary,
    ) -> Vec<(&'static str, Option<String>)> {
        let mut news = Vec::new();
        let mut managers = self.lock();
        let Some(found) = managers.get_mut(manager) else { return news };
        for outcome in &summary.kinds {
            let Some(kind) = found.kinds.iter_mut().find(|kind| kind.kind == outcome.kind) else { continue };
            kind.is_known = !matches!(outcome.result, Err(Error::Unavailable));
            let error = match &outcome.result {
                Ok(()) | Err(Error::Unavailable) => None,
                Err(error) => Some(escape::chain(error)),
            };
            // A failure of all of them is news of the Enterprise Manager.
            let is_told = error.is_some() && (kind.is_told || !summary.is_void());
            if is_told != kind.is_told {
                news.push((kind.kind, error.clone()));
            }
            (kind.error, kind.is_told) = (error, is_told);
            if kind.error.is_none() {
                kind.read_at = Some(began);
                if mode == Mode::Wide {
                    kind.marked_at = Some(began);
                }
            }
        }
        news
    }

    /// What its follower is about.
    #[must_use]
    pub fn condition(&self, manager: &str) -> Option<Condition> {
        self.lock().get(manager).map(|found| found.condition.clone())
    }

    /// All of them, by name.
    #[must_use]
    pub fn managers(&self) -> BTreeMap<String, ManagerHealth> {
        self.lock().clone()
    }

    /// What keeps the daemon from being ready; the database is asked elsewhere.
    #[must_use]
    pub fn troubles(&self, now: DateTime<Utc>) -> Vec<Trouble> {
        self.lock().iter().flat_map(|(name, manager)| manager.troubles(name, now)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, ManagerHealth>> {
        self.managers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a kind may go unread before it is late, where passes begin at this interval.
#[must_use]
pub fn patience(interval: Duration) -> Duration {
    interval.saturating_mul(PASSES_LATE).max(LEAST_LATE)
}

impl ManagerHealth {
    fn troubles(&self, name: &str, now: DateTime<Utc>) -> Vec<Trouble> {
        let of_all = |what: String, mend| vec![Trouble { manager: Some(name.to_owned()), kind: None, what, mend }];
        match &self.condition {
            // Whoever leads answers for the streams.
            Condition::StandingBy(_) => return Vec::new(),
            Condition::Refused(error) => {
                return of_all(
                    error.clone(),
                    "correct the user name or the password file, and reload; where systemd hands it over, restart",
                );
            }
            Condition::DatabaseAway(error) => {
                return of_all(format!("the database cannot be used: {error}"), "see that it runs and can be reached");
            }
            Condition::Away(_) | Condition::Starting | Condition::Following | Condition::Slow => {}
        }
        let late: Vec<Trouble> = self.kinds.iter().filter_map(|kind| self.lateness(name, kind, now)).collect();
        match &self.condition {
            // One line for all of them says more than one each.
            Condition::Away(error) if !late.is_empty() => {
                of_all(error.clone(), "see that Enterprise Manager runs and can be reached")
            }
            Condition::Starting => {
                of_all("nothing has been read since the start".to_owned(), "wait for the first pass")
            }
            _ => late,
        }
    }

    fn lateness(&self, name: &str, kind: &KindHealth, now: DateTime<Utc>) -> Option<Trouble> {
        if !kind.is_known {
            return None;
        }
        let is_late = |at: Option<DateTime<Utc>>, patience| at.is_none_or(|at| now - at > patience);
        let patience = TimeDelta::from_std(patience(self.interval)).unwrap_or(TimeDelta::MAX);
        let what = if is_late(kind.read_at, patience) {
            let since =
                kind.read_at.map_or_else(|| "not yet read".to_owned(), |at| format!("not read for {}", span(now - at)));
            kind.error.as_ref().map_or(since.clone(), |error| format!("{since}: {error}"))
        } else if is_late(kind.marked_at, MARKS_LATE.max(patience)) {
            let since = kind.marked_at.map_or_else(|| "so far".to_owned(), |at| format!("for {}", span(now - at)));
            format!("no complete pass {since}")
        } else {
            return None;
        };
        let mend = if kind.error.is_some() { "the log says why" } else { SLOW };
        Some(Trouble { manager: Some(name.to_owned()), kind: Some(kind.kind), what, mend })
    }
}

/// A span in words, by its largest unit.
#[must_use]
pub fn span(span: TimeDelta) -> String {
    let (count, unit) = match span.num_seconds().max(0) {
        seconds @ 0..120 => (seconds, "second"),
        seconds @ 120..7_200 => (seconds / 60, "minute"),
        seconds @ 7_200..172_800 => (seconds / 3_600, "hour"),
        seconds => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}
