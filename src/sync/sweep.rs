//! Sweeps: what is stored, compared with what the source lists, slice by slice from the newest down.
//!
//! The passes are right by design; a sweep proves it, and mends where the world did what no pass could see: a row that
//! came later than the overlap, a value that changed long after its session had ended. Slices are committed one by one,
//! and a sweep that was interrupted goes on where it stopped. What it mends is a warning: the passes missed something.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use tokio::sync::RwLock;
use uuid::Uuid;

use super::read::Reader;
use super::writer::Writer;
use super::{Context, Error, KindOutcome, Options, Syncer, read, streams};
use crate::kind::SessionKind;
use crate::planted::{self, Bug};
use crate::store::{Backfill, Counts, Doubt, Doubts, Field, Mark, Store, Sweep, SweepScope, SweepStep};
use crate::timestamp::floor_second;

mod outcome;
mod proof;
mod slice;

pub use outcome::{DayCount, SweepOutcome, SweepSummary};

/// How far back a recent sweep looks.
const RECENT: TimeDelta = TimeDelta::hours(48);

/// Between two recent sweeps.
const RECENT_EVERY: TimeDelta = TimeDelta::hours(6);

/// Ended rows are read again for so long: what they say may change after their end.
const CONTENT: TimeDelta = TimeDelta::days(7);

/// When a full sweep is due, as a time of day by Enterprise Manager's clock: most backup windows leave it alone.
const NIGHT: TimeDelta = TimeDelta::hours(3);

/// What is about to be deleted because of its age is not swept: a sweep under way must not bring it back.
const EXPIRING: TimeDelta = TimeDelta::days(2);

/// A sweep that was interrupted for longer than this begins anew.
const STALE: TimeDelta = TimeDelta::hours(36);

/// The widest overlap that rows which come late can bring about.
const WIDEST_OVERLAP: TimeDelta = TimeDelta::hours(48);

/// What a comparison is to do.
#[derive(Debug, Clone, Copy)]
pub struct Comparison {
    /// Where it ends, if not at the floor of history.
    pub since: Option<DateTime<Utc>>,
    /// Whether rows that are missing or different are stored.
    pub stores: bool,
    /// Whether rows are marked as missing at the source however many they are at once.
    pub accepts_missing: bool,
}

/// What a daemon's own sweeps do.
const SWEEP: Comparison = Comparison { since: None, stores: true, accepts_missing: false };

/// What a sweep is to do.
#[derive(Debug, Clone, Copy)]
struct Order {
    scope: SweepScope,
    comparison: Comparison,
    /// When the kinds' sweeps of this round began.
    started_at: DateTime<Utc>,
}

impl Syncer {
    /// Goes on with the sweep of that scope, or begins one, for as many requests as it may take; slices are whole, so a
    /// few more may be sent.
    ///
    /// # Errors
    /// Only what stops all kinds.
    pub async fn sweep(
        &self,
        scope: SweepScope,
        options: &Options,
        requests: Option<u64>,
    ) -> Result<SweepSummary, Error> {
        let started_at = match self.round(scope, options).await? {
            Some((started_at, false)) => started_at,
            _ => self.new_round(options).await?,
        };
        let order = Order { scope, comparison: SWEEP, started_at };
        self.in_turn(Box::pin(self.run_sweep(order, options, requests))).await
    }

    /// Compares everything, values too.
    ///
    /// # Errors
    /// Only what stops all kinds.
    pub async fn verify(&self, comparison: Comparison, options: &Options) -> Result<SweepSummary, Error> {
        let started_at = self.new_round(options).await?;
        let order = Order { scope: SweepScope::Verify, comparison, started_at };
        self.in_turn(Box::pin(self.run_sweep(order, options, None))).await
    }

    /// The sweeps that are due: a full one at night, a recent one every six hours, and what was interrupted.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn due_sweeps(&self, options: &Options) -> Result<Vec<SweepScope>, Error> {
        let now = self.client.now();
        let midnight = now.date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
        let night = if now - midnight >= NIGHT { midnight + NIGHT } else { midnight + NIGHT - TimeDelta::days(1) };
        let full = self.round(SweepScope::Full, options).await?;
        let recent = self.round(SweepScope::Recent, options).await?;
        let is_under_way = |round: Option<(DateTime<Utc>, bool)>| round.is_some_and(|(_, is_done)| !is_done);
        let began = |round: Option<(DateTime<Utc>, bool)>| round.map(|(started_at, _)| started_at);
        // Where nothing was swept yet, the first history has just been read. A full sweep begins with what is recent.
        let first = self.first_history(options).await?;
        let is_before = |began: Option<DateTime<Utc>>, due| began.or(first).is_some_and(|began| began < due);
        let mut due = Vec::new();
        if is_under_way(full) || is_before(began(full), night) {
            due.push(SweepScope::Full);
        }
        if is_under_way(recent) || is_before(began(full).max(began(recent)), now - RECENT_EVERY) {
            due.push(SweepScope::Recent);
        }
        Ok(due)
    }

    /// The beginning of a new round, which tells it from all others.
    async fn new_round(&self, options: &Options) -> Result<DateTime<Utc>, Error> {
        let mut taken = HashSet::new();
        for kind in &options.kinds {
            taken.extend(self.store.sweeps(self.em_id, kind).await?.into_iter().map(|sweep| sweep.started_at));
        }
        let mut started_at = self.client.now();
        while taken.contains(&started_at) {
            started_at += TimeDelta::microseconds(1);
        }
        Ok(started_at)
    }

    /// When the last round of that scope began, over all kinds, and whether it is done. A round that was given up long
    /// ago counts as done.
    async fn round(&self, scope: SweepScope, options: &Options) -> Result<Option<(DateTime<Utc>, bool)>, Error> {
        let now = self.client.now();
        let mut rounds: Vec<Option<Sweep>> = Vec::new();
        for kind in &options.kinds {
            if floor(self.store.as_ref(), self.em_id, kind).await?.is_some() {
                let sweeps = self.store.sweeps(self.em_id, kind).await?;
                // A clock that has been set back since must not keep sweeps waiting for it.
                let is_past = |sweep: &Sweep| sweep.started_at < now + TimeDelta::hours(1);
                rounds.push(sweeps.into_iter().find(|sweep| sweep.scope == scope && is_past(sweep)));
            }
        }
        let Some(newest) = rounds.iter().flatten().map(|sweep| sweep.started_at).max() else {
            return Ok(None);
        };
        let is_done = |sweep: &Option<Sweep>| {
            sweep.as_ref().is_some_and(|sweep| sweep.started_at == newest && sweep.finished_at.is_some())
        };
        Ok(Some((newest, now - newest > STALE || rounds.iter().all(is_done))))
    }

    async fn first_history(&self, options: &Options) -> Result<Option<DateTime<Utc>>, Error> {
        let mut first: Option<DateTime<Utc>> = None;
        for kind in &options.kinds {
            let backfills = self.store.backfills(self.em_id, kind).await?;
            let began = backfills
                .iter()
                .filter(|backfill| backfill.is_first_history())
                .map(|backfill| backfill.started_at)
                .min();
            first = [first, began].into_iter().flatten().min();
        }
        Ok(first)
    }

    async fn run_sweep(&self, order: Order, options: &Options, limit: Option<u64>) -> Result<SweepSummary, Error> {
        let before = self.client.requests();
        let (writer, task) = Writer::start(self.store.clone(), self.clock.clone());
        let gate = RwLock::default();
        let context = self.context(&writer, &gate, options);
        let outcome = tokio::select! {
            outcome = self.sweep_kinds(&context, order, limit.map(|limit| before + limit)) => outcome,
            // What a person asked for may take long; a daemon's sweep takes the time between two passes.
            error = self.turns.share(&gate, &writer), if order.scope == SweepScope::Verify => Err(error),
        };
        let ((mut kinds, is_whole), counts) = super::end(writer, task, outcome).await?;
        for kind in &mut kinds {
            kind.counts = counts.get(kind.kind).copied().unwrap_or_default();
        }
        Ok(SweepSummary { kinds, requests: self.client.requests() - before, is_whole })
    }

    /// One kind after the other, behind the passes; `until` is the count of requests at which it pauses. Also returns
    /// whether it came to all of them.
    async fn sweep_kinds(
        &self,
        context: &Context<'_>,
        order: Order,
        until: Option<u64>,
    ) -> Result<(Vec<SweepOutcome>, bool), Error> {
        let mut kinds = Vec::new();
        for kind in &context.options.kinds {
            if is_used_up(context, until) {
                return Ok((kinds, false));
            }
            if let Some(outcome) = self.sweep_kind(context, kind, order, until).await? {
                kinds.push(outcome);
            }
        }
        // They are few, whatever is left of the requests.
        if order.scope != SweepScope::Recent {
            proof::sweep_parents(context, order.started_at).await?;
        }
        Ok((kinds, true))
    }

    /// `None` if the kind is done already in this round.
    async fn sweep_kind(
        &self,
        context: &Context<'_>,
        kind: &'static SessionKind,
        order: Order,
        until: Option<u64>,
    ) -> Result<Option<SweepOutcome>, Error> {
        let began = self.clock.now();
        let mut reader = Reader::new(context, kind);
        reader.ask_for_more();
        let mut outcome = SweepOutcome {
            kind: kind.name,
            sweep: None,
            unsettled: 0,
            gone: 0,
            unproven: None,
            days: BTreeMap::new(),
            counts: Counts::default(),
            reads: 0,
            result: Ok(()),
        };
        let Some(mut state) = State::load(&reader, order).await? else {
            // Nothing was ever read of a type that this Enterprise Manager does not know.
            if order.scope == SweepScope::Verify
                && let Err(error @ Error::Unavailable) = read::known(context.client, kind.name).await
            {
                outcome.result = Err(error);
            }
            return Ok(Some(outcome));
        };
        if state.sweep.finished_at.is_some() {
            return Ok(None);
        }
        let result = state.run(&mut reader, until).await;
        let result = match read::unless_unknown(context.client, kind.name, result).await {
            Err(error) if error.stops_all() => return Err(error),
            other => other,
        };
        let counts = context.writer.flush().await?.get(kind.name).copied().unwrap_or_default();
        let done = KindOutcome { kind: kind.name, counts, reads: reader.reads, result };
        context.writer.record(self.entry("sweep", began, &done)).await?;
        (outcome.unsettled, outcome.gone, outcome.unproven) = (state.unsettled, state.gone, state.unproven);
        outcome.days = state.days.unwrap_or_default();
        (outcome.sweep, outcome.reads, outcome.result) = (Some(state.sweep), done.reads, done.result);
        Ok(Some(outcome))
    }
}

fn is_used_up(context: &Context<'_>, until: Option<u64>) -> bool {
    until.is_some_and(|until| context.client.requests() >= until)
}

/// How far back a kind is read without a gap; `None` until its first history is.
async fn floor(store: &dyn Store, em_id: i64, kind: &SessionKind) -> Result<Option<DateTime<Utc>>, Error> {
    let backfills = store.backfills(em_id, kind).await?;
    let Some(first) = backfills.iter().find(|backfill| backfill.is_first_history()) else {
        return Ok(None);
    };
    let mut floor = first.from;
    let is_next = |backfill: &&Backfill, floor| {
        backfill.server.is_nil() && backfill.finished_at.is_some() && backfill.until >= floor && backfill.from < floor
    };
    while let Some(next) = backfills.iter().find(|backfill| is_next(backfill, floor)) {
        floor = next.from;
    }
    Ok(Some(floor_second(floor)))
}

/// A sweep over one kind under way.
struct State {
    order: Order,
    sweep: Sweep,
    /// Whether a slice is done. The first one has no upper end: a backup server's clock may be ahead.
    is_begun: bool,
    /// From here on, values are compared.
    content_from: DateTime<Utc>,
    /// The marks of each server, with where the next pass's scans begin.
    starts: HashMap<(Field, Uuid), (DateTime<Utc>, DateTime<Utc>)>,
    /// Overlaps, in seconds.
    overlaps: HashMap<Uuid, i64>,
    /// Rows that an earlier sweep saw running again.
    reopened: HashSet<Uuid>,
    /// The oldest row that this sweep saw listed.
    oldest_listed: Option<DateTime<Utc>>,
    unsettled: u64,
    gone: u64,
    unproven: Option<String>,
    days: Option<BTreeMap<(Uuid, NaiveDate), DayCount>>,
}

impl State {
    /// The sweep of this round, as far as it is; `None` where there is nothing to compare yet.
    async fn load(reader: &Reader<'_>, order: Order) -> Result<Option<Self>, Error> {
        let (context, kind) = (reader.context, reader.kind);
        let store = context.store;
        let Some(mut floor) = floor(store, context.em_id, kind).await? else {
            return Ok(None);
        };
        if let Some(keep) = context.options.keep {
            floor = floor.max(floor_second(order.started_at - keep + EXPIRING));
        }
        let sweeps = store.sweeps(context.em_id, kind).await?;
        let begun = sweeps.into_iter().find(|sweep| sweep.scope == order.scope && sweep.started_at == order.started_at);
        let begun = begun.filter(|_| !planted::is(Bug::SweepFromZero));
        let from = match order.scope {
            SweepScope::Recent => floor.max(floor_second(order.started_at - RECENT)),
            SweepScope::Full => floor,
            SweepScope::Verify => order.comparison.since.map_or(floor, |since| floor_second(since).max(floor)),
        };
        let is_begun = begun.is_some();
        let sweep = begun.unwrap_or_else(|| Sweep::begin(order.scope, order.started_at, from));
        let content_from = match order.scope {
            SweepScope::Recent => DateTime::<Utc>::MAX_UTC,
            SweepScope::Full => order.started_at - CONTENT,
            SweepScope::Verify => from,
        };
        let marks = store.marks(context.em_id, kind).await?;
        let least = context.options.overlap.num_seconds();
        let start = |mark: &Mark| (mark.mark, streams::scan_start(mark, context.options.overlap));
        let which = Doubts { doubt: Doubt::Reopened, swept_at: None, least_sweeps: 1, after: None, limit: 10_000 };
        let doubted = store.doubts(context.em_id, kind.entity(), which).await?;
        let before = doubted.into_iter().filter(|doubted| doubted.since < order.started_at);
        Ok(Some(Self {
            order,
            sweep,
            is_begun,
            content_from,
            starts: marks.iter().map(|mark| ((mark.field, mark.server), start(mark))).collect(),
            overlaps: marks.iter().map(|mark| (mark.server, mark.overlap_seconds.max(least))).collect(),
            reopened: before.map(|doubted| doubted.row.uid).collect(),
            oldest_listed: None,
            unsettled: 0,
            gone: 0,
            unproven: None,
            days: (order.scope == SweepScope::Verify).then(BTreeMap::new),
        }))
    }

    /// Slice after slice to the end, or until the requests are used up.
    async fn run(&mut self, reader: &mut Reader<'_>, until: Option<u64>) -> Result<(), Error> {
        reader.enter().await;
        while self.sweep.reached > self.sweep.from {
            reader.check_cancelled()?;
            if is_used_up(reader.context, until) {
                return Ok(());
            }
            // Another instance may have the turn here.
            reader.enter().await;
            slice::compare(reader, self).await?;
        }
        let gone = proof::prove(reader, self).await?;
        self.gone = gone;
        let context = reader.context;
        self.sweep.finished_at = Some(context.client.now());
        let mut commit = reader.commit();
        commit.sweep = Some(SweepStep::new(self.sweep.clone()));
        context.writer.commit(commit).await?;
        context.writer.flush().await?;
        if self.sweep.missing + self.sweep.different > 0 {
            tracing::warn!(
                kind = reader.kind.name,
                missing = self.sweep.missing,
                different = self.sweep.different,
                max_lateness_seconds = self.sweep.max_lateness_seconds,
                "a sweep found rows that the passes had missed{}",
                if self.order.comparison.stores { "; they are stored now" } else { "" }
            );
        }
        if let Some(reason) = &self.unproven {
            tracing::warn!(
                kind = reader.kind.name,
                reason,
                "stored rows that the source does not list are not marked as missing"
            );
        }
        Ok(())
    }

    fn count(&mut self, server: Uuid, created: DateTime<Utc>, count: DayCount) {
        if let Some(days) = &mut self.days {
            days.entry((server, created.date_naive())).or_default().add(count);
        }
    }
}
