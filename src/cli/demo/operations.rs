//! The record of the two failovers in the demonstration's story: Enterprise Manager cannot tell a test from the real
//! thing, and vemsync can where it was asked through vemsync.

use chrono::{DateTime, TimeDelta, Utc};

use crate::em::{Action, Client};
use crate::failover::{Error, Plan, Session, Source, choose};
use crate::simulator::STORY_PLAN;
use crate::store::{Ledger, NewOperation, State, Step};

/// Who asked, and on which machine.
const REQUESTED_BY: &str = "demo";

/// Enters both as if they had been done through vemsync. What is entered already stays as it is.
pub(super) async fn record(ledger: &dyn Ledger, em_id: i64, client: Client, now: DateTime<Utc>) -> Result<(), Error> {
    client.versions().await?;
    client.log_on().await?;
    let source = Source { client };
    let plans: Vec<_> = source.plans().await?.into_iter().map(|plan| ((), plan)).collect();
    let sessions = source.sessions(now - TimeDelta::days(30)).await;
    source.client.log_off().await;
    let (_, plan) = choose(STORY_PLAN, &plans)?;
    let mut sessions = sessions?;
    sessions.retain(|session| session.may_be_of(&plan.name, plan.backup_server_uid));
    sessions.sort_by_key(|session| session.creation_time);
    let told = [(Action::Test, "Quarterly exercise"), (Action::StartNow, "Flood in the server room")];
    for (n, ((action, reason), session)) in told.into_iter().zip(&sessions).enumerate() {
        if let (Some(began), Some(ended)) = (session.creation_time, session.end_time) {
            let new = operation(em_id, plan, action, reason);
            enter(ledger, &new, session, &format!("task-{}", n + 1), began, ended).await?;
        }
    }
    Ok(())
}

fn operation(em_id: i64, plan: &Plan, action: Action, reason: &str) -> NewOperation {
    let body = action.body().map(|body| format!("\n\n{body}")).unwrap_or_default();
    NewOperation {
        em_id,
        plan_uid: plan.uid,
        plan_name: plan.name.clone(),
        backup_server_uid: plan.backup_server_uid,
        tenant_name: plan.tenant_name.clone(),
        action: action.name().to_owned(),
        restore_point_before: None,
        plan_fingerprint: plan.fingerprint(),
        request: format!("POST /api/{}{body}", action.path(plan.uid)),
        requested_by: REQUESTED_BY.to_owned(),
        requested_on: REQUESTED_BY.to_owned(),
        reason: reason.to_owned(),
    }
}

/// Each step is taken from the one before it only: what an earlier run has entered, even half of it, is not entered again.
async fn enter(
    ledger: &dyn Ledger,
    new: &NewOperation,
    session: &Session,
    task: &str,
    began: DateTime<Utc>,
    ended: DateTime<Utc>,
) -> Result<(), Error> {
    let known = ledger.operations(1000).await?.into_iter().find(|known| {
        (known.plan_uid, &known.action, &known.requested_by) == (new.plan_uid, &new.action, &new.requested_by)
    });
    let id = match known {
        Some(known) => known.id,
        None => ledger.enter(new, began - TimeDelta::seconds(50)).await?,
    };
    let confirmed = Step::to(State::Confirmed, &[State::Prepared], "confirmed");
    let mut sending = Step::to(State::Sending, &[State::Confirmed], "the request is being sent");
    sending.sent_at = Some(began - TimeDelta::seconds(2));
    let mut accepted = Step::to(State::Accepted, &[State::Sending], format!("accepted as {task}"));
    accepted.task_id = Some(task.to_owned());
    let what = format!("{task} made cloud failover session {}", session.uid);
    let mut running = Step::to(State::Running, &[State::Accepted], what);
    running.session_uid = Some(session.uid);
    let told = session.failure_message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
    let what = format!("the session ended: {}{told}", session.result);
    let mut finished = Step::to(State::Finished, &[State::Running], what);
    finished.result = Some(session.result.clone());
    for (step, at) in [
        (confirmed, began - TimeDelta::seconds(10)),
        (sending, began - TimeDelta::seconds(2)),
        (accepted, began + TimeDelta::seconds(1)),
        (running, began + TimeDelta::seconds(30)),
        (finished, ended + TimeDelta::seconds(20)),
    ] {
        ledger.step(id, &step, at).await?;
    }
    Ok(())
}
