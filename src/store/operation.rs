//! The record of cloud failover actions: what was asked, by whom and why, and each step that was observed.
//!
//! A step is a compare-and-set: it is taken only from a state that allows it, so that of two processes that hold one
//! operation, each knows what the other has done. The database itself keeps two operations on one plan from being open.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::database::{Pools, Row, SqlStore, Tx, Value};
use super::sql::Dialect;
use super::{Error, Result};

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It was shown, and nothing else.
    Prepared,
    /// Its plan's name was typed, or its fingerprint given.
    Confirmed,
    /// The request may have left this machine.
    Sending,
    /// Enterprise Manager took it, and gave a task.
    Accepted,
    /// The cloud failover session is known.
    Running,
    /// It ended.
    Finished,
    /// It was not done.
    Rejected,
    /// It may have been done, or not: nobody can know from here.
    Unknown,
}

impl State {
    const ALL: [Self; 8] = [
        Self::Prepared,
        Self::Confirmed,
        Self::Sending,
        Self::Accepted,
        Self::Running,
        Self::Finished,
        Self::Rejected,
        Self::Unknown,
    ];

    /// Its name in `failover_operations`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Confirmed => "confirmed",
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
        }
    }

    /// Whether nothing more comes of it.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Finished | Self::Rejected)
    }

    /// Whether it may have changed the world, and it is not known how it ended. A plan has one such operation at most.
    #[must_use]
    pub const fn is_open(self) -> bool {
        !matches!(self, Self::Prepared | Self::Finished | Self::Rejected)
    }
}

/// An operation before anything happened.
#[derive(Debug, Clone)]
pub struct NewOperation {
    /// The Enterprise Manager.
    pub em_id: i64,
    /// The plan.
    pub plan_uid: Uuid,
    /// Its name.
    pub plan_name: String,
    /// The backup server that has it.
    pub backup_server_uid: Option<Uuid>,
    /// Its tenant.
    pub tenant_name: Option<String>,
    /// `start`, `test` or `undo`.
    pub action: String,
    /// Restore points from before this are asked for.
    pub restore_point_before: Option<DateTime<Utc>>,
    /// A hash of the plan as it was shown.
    pub plan_fingerprint: String,
    /// The request.
    pub request: String,
    /// Who asks for it.
    pub requested_by: String,
    /// On which machine.
    pub requested_on: String,
    /// Why.
    pub reason: String,
}

/// An operation as it stands.
#[derive(Debug, Clone, serde::Serialize)]
#[expect(missing_docs, reason = "the columns of failover_operations, which the data dictionary explains")]
pub struct Operation {
    pub id: i64,
    pub enterprise_manager: String,
    #[serde(skip)]
    pub em_id: i64,
    pub plan_uid: Uuid,
    pub plan_name: String,
    pub backup_server_uid: Option<Uuid>,
    pub tenant_name: Option<String>,
    pub action: String,
    pub restore_point_before: Option<DateTime<Utc>>,
    pub plan_fingerprint: String,
    pub request: String,
    pub state: State,
    pub requested_by: String,
    pub requested_on: String,
    pub reason: String,
    pub requested_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
    pub task_id: Option<String>,
    pub session_uid: Option<Uuid>,
    pub result: Option<String>,
    pub message: Option<String>,
    pub finished_at: Option<DateTime<Utc>>,
    pub updated_at: DateTime<Utc>,
}

/// One step of an operation.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Event {
    /// When it was observed.
    pub observed_at: DateTime<Utc>,
    /// The operation's state from then on.
    pub state: State,
    /// What happened.
    pub what: String,
}

/// A step to take. What is `None` stays as it is.
#[derive(Debug, Clone)]
pub struct Step {
    /// The state that it leads to; with `None` the state stays, and only the event is written.
    pub to: Option<State>,
    /// The states that it may be taken from; all, if there are none.
    pub from: &'static [State],
    /// What happened.
    pub what: String,
    /// When the request was about to be sent, by Enterprise Manager's clock.
    pub sent_at: Option<DateTime<Utc>>,
    /// Enterprise Manager's task.
    pub task_id: Option<String>,
    /// The session that came of it.
    pub session_uid: Option<Uuid>,
    /// How it ended.
    pub result: Option<String>,
}

impl Step {
    /// A step with nothing but a state and a reason.
    #[must_use]
    pub fn to(to: State, from: &'static [State], what: impl Into<String>) -> Self {
        Self { to: Some(to), from, what: what.into(), sent_at: None, task_id: None, session_uid: None, result: None }
    }

    /// Only something that was observed.
    #[must_use]
    pub fn note(what: impl Into<String>) -> Self {
        Self { to: None, ..Self::to(State::Prepared, &[], what) }
    }
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is recorded, durably.
    Yes,
    /// Another process has moved the operation on: this is its state.
    Moved(State),
    /// The plan has an open operation, or the session another one.
    Conflict,
}

/// The record of failover operations.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Enters an operation as prepared, and returns its number.
    async fn enter(&self, new: &NewOperation, now: DateTime<Utc>) -> Result<i64>;

    /// Takes a step. When it returns, the step is on disk.
    async fn step(&self, id: i64, step: &Step, now: DateTime<Utc>) -> Result<Taken>;

    /// One operation.
    async fn operation(&self, id: i64) -> Result<Option<Operation>>;

    /// The open operation of a plan, if it has one.
    async fn open_operation(&self, plan: Uuid) -> Result<Option<Operation>>;

    /// Open operations, then the newest others, up to that many.
    async fn operations(&self, limit: u32) -> Result<Vec<Operation>>;

    /// The steps of an operation, in their order.
    async fn events(&self, id: i64) -> Result<Vec<Event>>;
}

const SELECT: &str = "select o.id, m.name, o.em_id, o.plan_uid, o.plan_name, o.backup_server_uid, o.tenant_name, o.action,\n\
                      o.restore_point_before, o.plan_fingerprint, o.request, o.state, o.requested_by, o.requested_on,\n\
                      o.reason, o.requested_at, o.sent_at, o.task_id, o.session_uid, o.result, o.message, o.finished_at,\n\
                      o.updated_at from failover_operations o join enterprise_managers m on m.id = o.em_id";

fn state(row: &Row, column: usize) -> Result<State> {
    let name = row.text(column)?.unwrap_or_default();
    State::ALL.into_iter().find(|state| state.name() == name).ok_or(Error::Value(name))
}

fn operation(row: &Row) -> Result<Operation> {
    let text = |column| Ok::<_, Error>(row.text(column)?.unwrap_or_default());
    Ok(Operation {
        id: row.int(0)?,
        enterprise_manager: text(1)?,
        em_id: row.int(2)?,
        plan_uid: row.uid(3)?,
        plan_name: text(4)?,
        backup_server_uid: row.maybe_uid(5)?,
        tenant_name: row.text(6)?,
        action: text(7)?,
        restore_point_before: row.maybe_time(8)?,
        plan_fingerprint: text(9)?,
        request: text(10)?,
        state: state(row, 11)?,
        requested_by: text(12)?,
        requested_on: text(13)?,
        reason: text(14)?,
        requested_at: row.time(15)?,
        sent_at: row.maybe_time(16)?,
        task_id: row.text(17)?,
        session_uid: row.maybe_uid(18)?,
        result: row.text(19)?,
        message: row.text(20)?,
        finished_at: row.maybe_time(21)?,
        updated_at: row.time(22)?,
    })
}

impl SqlStore {
    /// A transaction whose commit survives a loss of power, whatever the database is set to.
    async fn begin_durably(&self) -> Result<Tx> {
        let pools = self.pools();
        if let Pools::Sqlite { writer, .. } = pools {
            sqlx::query("pragma synchronous = full").execute(writer).await?;
        }
        let mut tx = pools.begin().await?;
        if tx.dialect() == Dialect::Postgres {
            tx.execute("set local synchronous_commit = on", vec![]).await?;
        }
        Ok(tx)
    }

    async fn find(&self, condition: &str, values: Vec<Value>) -> Result<Vec<Operation>> {
        let mut tx = self.begin_read().await?;
        tx.query(&format!("{SELECT} {condition}"), values).await?.iter().map(operation).collect()
    }
}

async fn record(tx: &mut Tx, id: i64, state: State, what: &str, now: DateTime<Utc>) -> Result<()> {
    let insert = "insert into failover_events (operation_id, observed_at, state, what) values ($1, $2, $3, $4)";
    tx.execute(insert, vec![id.into(), now.into(), state.name().into(), what.into()]).await?;
    Ok(())
}

/// Whether the database refused a second row with the same key.
fn is_conflict(error: &Error) -> bool {
    let Error::Statement(error) = error else { return false };
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

#[async_trait]
impl Ledger for SqlStore {
    async fn enter(&self, new: &NewOperation, now: DateTime<Utc>) -> Result<i64> {
        let mut tx = self.begin_durably().await?;
        let rows = tx
            .query(
                "insert into failover_operations (em_id, plan_uid, plan_name, backup_server_uid, tenant_name, action,\n\
                 restore_point_before, plan_fingerprint, request, state, requested_by, requested_on, reason, requested_at,\n\
                 updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14) returning id",
                vec![
                    new.em_id.into(),
                    new.plan_uid.into(),
                    new.plan_name.as_str().into(),
                    Value::Uid(new.backup_server_uid),
                    Value::Text(new.tenant_name.clone()),
                    new.action.as_str().into(),
                    Value::Time(new.restore_point_before),
                    new.plan_fingerprint.as_str().into(),
                    new.request.as_str().into(),
                    State::Prepared.name().into(),
                    new.requested_by.as_str().into(),
                    new.requested_on.as_str().into(),
                    new.reason.as_str().into(),
                    now.into(),
                ],
            )
            .await?;
        let id = rows.first().map(|row| row.int(0)).transpose()?.unwrap_or_default();
        record(&mut tx, id, State::Prepared, "shown", now).await?;
        tx.commit().await?;
        Ok(id)
    }

    async fn step(&self, id: i64, step: &Step, now: DateTime<Utc>) -> Result<Taken> {
        let mut tx = self.begin_durably().await?;
        let lock = if tx.dialect() == Dialect::Postgres { " for update" } else { "" };
        let select = format!("select state from failover_operations where id = $1{lock}");
        let rows = tx.query(&select, vec![id.into()]).await?;
        let Some(row) = rows.first() else { return Err(Error::Value(format!("there is no operation {id}"))) };
        let before = state(row, 0)?;
        if !step.from.is_empty() && !step.from.contains(&before) {
            return Ok(Taken::Moved(before));
        }
        let after = step.to.unwrap_or(before);
        if step.to.is_some() {
            let update = "update failover_operations set state = $2, sent_at = coalesce($3, sent_at),\n\
                          task_id = coalesce($4, task_id), session_uid = coalesce($5, session_uid),\n\
                          result = coalesce($6, result), message = $7, finished_at = coalesce($8, finished_at),\n\
                          updated_at = $9 where id = $1";
            let values = vec![
                id.into(),
                after.name().into(),
                Value::Time(step.sent_at),
                Value::Text(step.task_id.clone()),
                Value::Uid(step.session_uid),
                Value::Text(step.result.clone()),
                step.what.as_str().into(),
                Value::Time(after.is_over().then_some(now)),
                now.into(),
            ];
            match tx.execute(update, values).await {
                Err(error) if is_conflict(&error) => return Ok(Taken::Conflict),
                other => other?,
            };
        }
        if let Some(session) = step.session_uid {
            // The session's row may be here already, by a pass.
            let link = "update cloud_failover_sessions set cloud_failover_plan_uid = o.plan_uid, updated_at = $2\n\
                        from failover_operations o where o.id = $1 and cloud_failover_sessions.uid = $3\n\
                        and cloud_failover_sessions.cloud_failover_plan_uid is distinct from o.plan_uid";
            tx.execute(link, vec![id.into(), now.into(), session.into()]).await?;
        }
        record(&mut tx, id, after, &step.what, now).await?;
        tx.commit().await?;
        Ok(Taken::Yes)
    }

    async fn operation(&self, id: i64) -> Result<Option<Operation>> {
        Ok(self.find("where o.id = $1", vec![id.into()]).await?.pop())
    }

    async fn open_operation(&self, plan: Uuid) -> Result<Option<Operation>> {
        let found = self.find("where o.plan_uid = $1 order by o.id", vec![plan.into()]).await?;
        Ok(found.into_iter().find(|operation| operation.state.is_open()))
    }

    async fn operations(&self, limit: u32) -> Result<Vec<Operation>> {
        let mut newest = self.find(&format!("order by o.id desc limit {limit}"), vec![]).await?;
        newest.sort_by_key(|operation| (!operation.state.is_open(), std::cmp::Reverse(operation.id)));
        Ok(newest)
    }

    async fn events(&self, id: i64) -> Result<Vec<Event>> {
        let mut tx = self.begin_read().await?;
        let select = "select observed_at, state, what from failover_events where operation_id = $1 order by id";
        let rows = tx.query(select, vec![id.into()]).await?;
        let event = |row: &Row| {
            Ok(Event { observed_at: row.time(0)?, state: state(row, 1)?, what: row.text(2)?.unwrap_or_default() })
        };
        rows.iter().map(event).collect()
    }
}
