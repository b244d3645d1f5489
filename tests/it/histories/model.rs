//! What must be durable: kept from the commits that succeeded, and held against what the source showed.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;
use vemsync::kinds::{self, common};
use vemsync::simulator::{Kind, Visibility, World};
use vemsync::store::{Commit, Field, Mark, Sweep};

/// A promise that was broken.
#[derive(Debug, Clone)]
pub struct Broken {
    /// Which one.
    pub invariant: &'static str,
    /// By what.
    pub what: String,
}

impl Broken {
    pub fn new(invariant: &'static str, what: impl Into<String>) -> Self {
        Self { invariant, what: what.into() }
    }
}

/// Everything that the source will ever show, known beforehand.
pub struct Truth {
    kinds: HashMap<&'static str, KindTruth>,
    overlap: TimeDelta,
}

struct KindTruth {
    rows: HashMap<Uuid, Visibility>,
    by_server: HashMap<Uuid, Vec<Uuid>>,
    /// Of each server and field, the greatest value that was shown before a moment: moments ascend, so do values.
    greatest: HashMap<(Uuid, Field), Course>,
}

type Stretch = (DateTime<Utc>, DateTime<Utc>);

/// Moments, and a time that goes with each.
type Course = Vec<(DateTime<Utc>, DateTime<Utc>)>;

/// The stretch that a moment lies in.
fn stretch(stretches: &[Stretch], at: DateTime<Utc>) -> Option<Stretch> {
    stretches.iter().copied().find(|(from, to)| (*from..*to).contains(&at))
}

fn field_of(row: &Visibility, field: Field) -> (&[Stretch], DateTime<Utc>) {
    match field {
        Field::Creation => (&row.shown, row.creation),
        Field::End => (&row.ended, row.end),
    }
}

impl Truth {
    pub fn new(world: &World, kinds: &[Kind], overlap: TimeDelta) -> Self {
        let kinds = kinds.iter().map(|kind| (kind.name(), KindTruth::new(world.visibility(*kind)))).collect();
        Self { kinds, overlap }
    }

    pub fn row(&self, kind: &str, uid: Uuid) -> Option<&Visibility> {
        self.kinds.get(kind)?.rows.get(&uid)
    }

    /// The oldest row that is shown now.
    pub fn oldest_shown(&self, kind: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let rows = self.kinds[kind].rows.values().filter(|row| stretch(&row.shown, now).is_some());
        rows.map(|row| row.creation).min()
    }

    /// Whether the row, as it is shown now, came when its stream was not yet further than the overlap beyond it.
    pub fn is_on_time(&self, kind: &str, row: &Visibility, field: Field, now: DateTime<Utc>) -> bool {
        let (stretches, value) = field_of(row, field);
        let Some((came, _)) = stretch(stretches, now) else { return false };
        let greatest = self.kinds[kind].greatest.get(&(row.server, field)).map_or(&[][..], Vec::as_slice);
        let before = greatest.partition_point(|(from, _)| *from < came);
        before == 0 || value >= greatest[before - 1].1 - self.overlap
    }
}

impl KindTruth {
    fn new(rows: Vec<Visibility>) -> Self {
        let mut by_server: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
        let mut greatest: HashMap<(Uuid, Field), Course> = HashMap::new();
        for row in &rows {
            by_server.entry(row.server).or_default().push(row.uid);
            for field in [Field::Creation, Field::End] {
                let (stretches, value) = field_of(row, field);
                if let Some((from, _)) = stretches.first() {
                    greatest.entry((row.server, field)).or_default().push((*from, value));
                }
            }
        }
        for values in greatest.values_mut() {
            values.sort_unstable();
            let mut most = DateTime::<Utc>::MIN_UTC;
            for (_, value) in values {
                most = most.max(*value);
                *value = most;
            }
        }
        Self { rows: rows.into_iter().map(|row| (row.uid, row)).collect(), by_server, greatest }
    }
}

/// A row as the last commit that could change it left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durable {
    pub state: String,
    pub end: Option<DateTime<Utc>>,
    pub is_final: bool,
}

pub struct Model {
    pub truth: Truth,
    pub rows: BTreeMap<(&'static str, Uuid), Durable>,
    /// How far down each kind's history was read.
    floors: HashMap<&'static str, DateTime<Utc>>,
    /// The creation marks of each stream, with when each was committed.
    marks: HashMap<(&'static str, Uuid), Course>,
    /// The end mark that a stream began with: what ended before is the business of history and of open rows.
    first_ends: HashMap<(&'static str, Uuid), DateTime<Utc>>,
    /// Answers may have been lies, so that marks promise nothing.
    pub is_lied_to: bool,
    pub broken: Option<Broken>,
}

impl Model {
    pub fn new(truth: Truth, is_lied_to: bool) -> Self {
        Self {
            truth,
            rows: BTreeMap::new(),
            floors: HashMap::new(),
            marks: HashMap::new(),
            first_ends: HashMap::new(),
            is_lied_to,
            broken: None,
        }
    }

    pub fn floor(&self, kind: &str) -> Option<DateTime<Utc>> {
        self.floors.get(kind).copied()
    }

    /// The creation mark that a stream had at a moment.
    pub fn mark_at(&self, kind: &'static str, server: Uuid, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let marks = self.marks.get(&(kind, server))?;
        marks.iter().rev().find(|(committed, _)| *committed < at).map(|(_, mark)| *mark)
    }

    /// Whether a row that the account did not see at that time was one of a few, of the two days before: those that every
    /// sweep looks for. What is older than all that it did see looks purged.
    pub fn is_hidden_among_few(&self, kind: &'static str, row: &Visibility, at: DateTime<Utc>) -> bool {
        let Some(oldest) = self.truth.oldest_shown(kind, at).filter(|oldest| row.creation >= *oldest) else {
            return true;
        };
        let since = oldest.max(at - TimeDelta::hours(48));
        let is_stored = |row: &&Visibility| self.rows.contains_key(&(kind, row.uid));
        let is_hidden = |row: &&Visibility| {
            row.creation >= since && stretch(&row.had, at).is_some() && stretch(&row.shown, at).is_none()
        };
        self.truth.kinds[kind].rows.values().filter(is_hidden).filter(is_stored).count() <= 20
    }

    /// Takes in what has become durable at this moment, by Enterprise Manager's clock.
    pub fn committed(&mut self, commits: &[Commit], now: DateTime<Utc>) {
        for commit in commits {
            self.take_rows(commit);
            if commit.rewind.is_some() {
                self.first_ends.retain(|(kind, _), _| *kind != commit.kind);
            }
            for backfill in &commit.backfills {
                if backfill.first_marks.is_some() && backfill.finished_at.is_some() {
                    self.floors.insert(commit.kind, backfill.from);
                }
            }
        }
        for commit in commits.iter().filter(|commit| commit.session.is_some()) {
            for mark in &commit.marks {
                let stream = (commit.kind, mark.server);
                match mark.field {
                    Field::End => drop(self.first_ends.entry(stream).or_insert(mark.mark)),
                    Field::Creation => self.marks.entry(stream).or_default().push((now, mark.mark)),
                }
                if let Some(broken) = self.check_mark(commit.kind, mark, now) {
                    self.broken.get_or_insert(broken);
                }
            }
        }
    }

    fn take_rows(&mut self, commit: &Commit) {
        let Some(kind) = commit.session else { return };
        let batch = &commit.batch;
        for row in 0..batch.len() {
            let state = batch.text_at(common::STATE, row).unwrap_or_default().to_owned();
            let end = batch.time_at(common::END_TIME, row);
            let is_final = end.is_some() && kind.finished.contains(&state.as_str());
            let fresh = Durable { state, end, is_final };
            let durable = self.rows.entry((kind.name, batch.uid(row))).or_insert_with(|| fresh.clone());
            if fresh.is_final || !durable.is_final || commit.reopened.contains(&batch.uid(row)) {
                *durable = fresh;
            }
        }
    }

    /// What a sweep that is done promises: every row that was shown all the while is durable.
    pub fn check_sweep(&self, kind: &'static str, sweep: &Sweep, now: DateTime<Utc>) -> Option<Broken> {
        let is_missing = |row: &&Visibility| {
            row.creation >= sweep.from
                && stretch(&row.shown, sweep.started_at).is_some_and(|(_, until)| until > now)
                && !self.rows.contains_key(&(kind, row.uid))
        };
        let row = self.truth.kinds.get(kind)?.rows.values().filter(|_| !self.is_lied_to).find(is_missing)?;
        let what = format!(
            "{kind} {} was shown all through the sweep of {} and is not stored: {row:?}",
            row.uid, sweep.started_at
        );
        Some(Broken::new("I2", what))
    }

    /// What a mark promises: every row that the source showed when the scan began, up to the mark, is durable.
    fn check_mark(&self, kind: &'static str, mark: &Mark, now: DateTime<Utc>) -> Option<Broken> {
        let floor = self.floor(kind)?;
        let truth = self.truth.kinds.get(kind).filter(|_| !self.is_lied_to)?;
        let first_end = self.first_ends.get(&(kind, mark.server));
        for uid in truth.by_server.get(&mark.server)? {
            let row = &truth.rows[uid];
            let (stretches, value) = field_of(row, mark.field);
            let is_promised = value <= mark.mark
                && row.creation >= floor
                && stretch(stretches, mark.scanned_at).is_some_and(|(_, until)| until > now)
                && self.truth.is_on_time(kind, row, mark.field, now)
                && (mark.field == Field::Creation || first_end.is_some_and(|first| value >= *first));
            if is_promised && !self.rows.contains_key(&(kind, *uid)) {
                let (field, at) = (mark.field.name(), mark.scanned_at);
                let what = format!(
                    "{kind} {uid} ({field} {value}, shown {:?}) is not stored though the mark {} of its server was committed at {now} for a scan begun at {at}",
                    row.shown, mark.mark
                );
                return Some(Broken::new("I3", what));
            }
        }
        None
    }
}

/// The kinds' entries for the simulator's kinds.
pub fn entries(kinds: &[Kind]) -> Vec<&'static vemsync::kind::SessionKind> {
    kinds.iter().map(|kind| kinds::kind(kind.name()).expect("one of the eight")).collect()
}
