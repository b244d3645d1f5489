//! What a sweep found.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use uuid::Uuid;

use crate::store::{Counts, Sweep};
use crate::sync::Error;

/// What a sweep found of one backup server and day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DayCount {
    /// Rows that are the same here and there.
    pub equal: u64,
    /// Rows that the source has and that are not stored.
    pub missing: u64,
    /// Rows with other values here than there.
    pub different: u64,
    /// Stored rows that the source did not list, and of which it is not proven that they are gone.
    pub unproven: u64,
    /// Stored rows that the source provably no longer has.
    pub gone: u64,
}

impl DayCount {
    /// Whether nothing differs. What the source provably no longer has does not.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.missing + self.different + self.unproven == 0
    }

    /// Adds another count.
    pub fn add(&mut self, other: Self) {
        self.equal += other.equal;
        self.missing += other.missing;
        self.different += other.different;
        self.unproven += other.unproven;
        self.gone += other.gone;
    }
}

/// What a sweep found of one kind.
#[derive(Debug)]
pub struct SweepOutcome {
    /// The API's query type.
    pub kind: &'static str,
    /// The sweep as it stands; `None` where nothing of the kind was ever read.
    pub sweep: Option<Sweep>,
    /// Rows found differing that have not ended, or that are newer than the last pass: a pass may mend them.
    pub unsettled: u64,
    /// Rows that were found to be gone from the source.
    pub gone: u64,
    /// Why rows that the source did not list were not marked, if that is so.
    pub unproven: Option<String>,
    /// Counts by backup server and day of creation, where a person asked for them.
    pub days: BTreeMap<(Uuid, NaiveDate), DayCount>,
    /// What became of the rows that were stored.
    pub counts: Counts,
    /// Requests that it took.
    pub reads: u64,
    /// Whether it could be done.
    pub result: Result<(), Error>,
}

impl SweepOutcome {
    /// Whether the sweep reached its end.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.sweep.as_ref().is_some_and(|sweep| sweep.finished_at.is_some())
    }

    /// Whether the Enterprise Manager does not know the type.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self.result, Err(Error::Unavailable))
    }
}

/// What a sweep found.
#[derive(Debug)]
pub struct SweepSummary {
    /// One entry a kind that was looked at.
    pub kinds: Vec<SweepOutcome>,
    /// Requests that were sent.
    pub requests: u64,
    /// Whether all kinds were looked at before the requests were used up.
    pub is_whole: bool,
}

impl SweepSummary {
    /// Whether every kind was swept to its end.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        if !self.is_whole {
            return false;
        }
        let is_done = |kind: &SweepOutcome| kind.sweep.is_none() || kind.is_finished();
        self.kinds.iter().all(|kind| kind.is_unavailable() || kind.result.is_ok() && is_done(kind))
    }

    /// Whether every kind was compared and nothing differs, as far as days were counted.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        let is_compared = |kind: &SweepOutcome| kind.is_finished() || kind.is_unavailable();
        self.is_whole && self.kinds.iter().all(|kind| is_compared(kind) && kind.days.values().all(DayCount::is_equal))
    }
}
