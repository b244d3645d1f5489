//! One pass over one Enterprise Manager: what to ask for, so that no row is missed.
//!
//! A **stream** is one kind of one backup server, followed by one time ([`Field::Creation`] or [`Field::End`]). Its
//! **mark** is the greatest value seen and committed: evidence, not the time of the last poll. A pass scans every
//! stream from its mark less an overlap, reads again what has not ended, and commits the rows of a window and what
//! becomes true with them in one transaction. `docs/ARCHITECTURE.md` has the rules and why each is there.
//!
//! Kinds run side by side, each with one read in flight, so that observations of a row are ordered; one writer commits
//! behind all of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::{Backfill, ManagerSettings, SyncSettings};
use crate::em::Client;
use crate::escape;
use crate::kind::SessionKind;
use crate::store::{self, Counts, Pass, Store};

mod collect;
mod error;
mod history;
mod open;
mod parents;
mod plan;
mod read;
mod rewind;
mod scan;
mod second;
mod streams;
mod sweep;
mod turn;
mod window;
mod writer;

pub use error::Error;
pub use history::HistoryRange;
pub use sweep::{Comparison, DayCount, SweepOutcome, SweepSummary};
pub use turn::{OnStandBy, Turns};

use window::Window;

use read::Reader;
use writer::{Totals, Writer, WriterTask};

/// How much of a pass is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// What is new within the last hour and what has not ended; marks stay.
    Narrow,
    /// Everything from mark less overlap; marks rise.
    Wide,
    /// A range of history.
    Backfill(HistoryRange),
}

impl Mode {
    /// Its name in `sync_passes`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Narrow => "narrow",
            Self::Wide => "wide",
            Self::Backfill(_) => "backfill",
        }
    }
}

/// What a pass is to do.
#[derive(Clone)]
pub struct Options {
    /// The session types to read.
    pub kinds: Vec<&'static SessionKind>,
    /// Rows to ask for in a request.
    pub page_size: u32,
    /// How far back a new stream starts.
    pub backfill: Backfill,
    /// How far below its mark a stream is read again.
    pub overlap: TimeDelta,
    /// How long rows are kept: history that is older is not read, nor swept. `None` is for ever.
    pub keep: Option<TimeDelta>,
    /// How often live data is read while the first history is.
    pub live_every: Option<std::time::Duration>,
    /// Called after each window of history.
    pub progress: Arc<dyn Fn(Progress) + Send + Sync>,
}

impl Options {
    /// A single pass over everything, as the settings say.
    #[must_use]
    pub fn new(sync: &SyncSettings, keep: Option<TimeDelta>) -> Self {
        Self {
            kinds: sync.kinds.clone(),
            page_size: sync.page_size,
            backfill: sync.backfill,
            overlap: sync.overlap,
            keep,
            live_every: None,
            progress: Arc::new(|_| {}),
        }
    }
}

/// How far history is read.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// The session type.
    pub kind: &'static str,
    /// Everything from here on is read.
    pub reached: DateTime<Utc>,
    /// Where it will end.
    pub floor: DateTime<Utc>,
    /// Where it began.
    pub from: DateTime<Utc>,
    /// Rows read so far.
    pub rows: u64,
}

/// What became of one kind in a pass.
#[derive(Debug)]
pub struct KindOutcome {
    /// The API's query type.
    pub kind: &'static str,
    /// Its rows.
    pub counts: Counts,
    /// Reads that were asked for.
    pub reads: u64,
    /// Whether it was done.
    pub result: Result<(), Error>,
}

/// What became of a pass.
#[derive(Debug)]
pub struct Summary {
    /// One entry a kind, parents' types first where they were read.
    pub kinds: Vec<KindOutcome>,
    /// Requests that were sent, with logon.
    pub requests: u64,
}

impl Summary {
    /// Whether none of it was done.
    #[must_use]
    pub fn is_void(&self) -> bool {
        !self.kinds.is_empty() && self.kinds.iter().all(|kind| !matches!(kind.result, Ok(()) | Err(Error::Unavailable)))
    }

    /// Whether all of it was done; a type that this Enterprise Manager does not know does not count against it.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.kinds.iter().all(|kind| matches!(kind.result, Ok(()) | Err(Error::Unavailable)))
    }
}

/// One Enterprise Manager and the database that it is copied into.
pub struct Syncer {
    client: Client,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    em_id: i64,
    turns: Turns,
    /// Ends the pass between two windows.
    pub cancel: CancellationToken,
}

/// What a part of a pass needs to know.
struct Context<'a> {
    client: &'a Client,
    store: &'a dyn Store,
    clock: &'a dyn Clock,
    writer: &'a Writer,
    options: &'a Options,
    cancel: &'a CancellationToken,
    /// Shared by what is under way; see [`Turns::share`].
    gate: &'a RwLock<()>,
    em_id: i64,
    servers: Vec<Uuid>,
    /// The backup servers that were listed in this pass, where they were.
    listed: Option<HashSet<Uuid>>,
}

impl Context<'_> {
    /// A backup server's name for a message; its identity where it has none.
    async fn server_name(&self, server: Uuid) -> Result<String, Error> {
        let name = self.store.server_names().await?.remove(&server);
        Ok(name.unwrap_or_else(|| server.to_string()))
    }
}

impl Syncer {
    /// Sees that there is an Enterprise Manager and that the account may log on.
    ///
    /// # Errors
    /// If not, or if the database cannot be used.
    pub async fn connect(
        settings: &ManagerSettings,
        client: Client,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        cancel: CancellationToken,
    ) -> Result<Self, Error> {
        // Not before something has answered like one does a password go out.
        let answers = async {
            let versions = client.versions().await?;
            client.log_on().await.map(|()| versions)
        };
        let versions = tokio::select! {
            () = cancel.cancelled() => return Err(Error::Interrupted),
            answered = answers => answered.map_err(Error::Source)?,
        };
        let newest = versions.iter().max_by_key(|name| version_number(name)).map(String::as_str);
        let em_id = store.manager(&settings.name, client.base().as_str(), newest, clock.now()).await?;
        let turns = Turns::new(store.clone(), clock.clone(), em_id, cancel.clone());
        Ok(Self { client, store, clock, em_id, turns, cancel })
    }

    /// The Enterprise Manager's row in the database.
    #[must_use]
    pub fn em_id(&self) -> i64 {
        self.em_id
    }

    /// The client, for its clock and its counters.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// From now on it leads: it keeps its turn between passes, and stands by while another instance leads.
    #[must_use]
    pub fn leading(mut self, on_stand_by: OnStandBy) -> Self {
        self.turns.lead(on_stand_by);
        self
    }

    /// Lets time pass between two passes. Whoever waits for the turn has it meanwhile.
    pub async fn rest(&self, pause: std::time::Duration) {
        self.turns.rest(pause).await;
    }

    /// Waits for its turn and does one pass. A kind that fails does not stop the others; a database or an account that fails stops all.
    ///
    /// # Errors
    /// Only what stops all.
    pub async fn pass(&self, mode: Mode, options: &Options) -> Result<Summary, Error> {
        self.in_turn(Box::pin(self.pass_in_turn(mode, options))).await
    }

    /// Does some work once it is our turn.
    async fn in_turn<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.turns.take().await?;
        let outcome = work.await;
        self.turns.end_pass(matches!(outcome, Err(Error::Store(store::Error::Fenced { .. })))).await;
        outcome
    }

    async fn pass_in_turn(&self, mode: Mode, options: &Options) -> Result<Summary, Error> {
        let before = self.client.requests();
        let (writer, task) = Writer::start(self.store.clone(), self.clock.clone());
        let gate = RwLock::default();
        let mut context = self.context(&writer, &gate, options);
        let outcome = tokio::select! {
            outcome = self.run_parts(mode, &mut context) => outcome,
            error = self.turns.share(&gate, &writer), if matches!(mode, Mode::Backfill(_)) => Err(error),
        };
        let (mut kinds, counts) = end(writer, task, outcome).await?;
        for kind in &mut kinds {
            kind.counts = counts.get(kind.kind).copied().unwrap_or_default();
        }
        Ok(Summary { kinds, requests: self.client.requests() - before })
    }

    /// How many rows the source has in a range, by kind, at one request a kind; types that it does not know are left out.
    ///
    /// # Errors
    /// If the source cannot be asked.
    pub async fn count(&self, range: HistoryRange, options: &Options) -> Result<Vec<(&'static str, u64)>, Error> {
        let mut counts = Vec::new();
        for kind in &options.kinds {
            match history::count(&self.client, kind, range).await {
                Ok(rows) => counts.push((kind.name, rows)),
                Err(error) => match read::unless_unknown(&self.client, kind.name, Err(error)).await {
                    Err(Error::Unavailable) => {}
                    other => other?,
                },
            }
        }
        Ok(counts)
    }

    /// Ends the logon session, and the turn.
    pub async fn log_off(&self) {
        self.turns.leave().await;
        self.client.log_off().await;
    }

    fn context<'a>(&'a self, writer: &'a Writer, gate: &'a RwLock<()>, options: &'a Options) -> Context<'a> {
        Context {
            client: &self.client,
            store: self.store.as_ref(),
            clock: self.clock.as_ref(),
            writer,
            options,
            cancel: &self.cancel,
            gate,
            em_id: self.em_id,
            servers: Vec::new(),
            listed: None,
        }
    }

    async fn run_parts(&self, mode: Mode, context: &mut Context<'_>) -> Result<Vec<KindOutcome>, Error> {
        let mut outcomes = Vec::new();
        if mode == Mode::Wide {
            (outcomes, context.listed) = parents::read(context).await?;
            context.writer.flush().await?;
        }
        context.servers = context.store.servers(context.em_id).await?;
        let context = &*context;
        let mut kinds: FuturesUnordered<_> =
            context.options.kinds.iter().map(|kind| self.run_kind(mode, context, kind)).collect();
        let mut done: Vec<KindOutcome> = Vec::new();
        while let Some(outcome) = kinds.next().await {
            done.push(outcome?);
        }
        drop(kinds);
        done.sort_by_key(|outcome| crate::kinds::KINDS.iter().position(|kind| kind.name == outcome.kind));
        if mode == Mode::Wide {
            context.writer.flush().await?;
            open::fetch_unseen_parents(context, &mut done).await?;
            collect::ask(context).await?;
        }
        outcomes.extend(done);
        Ok(outcomes)
    }

    /// One kind's part of a pass, with its line in the diary. Errors that concern this kind only are its outcome.
    async fn run_kind(
        &self,
        mode: Mode,
        context: &Context<'_>,
        kind: &'static SessionKind,
    ) -> Result<KindOutcome, Error> {
        let started_at = self.clock.now();
        let mut reader = Reader::new(context, kind);
        reader.enter().await;
        let result = match mode {
            Mode::Narrow => open::narrow(&mut reader).await,
            Mode::Wide => streams::wide(&mut reader).await,
            Mode::Backfill(range) => history::read(&mut reader, range).await,
        };
        let reads = reader.reads;
        let result = match read::unless_unknown(context.client, kind.name, result).await {
            Err(error) if error.stops_all() => return Err(error),
            other => other,
        };
        let counts = context.writer.flush().await?.get(kind.name).copied().unwrap_or_default();
        let outcome = KindOutcome { kind: kind.name, counts, reads, result };
        context.writer.record(self.entry(mode.name(), started_at, &outcome)).await?;
        Ok(outcome)
    }

    /// The line in the diary for one kind's part of a pass or a sweep, which ends now.
    fn entry(&self, mode: &'static str, started_at: DateTime<Utc>, outcome: &KindOutcome) -> Pass {
        Pass {
            em_id: self.em_id,
            kind: outcome.kind,
            mode,
            started_at,
            finished_at: self.clock.now(),
            outcome: match &outcome.result {
                Ok(()) => "done",
                Err(Error::Unavailable) => "unavailable",
                Err(_) => "failed",
            },
            requests: outcome.reads,
            counts: outcome.counts,
            error: outcome.result.as_ref().err().map(|error| escape::chain(error)),
        }
    }
}

/// Waits for the writer. Of a writer and a reader that failed, the writer's failure is the cause.
async fn end<T>(writer: Writer, task: WriterTask, outcome: Result<T, Error>) -> Result<(T, Totals), Error> {
    drop(writer);
    let counts = task.finish().await?;
    Ok((outcome?, counts))
}

/// The greatest value of each server in some rows, by one of their times.
type Greatest = HashMap<Uuid, DateTime<Utc>>;

/// `v1_7` as numbers: as text, `v1_10` would come before it.
fn version_number(name: &str) -> Vec<u32> {
    name.trim_start_matches(['v', 'V']).split(['_', '.']).map(|part| part.parse().unwrap_or(0)).collect()
}
