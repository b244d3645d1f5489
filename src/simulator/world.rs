//! The fleet as it truly is, and what Enterprise Manager shows of it at a moment: a pure function of the two.
//!
//! Enterprise Manager knows only what it last collected from a backup server. So a session appears some time after it
//! was created, ends some time after it ended, and a server that could not be reached delivers its backlog at once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::mishap::Mishaps;
use super::ticks::Ticks;
use super::types::Kind;

mod parents;

pub use parents::Server;
pub(super) use parents::{Family, Job, Plan, Policy, Vm};

/// How often a backup server is collected, in seconds, unless an edit says otherwise.
pub const COLLECTION_SECS: i64 = 15 * 60;

/// Where a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the API's own names")]
pub enum Outcome {
    Success,
    Warning,
    Failed,
}

impl Outcome {
    pub(super) fn name(self) -> &'static str {
        match self {
            Outcome::Success => "Success",
            Outcome::Warning => "Warning",
            Outcome::Failed => "Failed",
        }
    }
}

/// One session as it truly is.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its type.
    pub kind: Kind,
    /// Its identity.
    pub uid: Uuid,
    /// Position of its backup server.
    pub server: usize,
    /// The name without the time of creation.
    pub label: Arc<str>,
    /// The job or policy session of a task.
    pub parent: Option<Uuid>,
    /// Position of the job, or of the policy for a CDP session.
    pub job: Option<usize>,
    /// The element JobType (PolicyType for a CDP session).
    pub job_type: &'static str,
    /// Position of the machine.
    pub vm: Option<usize>,
    /// When it started.
    pub creation: Ticks,
    /// When it ended or will end.
    pub end: Ticks,
    /// How much later than its creation it can be collected at the earliest.
    pub delay_secs: i64,
    /// How it ends.
    pub outcome: Outcome,
    /// Why it ended so.
    pub message: Option<Arc<str>>,
    /// The element TotalSize.
    pub size_bytes: i64,
    /// The element IsRetry.
    pub is_retry: bool,
    /// The restore or replica point that it made or used.
    pub point: Option<Uuid>,
    /// What few sessions have.
    pub more: Option<Box<Oddities>>,
}

/// What few sessions have.
#[derive(Debug, Clone, Default)]
pub struct Oddities {
    /// Restore points of a job session.
    pub points: Vec<Uuid>,
    /// The Name of the link to the point; an empty one is sent and means none.
    pub point_name: Option<String>,
    /// The attribute CloudFailoverPlanName.
    pub plan_name: Option<String>,
    /// The machines of a failover.
    pub inner: Vec<InnerTask>,
    /// The machines are no longer listed once the failover has ended.
    pub inner_vanishes: bool,
    /// Elements that no documentation knows.
    pub elements: Vec<(String, String)>,
    /// Attributes that no documentation knows.
    pub attributes: Vec<(String, String)>,
    /// The message as it stands in the XML, where that is more than escaping it.
    pub raw_message: Option<String>,
    /// No link to the job.
    pub no_job_link: bool,
    /// No element with the UID of the job.
    pub no_job_uid: bool,
    /// No link to the backup server.
    pub no_server_link: bool,
    /// No Progress.
    pub no_progress: bool,
    /// Says Failed while it still runs.
    pub early_failure: bool,
    /// For so many collections after its end the state is final and the end time is missing.
    pub late_end: i64,
    /// Not fit to be stored.
    pub broken: Option<Broken>,
    /// Lost from then on, by Enterprise Manager's clock.
    pub gone_at: Option<Ticks>,
    /// From then on, by Enterprise Manager's clock, it is followed as it goes, without regard to collections.
    pub followed_from: Option<Ticks>,
    /// Not collected before, by the server's clock, though it was created long ago.
    pub back_at: Option<Ticks>,
}

/// What makes a record unfit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// No attribute UID.
    NoUid,
    /// No element CreationTimeUTC.
    NoCreationTime,
    /// Created in the year 1, which is .NET's word for never.
    YearOne,
}

/// One machine of a cloud failover.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "as in Session")]
pub struct InnerTask {
    pub vm_name: String,
    pub point: Option<Uuid>,
    pub creation: Ticks,
    pub end: Ticks,
    pub outcome: Outcome,
    pub message: Option<String>,
}

/// Rows rendered ahead, one behind the other.
#[derive(Debug, Default)]
pub(super) struct Arena {
    pub(super) text: String,
    /// Where row `n` begins, and where the last one ends.
    pub(super) offsets: Vec<usize>,
}

/// All sessions of one type, found by creation, by end and by UID.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Only ever appended to, so that positions stay valid; a removed row is `None`.
    pub(super) rows: Vec<Option<Session>>,
    pub(super) by_creation: Vec<u32>,
    pub(super) by_end: Vec<u32>,
    pub(super) by_uid: HashMap<Uuid, u32>,
    pub(super) arena: Arena,
    pub(super) max_delay_secs: i64,
    /// Changed since they were rendered ahead.
    pub(super) edited: HashSet<u32>,
}

impl Table {
    pub(super) fn row(&self, id: u32) -> Option<&Session> {
        self.rows[id as usize].as_ref()
    }

    pub(super) fn get(&self, uid: Uuid) -> Option<&Session> {
        self.row(*self.by_uid.get(&uid)?)
    }

    pub(super) fn creation(&self, id: u32) -> Ticks {
        self.row(id).map_or(Ticks::MIN, |row| row.creation)
    }

    pub(super) fn end(&self, id: u32) -> Ticks {
        self.row(id).map_or(Ticks::MIN, |row| row.end)
    }

    /// The row as it was rendered ahead, if it was.
    pub(super) fn rendered(&self, id: u32) -> Option<&str> {
        let (from, to) = (*self.arena.offsets.get(id as usize)?, *self.arena.offsets.get(id as usize + 1)?);
        (!self.edited.contains(&id)).then(|| &self.arena.text[from..to])
    }

    pub(super) fn push(&mut self, row: Session) {
        let id = u32::try_from(self.rows.len()).expect("a world holds fewer than 2^32 rows");
        self.by_uid.insert(row.uid, id);
        self.max_delay_secs = self.max_delay_secs.max(row.delay_secs);
        self.by_creation.push(id);
        self.by_end.push(id);
        self.rows.push(Some(row));
    }

    pub(super) fn sort(&mut self) {
        let rows = &self.rows;
        let key = |id: &u32, end: bool| {
            rows[*id as usize].as_ref().map_or(Ticks::MIN, |row| if end { row.end } else { row.creation })
        };
        self.by_creation.retain(|id| rows[*id as usize].is_some());
        self.by_end.retain(|id| rows[*id as usize].is_some());
        self.by_creation.sort_by_key(|id| key(id, false));
        self.by_end.sort_by_key(|id| key(id, true));
    }
}

/// The fleet: what happened, what will, and how Enterprise Manager comes to know.
#[derive(Debug)]
pub struct World {
    pub(super) servers: Vec<Server>,
    pub(super) jobs: Vec<Job>,
    pub(super) policies: Vec<Policy>,
    pub(super) plans: Vec<Plan>,
    pub(super) vms: Vec<Vm>,
    pub(super) tables: [Table; 8],
    pub(super) rng: fastrand::Rng,
    /// Sessions older than this many days vanish.
    pub(super) retention_days: Option<i64>,
    /// What befalls Enterprise Manager.
    pub(super) mishaps: Mishaps,
    /// It collects from no server from then on.
    pub(super) collects_until: Option<Ticks>,
    /// Counts edits, so that an answer that was kept is known to be stale.
    pub(super) version: u64,
}

impl World {
    /// Nothing at all.
    #[must_use]
    pub fn empty(seed: u64) -> World {
        World {
            servers: Vec::new(),
            jobs: Vec::new(),
            policies: Vec::new(),
            plans: Vec::new(),
            vms: Vec::new(),
            tables: std::array::from_fn(|_| Table::default()),
            rng: fastrand::Rng::with_seed(seed),
            retention_days: None,
            mishaps: Mishaps::default(),
            collects_until: None,
            version: 0,
        }
    }

    pub(super) fn table(&self, kind: Kind) -> &Table {
        &self.tables[kind.index()]
    }

    pub(super) fn new_uid(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.rng.u128(..).to_le_bytes()).into_uuid()
    }

    pub(super) fn add(&mut self, session: Session) {
        self.tables[session.kind.index()].push(session);
    }

    pub(super) fn index(&mut self) {
        for table in &mut self.tables {
            table.sort();
        }
        self.version += 1;
    }

    pub(super) fn name_of(&self, session: &Session) -> String {
        // A failover is named like its plan and says nothing of time.
        if session.kind == Kind::CloudFailoverSession {
            return session.label.to_string();
        }
        let fraction = self.servers[session.server].version.starts_with("13");
        format!("{}@{}", session.label, session.creation.in_name(fraction))
    }

    /// What has been collected by then.
    pub(super) fn at(&self, now: Ticks) -> Moment {
        let collected = |server| self.collected(server, now).filter(|_| !self.mishaps.hides_server(server, now));
        let collected: Vec<_> = (0..self.servers.len()).map(collected).collect();
        let oldest = collected.iter().flatten().copied().min().unwrap_or(now);
        let hidden = self.mishaps.hidden_sessions(now);
        let clocks = self.servers.iter().map(|server| now.plus_secs(server.ahead_secs)).collect();
        Moment {
            now,
            collected,
            clocks,
            oldest,
            kept_from: self.kept_from(now),
            hidden,
            is_plain: self.mishaps.is_empty(),
        }
    }

    /// What was created before is purged.
    pub(super) fn kept_from(&self, now: Ticks) -> Ticks {
        self.retention_days.map_or(Ticks::MIN, |days| now.plus_secs(-days * 86_400))
    }

    /// How many sessions of that type are shown at `now`.
    #[must_use]
    pub fn visible_count(&self, kind: Kind, now: DateTime<Utc>) -> usize {
        let moment = self.at(Ticks::from_utc(now));
        self.table(kind).rows.iter().flatten().filter(|row| moment.shows(row).is_some()).count()
    }
}

/// What Enterprise Manager shows at one moment.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    pub(super) now: Ticks,
    /// The last collection of each server, by that server's clock.
    pub(super) collected: Vec<Option<Ticks>>,
    /// The time by each server's clock.
    pub(super) clocks: Vec<Ticks>,
    /// The oldest of the last collections: what ended before is known to have ended.
    pub(super) oldest: Ticks,
    pub(super) kept_from: Ticks,
    /// Sessions that the account does not see.
    pub(super) hidden: Vec<Arc<HashSet<Uuid>>>,
    /// Nothing ever befalls this world.
    pub(super) is_plain: bool,
}

impl Moment {
    /// The collection that decides how the session looks, or `None` if it is not shown.
    pub(super) fn shows(&self, session: &Session) -> Option<Ticks> {
        let odd = session.more.as_deref();
        let mut collected = self.collected[session.server]?;
        if odd.and_then(|odd| odd.followed_from).is_some_and(|from| from <= self.now) {
            collected = collected.max(self.clocks[session.server]);
        }
        let is_known = session.creation.plus_secs(session.delay_secs) <= collected
            && session.creation >= self.kept_from
            && odd.and_then(|odd| odd.back_at).is_none_or(|back| back <= collected)
            && odd.and_then(|odd| odd.gone_at).is_none_or(|gone| self.now < gone);
        (is_known && !self.hidden.iter().any(|hidden| hidden.contains(&session.uid))).then_some(collected)
    }

    pub(super) fn knows_all(&self) -> bool {
        self.collected.iter().all(Option::is_some)
    }

    pub(super) fn knows_server(&self, server: usize) -> bool {
        self.collected[server].is_some()
    }
}

/// A session as it looks at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    /// The collection that it looks so at.
    pub(super) collected: Ticks,
    pub(super) state: &'static str,
    /// `None`: the element is missing, which means the same as the value `None`.
    pub(super) result: Option<&'static str>,
    pub(super) end: Option<Ticks>,
    pub(super) progress: Option<i64>,
    /// The message is there.
    pub(super) says_why: bool,
    /// The state is a final one.
    pub(super) finished: bool,
}

impl Session {
    /// A number that is the same for the session every time: choices of spelling hang on it.
    pub(super) fn die(&self) -> usize {
        usize::from(self.uid.as_bytes()[0]) << 8 | usize::from(self.uid.as_bytes()[1])
    }

    pub(super) fn view(&self, collected: Ticks) -> View {
        let odd = self.more.as_deref();
        let finished = self.end <= collected;
        let late = odd.map_or(0, |odd| odd.late_end);
        let end = (finished && self.end.plus_secs(late * COLLECTION_SECS) <= collected).then_some(self.end);
        let whole = self.end.since(self.creation).max(1);
        let percent = (collected.since(self.creation) / (whole / 100).max(1)).clamp(0, 99);
        let progress = match self.kind {
            _ if self.kind.is_task() || odd.is_some_and(|odd| odd.no_progress) => None,
            Kind::CdpReplicaSession => Some(0),
            Kind::RestoreSession if self.job_type == "FileLevelRestore" => Some(0),
            _ => Some(if finished { 100 } else { percent }),
        };
        let early = odd.is_some_and(|odd| odd.early_failure);
        let (state, result) = match (finished, self.kind) {
            (true, kind) => (if kind.is_task() { "Completed" } else { "Stopped" }, Some(self.outcome.name())),
            (false, Kind::CdpReplicaTaskSession) => ("InProgress", Some("Success")),
            (false, kind) => {
                let state = match (kind.is_task(), percent) {
                    (true, ..10) => "Pending",
                    (true, _) => "InProgress",
                    (false, ..4) => "Starting",
                    (false, 97..) => "Stopping",
                    (false, _) => "Working",
                };
                (state, if early { Some("Failed") } else { (!self.die().is_multiple_of(9)).then_some("None") })
            }
        };
        View { collected, state, result, end, progress, says_why: finished || early, finished }
    }
}

impl Session {
    /// The machines that a failover lists as it looks now.
    pub(super) fn shown_inner(&self, view: View) -> Vec<&InnerTask> {
        let Some(odd) = self.more.as_deref() else { return Vec::new() };
        if view.finished && odd.inner_vanishes {
            return Vec::new();
        }
        odd.inner.iter().filter(|task| task.creation <= view.collected).collect()
    }
}

impl InnerTask {
    pub(super) fn view(&self, collected: Ticks) -> View {
        let finished = self.end <= collected;
        let whole = self.end.since(self.creation).max(100);
        let percent = (collected.since(self.creation) / (whole / 100)).clamp(0, 99);
        View {
            collected,
            state: if finished {
                "Stopped"
            } else if percent < 10 {
                "Starting"
            } else {
                "Working"
            },
            result: Some(if finished { self.outcome.name() } else { "None" }),
            end: finished.then_some(self.end),
            progress: Some(if finished { 100 } else { percent }),
            says_why: finished,
            finished,
        }
    }
}
