//! Cloud failover actions: shown, confirmed, recorded, sent once, and followed to their end.
//!
//! This is the one thing here that changes the world. So nothing is sent that was not recorded before, on disk; what
//! was sent is never sent again, by anyone; and where nobody can know what became of it, the record says so until a
//! cloud failover session or a person proves the one or the other.

use std::sync::Arc;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::em::{self, Action, Client, Sent};
use crate::store::{self, Ledger, NewOperation, Operation, State, Step, Store, Taken};

mod follow;
mod plan;

pub use follow::{Patience, Watch, elapsed};
pub use plan::{Plan, PlanVm, Session, SessionVm, Source, choose};

/// An operation that was confirmed this long ago and not sent died with its process: to send takes seconds.
const ABANDONED: TimeDelta = TimeDelta::minutes(2);

/// A session that is older than this and has not ended is stuck: it must not keep a plan from being started.
const RECENT: TimeDelta = TimeDelta::days(2);

/// Why an operation did not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Enterprise Manager cannot be asked.
    #[error(transparent)]
    Source(em::Error),
    /// The record cannot be kept.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The command line asks for what cannot be.
    #[error("{0}")]
    Usage(String),
    /// It was not done.
    #[error("{0}")]
    NotDone(String),
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// Who asks for an operation, and why.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is to be done.
    pub action: Action,
    /// Why.
    pub reason: String,
    /// The user of the operating system.
    pub user: String,
    /// The machine.
    pub host: String,
}

/// What came of sending an operation.
#[derive(Debug)]
pub struct Outcome {
    /// The operation as it is recorded.
    pub operation: Operation,
    /// The HTTP status with which Enterprise Manager refused it, if it did.
    pub refused_with: Option<u16>,
}

/// One Enterprise Manager, its database, and the logon session that sends and follows an action.
pub struct Operator {
    /// Reads plans and sessions.
    pub source: Source,
    /// Sends the action and looks at its task, and does nothing else: the task belongs to its logon session.
    pub actor: Client,
    /// The record.
    pub ledger: Arc<dyn Ledger>,
    /// Where the session's rows go.
    pub store: Arc<dyn Store>,
    /// This machine's clock.
    pub clock: Arc<dyn Clock>,
    /// The Enterprise Manager in the database.
    pub em_id: i64,
    /// Ends the following, and never a request.
    pub cancel: CancellationToken,
}

impl Operator {
    /// Records that an action on the plan was shown. Nothing is sent.
    ///
    /// # Errors
    /// If the plan has an open operation already, or runs, or has no machines.
    pub async fn prepare(&self, plan: &Plan, request: &Request) -> Result<i64, Error> {
        if let Some(open) = self.ledger.open_operation(plan.uid).await? {
            self.give_up_abandoned(&open).await?;
        }
        if plan.vms.is_empty() && request.action != Action::Undo {
            return Err(Error::NotDone(format!(
                "the plan {:?} has no machines: there is nothing to fail over",
                plan.name
            )));
        }
        // Of two plans with one name, Enterprise Manager itself knows which one runs.
        if request.action.makes_session() && self.is_own_name(&plan.name, plan.backup_server_uid).await? {
            let since = self.source.client.now() - RECENT;
            let runs =
                |session: &Session| session.may_be_of(&plan.name, plan.backup_server_uid) && !session.is_stopped();
            if let Some(running) = self.source.sessions(since).await?.iter().find(|session| runs(session)) {
                return Err(Error::NotDone(format!(
                    "the plan {:?} is running already: cloud failover session {} is {}",
                    plan.name, running.uid, running.state
                )));
            }
        }
        let body = request.action.body().map(|body| format!("\n\n{body}")).unwrap_or_default();
        let new = NewOperation {
            em_id: self.em_id,
            plan_uid: plan.uid,
            plan_name: plan.name.clone(),
            backup_server_uid: plan.backup_server_uid,
            tenant_name: plan.tenant_name.clone(),
            action: request.action.name().to_owned(),
            restore_point_before: match request.action {
                Action::StartBefore(time) => Some(time),
                _ => None,
            },
            plan_fingerprint: plan.fingerprint(),
            request: format!("POST /api/{}{body}", request.action.path(plan.uid)),
            requested_by: request.user.clone(),
            requested_on: request.host.clone(),
            reason: request.reason.clone(),
        };
        Ok(self.ledger.enter(&new, self.clock.now()).await?)
    }

    /// An open operation keeps others from its plan, unless it is certain that it sent nothing and never will.
    async fn give_up_abandoned(&self, open: &Operation) -> Result<(), Error> {
        if open.state == State::Confirmed && self.clock.now() - open.updated_at > ABANDONED {
            let what = "its process ended before anything was sent";
            let step = Step::to(State::Rejected, &[State::Confirmed], what);
            if self.ledger.step(open.id, &step, self.clock.now()).await? == Taken::Yes {
                return Ok(());
            }
        }
        Err(Error::NotDone(format!(
            "operation {} on this plan is open ({}, {} by {} on {}): look at it with `vemsync failover status {}`",
            open.id,
            open.state.name(),
            open.action,
            open.requested_by,
            open.requested_on,
            open.id
        )))
    }

    /// Records that the operation is not done after all.
    ///
    /// # Errors
    /// If that cannot be recorded.
    pub async fn reject(&self, id: i64, why: &str) -> Result<(), Error> {
        let step = Step::to(State::Rejected, &[State::Prepared, State::Confirmed], why);
        self.ledger.step(id, &step, self.clock.now()).await?;
        Ok(())
    }

    /// Sends a prepared operation that was confirmed: once, and only if the plan is still what was shown.
    ///
    /// # Errors
    /// If nothing was sent, or if what came of it could not be recorded. What was sent and came to nothing is no error:
    /// the operation says so.
    pub async fn send(&self, id: i64, plan: &Plan, action: Action) -> Result<Outcome, Error> {
        let now = || self.clock.now();
        let confirmed = Step::to(State::Confirmed, &[State::Prepared], "confirmed");
        match self.ledger.step(id, &confirmed, now()).await? {
            Taken::Yes => {}
            Taken::Moved(state) => return Err(elsewhere(id, state)),
            Taken::Conflict => {
                self.reject(id, "another operation on this plan is open").await?;
                let open = self.ledger.open_operation(plan.uid).await?;
                let open = open.map(|open| format!(" ({})", open.id)).unwrap_or_default();
                return Err(Error::NotDone(format!("another operation on this plan is open{open}: nothing was sent")));
            }
        }
        if let Err(error) = self.is_ready(plan).await {
            self.reject(id, &format!("nothing was sent: {}", crate::escape::chain(&error))).await?;
            return Err(error);
        }
        let mut sending = Step::to(State::Sending, &[State::Confirmed], "the request is being sent");
        sending.sent_at = Some(self.source.client.now());
        match self.ledger.step(id, &sending, now()).await? {
            Taken::Yes => {}
            Taken::Moved(state) => return Err(elsewhere(id, state)),
            Taken::Conflict => return Err(elsewhere(id, State::Unknown)),
        }
        // From here on the request may have been sent, whatever happens.
        let mut refused_with = None;
        let step = match self.actor.act(plan.uid, action).await {
            Ok(sent) => {
                if let Sent::Refused { status, .. } = &sent {
                    refused_with = Some(*status);
                }
                step_of(sent)
            }
            // The logon came first: without one, there was no request.
            Err(error) => Step::to(State::Rejected, AFTER_SENDING, format!("nothing was sent: {error}")),
        };
        let what = step.what.clone();
        if let Err(error) = self.ledger.step(id, &step, now()).await {
            return Err(Error::NotDone(format!(
                "the request was sent ({what}), and that could not be recorded: {}. The record says `sending`; \
                 `vemsync failover status {id}` finds out more once the database can be used",
                crate::escape::chain(&error)
            )));
        }
        Ok(Outcome { operation: self.current(id).await?, refused_with })
    }

    /// A logon, and the plan as it was shown.
    async fn is_ready(&self, plan: &Plan) -> Result<(), Error> {
        self.actor.log_on().await?;
        let plans = self.source.plans().await?;
        match plans.iter().find(|other| other.uid == plan.uid) {
            Some(same) if same.fingerprint() == plan.fingerprint() => Ok(()),
            Some(_) => Err(Error::Usage(format!(
                "the plan {:?} was changed since it was shown: look at it again with `vemsync failover show {}`",
                plan.name, plan.uid
            ))),
            None => Err(Error::Usage(format!("the plan {:?} is not there any more", plan.name))),
        }
    }

    /// The operation as it is recorded.
    ///
    /// # Errors
    /// If there is none.
    pub async fn current(&self, id: i64) -> Result<Operation, Error> {
        recorded(self.ledger.as_ref(), id).await
    }
}

/// An operation as it is recorded.
///
/// # Errors
/// If there is none.
pub async fn recorded(ledger: &dyn Ledger, id: i64) -> Result<Operation, Error> {
    let found = ledger.operation(id).await?;
    found.ok_or_else(|| Error::Usage(format!("there is no operation {id}: `vemsync failover status` lists them")))
}

/// A sent request's outcome may come while another process has looked at the operation already.
const AFTER_SENDING: &[State] = &[State::Sending, State::Unknown];

fn step_of(sent: Sent) -> Step {
    match sent {
        Sent::Accepted(task) => {
            let mut step = Step::to(State::Accepted, AFTER_SENDING, format!("accepted as {}", task.id));
            step.task_id = Some(task.id);
            step
        }
        Sent::Refused { status, message } => {
            let what = format!("refused with HTTP {status}: {message}");
            Step::to(State::Rejected, AFTER_SENDING, what)
        }
        Sent::NotSent(why) => Step::to(State::Rejected, AFTER_SENDING, format!("nothing was sent: {why}")),
        Sent::Unknown(why) => {
            Step::to(State::Unknown, AFTER_SENDING, format!("it is not known whether it arrived: {why}"))
        }
    }
}

fn elsewhere(id: i64, state: State) -> Error {
    Error::NotDone(format!("another process has moved operation {id} on to {:?}: nothing was sent", state.name()))
}
