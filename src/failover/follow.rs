//! What comes of an action: its task, then its session, to the end. Everything here only reads.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::plan::session_kind;
use super::{Error, Operator, Session};
use crate::decode::Decoded;
use crate::em::Task;
use crate::store::{self, Commit, Operation, State, Step, Taken};
use crate::sync::Turns;

/// How an observer is told.
pub trait Watch: Send {
    /// A step was recorded, or something was observed.
    fn step(&mut self, operation: &Operation, what: &str);

    /// The session looks like this now.
    fn session(&mut self, session: &Session);
}

/// How long is waited for what may never come.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Between two looks.
    pub poll: Duration,
    /// For the session of an action of which nobody knows whether it arrived.
    pub unknown: Duration,
    /// For the session of one that was accepted: Enterprise Manager collects every quarter of an hour.
    pub accepted: Duration,
    /// For the turn to write, beside a daemon.
    pub turn: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(2),
            unknown: Duration::from_secs(30),
            accepted: Duration::from_secs(50 * 60),
            turn: Duration::from_secs(60),
        }
    }
}

/// A time in a filter is a whole second, and Enterprise Manager tells its time in whole seconds.
const FUDGE: TimeDelta = TimeDelta::seconds(2);

/// After so many looks a session that has stopped without an end time counts as ended.
const LOOKS_FOR_THE_END: u32 = 3;

/// What is known beyond the record.
struct Following<'a> {
    operator: &'a Operator,
    watch: &'a mut dyn Watch,
    patience: Patience,
    /// Whether the task can still be asked for: only the process that sent the action has its logon session.
    has_task: bool,
    task_state: String,
    seen: Option<Session>,
    looks_without_end: u32,
    /// A failure to read that was told already.
    is_failing: bool,
}

impl Operator {
    /// Follows an operation until it is over, until nothing more can be found out for now, or until cancelled. `is_ours`
    /// says that this process sent it.
    ///
    /// # Errors
    /// If the account is refused, or the record cannot be kept.
    pub async fn follow(
        &self,
        id: i64,
        is_ours: bool,
        patience: Patience,
        watch: &mut dyn Watch,
    ) -> Result<Operation, Error> {
        let mut following = Following::new(self, is_ours, patience, watch);
        let begun = Instant::now();
        loop {
            let operation = self.current(id).await?;
            let waits = match operation.state {
                State::Prepared | State::Confirmed | State::Finished | State::Rejected => return Ok(operation),
                State::Sending | State::Unknown => Some(patience.unknown),
                State::Accepted if following.has_task => None,
                State::Accepted => Some(patience.accepted),
                State::Running => None,
            };
            // To look changes nothing that another look could not change as well.
            tokio::select! {
                () = self.cancel.cancelled() => return Err(Error::Interrupted),
                looked = following.look(&operation) => looked?,
            }
            let current = self.current(id).await?;
            if current.state != operation.state {
                continue;
            }
            if waits.is_some_and(|waits| begun.elapsed() >= waits) {
                return Ok(current);
            }
            tokio::select! {
                () = self.cancel.cancelled() => return Err(Error::Interrupted),
                () = tokio::time::sleep(patience.poll) => {}
            }
        }
    }

    /// Looks once at what is there to see of an operation.
    ///
    /// # Errors
    /// As [`Operator::follow`].
    pub async fn look(&self, id: i64, patience: Patience, watch: &mut dyn Watch) -> Result<Operation, Error> {
        let operation = self.current(id).await?;
        if operation.state.is_open() {
            Following::new(self, false, patience, watch).look(&operation).await?;
        }
        self.current(id).await
    }

    /// The sessions that may have come of an operation: of its plan's name, on its server, created since it was sent,
    /// and of no other operation.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn candidates(&self, operation: &Operation) -> Result<Vec<Session>, Error> {
        let Some(sent_at) = operation.sent_at.filter(|_| operation.action != "undo") else { return Ok(Vec::new()) };
        let taken: Vec<Uuid> = self
            .ledger
            .operations(1000)
            .await?
            .iter()
            .filter(|other| other.id != operation.id)
            .filter_map(|other| other.session_uid)
            .collect();
        let is_candidate = |session: &Session| {
            session.may_be_of(&operation.plan_name, operation.backup_server_uid)
                && session.creation_time.is_some_and(|created| created >= sent_at - FUDGE)
                && !taken.contains(&session.uid)
        };
        let sessions = self.source.sessions(sent_at - FUDGE).await?;
        Ok(sessions.into_iter().filter(is_candidate).collect())
    }

    /// Whether a name is that of one plan only on its server: a session says no more of its plan than the name.
    pub(super) async fn is_own_name(&self, name: &str, server: Option<Uuid>) -> Result<bool, Error> {
        let plans = self.source.plans().await?;
        Ok(plans.iter().filter(|plan| plan.name == name && plan.backup_server_uid == server).count() <= 1)
    }

    /// Stores the session as the sync does, once it is this instance's turn. Returns whether it was.
    async fn keep(&self, decoded: Decoded, patience: Duration) -> Result<bool, Error> {
        let waiting = CancellationToken::new();
        let turns = Turns::new(self.store.clone(), self.clock.clone(), self.em_id, waiting.clone());
        let taken = {
            let taking = turns.take();
            tokio::pin!(taking);
            match tokio::time::timeout(patience, &mut taking).await {
                Ok(taken) => taken,
                Err(_) => {
                    waiting.cancel();
                    taking.await
                }
            }
        };
        let outcome = match taken {
            Ok(()) => {
                let kind = session_kind();
                let now = self.source.client.now();
                let mut commit = Commit::new(self.em_id, kind.entity(), Some(kind), now);
                commit.batch = decoded.batch;
                commit.rejects = decoded.rejects;
                match self.store.commit(&[commit], self.clock.now()).await {
                    Err(store::Error::Fenced { .. }) => Ok(false),
                    stored => stored.map(|_| true),
                }
            }
            Err(crate::sync::Error::Store(error)) => Err(error),
            Err(_) => Ok(false),
        };
        turns.leave().await;
        Ok(outcome?)
    }
}

impl<'a> Following<'a> {
    fn new(operator: &'a Operator, has_task: bool, patience: Patience, watch: &'a mut dyn Watch) -> Self {
        Self {
            operator,
            watch,
            patience,
            has_task,
            task_state: String::new(),
            seen: None,
            looks_without_end: 0,
            is_failing: false,
        }
    }

    /// Looks once at what the operation's state says is there to see.
    async fn look(&mut self, operation: &Operation) -> Result<(), Error> {
        let looked = match (operation.state, &operation.task_id, operation.session_uid) {
            (State::Running, _, Some(session)) => Box::pin(self.look_at_session(operation, session)).await,
            (State::Accepted, Some(task), _) if self.has_task => self.look_at_task(operation, task).await,
            _ => Box::pin(self.look_for_session(operation)).await,
        };
        match looked {
            // A bad moment of the network is no reason to leave a failover alone.
            Err(Error::Source(error)) if !matches!(error, crate::em::Error::Refused { .. }) => {
                if !std::mem::replace(&mut self.is_failing, true) {
                    self.watch.step(operation, &format!("cannot look right now: {error}"));
                }
                Ok(())
            }
            Ok(()) => {
                self.is_failing = false;
                Ok(())
            }
            other => other,
        }
    }

    async fn take(&mut self, operation: &Operation, step: Step) -> Result<Taken, Error> {
        let taken = self.operator.ledger.step(operation.id, &step, self.operator.clock.now()).await?;
        if taken == Taken::Yes {
            self.watch.step(operation, &step.what);
        }
        Ok(taken)
    }

    async fn look_at_task(&mut self, operation: &Operation, id: &str) -> Result<(), Error> {
        let Some(task) = self.operator.actor.task(id).await? else {
            self.has_task = false;
            let what = format!("{id} is lost with its logon: its session is looked for");
            self.take(operation, Step::note(what)).await?;
            return Ok(());
        };
        if task.state != self.task_state {
            self.task_state.clone_from(&task.state);
            let what = match task.state.as_str() {
                "OperationFinished" => {
                    format!("{id}: the backup server is done; Enterprise Manager has not collected it yet")
                }
                state => format!("{id}: {state}"),
            };
            self.take(operation, Step::note(what)).await?;
        }
        if task.is_finished() { self.end_task(operation, task).await } else { Ok(()) }
    }

    async fn end_task(&mut self, operation: &Operation, task: Task) -> Result<(), Error> {
        self.has_task = false;
        let told = task.message.clone().map(|message| format!(": {message}")).unwrap_or_default();
        if task.is_success == Some(false) {
            let mut step = Step::to(State::Finished, &[State::Accepted], format!("{} failed{told}", task.id));
            step.result = Some("Failed".to_owned());
            step.session_uid = task.session;
            self.take(operation, step).await?;
            return Ok(());
        }
        if let Some(session) = task.session {
            let what = format!("{} made cloud failover session {session}", task.id);
            let mut step = Step::to(State::Running, &[State::Accepted], what);
            step.session_uid = Some(session);
            self.take(operation, step).await?;
        } else if operation.action == "undo" {
            let mut step = Step::to(State::Finished, &[State::Accepted], format!("{} is done{told}", task.id));
            step.result = Some("Success".to_owned());
            self.take(operation, step).await?;
        }
        Ok(())
    }

    /// A session that can only be this operation's, and then it is.
    async fn look_for_session(&mut self, operation: &Operation) -> Result<(), Error> {
        if operation.state == State::Sending {
            // Where that process lives, it may still say so.
            let what = "the process that sent it has not said what came of it";
            self.take(operation, Step::to(State::Unknown, &[State::Sending], what)).await?;
        }
        let candidates = self.operator.candidates(operation).await?;
        let [one] = candidates.as_slice() else { return Ok(()) };
        if !self.operator.is_own_name(&operation.plan_name, operation.backup_server_uid).await? {
            return Ok(());
        }
        let what = format!("cloud failover session {} is the only one since it was sent", one.uid);
        let mut step = Step::to(State::Running, &[State::Sending, State::Unknown, State::Accepted], what);
        step.session_uid = Some(one.uid);
        self.take(operation, step).await?;
        Ok(())
    }

    async fn look_at_session(&mut self, operation: &Operation, uid: Uuid) -> Result<(), Error> {
        let Some((session, decoded)) = self.operator.source.session(uid).await? else { return Ok(()) };
        let has_ended = session.is_stopped() && {
            self.looks_without_end += 1;
            session.end_time.is_some() || self.looks_without_end >= LOOKS_FOR_THE_END
        };
        self.note_changes(operation, &session).await?;
        self.watch.session(&session);
        // The last look is the one that must not be missing; a daemon stores the others, too.
        let patience = if has_ended { self.patience.turn } else { self.patience.poll };
        let is_new = self.seen.as_ref() != Some(&session);
        let is_kept = if is_new || has_ended { self.operator.keep(decoded, patience).await? } else { true };
        if !is_kept && has_ended {
            let what = "another instance has the turn to write: the session's rows come with its next pass";
            self.take(operation, Step::note(what)).await?;
        }
        let result = session.result.clone();
        let told = session.failure_message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
        self.seen = Some(session);
        if has_ended {
            let mut step = Step::to(State::Finished, &[State::Running], format!("the session ended: {result}{told}"));
            step.result = Some(result);
            self.take(operation, step).await?;
        }
        Ok(())
    }

    /// States and results that changed since the last look.
    async fn note_changes(&mut self, operation: &Operation, session: &Session) -> Result<(), Error> {
        let before = self.seen.take();
        let mut changes = Vec::new();
        if before.as_ref().is_none_or(|before| before.state != session.state) {
            changes.push(format!("session: {}", session.state));
        }
        for (n, vm) in session.vms.iter().enumerate() {
            let was = before.as_ref().and_then(|before| before.vms.get(n)).filter(|was| was.name == vm.name);
            if was.is_none_or(|was| (&was.state, &was.result) != (&vm.state, &vm.result)) {
                let result = if vm.end_time.is_some() { format!(", {}", vm.result) } else { String::new() };
                let told = vm.failure_message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
                changes.push(format!("{}: {}{result}{told}", vm.name, vm.state));
            }
        }
        self.seen = before;
        for what in changes {
            self.take(operation, Step::note(what)).await?;
        }
        Ok(())
    }
}

/// How long something took, or has taken.
#[must_use]
pub fn elapsed(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>, now: DateTime<Utc>) -> TimeDelta {
    from.map_or(TimeDelta::zero(), |from| (to.unwrap_or(now) - from).max(TimeDelta::zero()))
}
