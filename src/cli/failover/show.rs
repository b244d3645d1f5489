//! How plans, proposals and operations look.

use std::io::{self, Write};

use chrono::{DateTime, Local, Utc};
use serde::Serialize;
use url::Url;

use super::{Report, live};
use crate::cli::terminal;
use crate::em::Action;
use crate::escape;
use crate::failover::{Plan, Session, elapsed};
use crate::store::{Operation, State};

/// A plan, and what was last done with it.
#[derive(Serialize)]
pub(super) struct Listed<'a> {
    enterprise_manager: &'a str,
    #[serde(flatten)]
    plan: &'a Plan,
    fingerprint: String,
    /// The newest session of that name on that server.
    last_session: Option<&'a Session>,
}

impl<'a> Listed<'a> {
    pub(super) fn new(enterprise_manager: &'a str, plan: &'a Plan, sessions: &'a [Session]) -> Self {
        let is_of = |session: &&Session| session.may_be_of(&plan.name, plan.backup_server_uid);
        let last_session = sessions.iter().filter(is_of).max_by_key(|session| session.creation_time);
        Self { enterprise_manager, plan, fingerprint: plan.fingerprint(), last_session }
    }
}

/// A plan with its fingerprint.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    enterprise_manager: &'a str,
    #[serde(flatten)]
    pub(super) plan: &'a Plan,
    fingerprint: String,
}

impl<'a> Shown<'a> {
    pub(super) fn new(enterprise_manager: &'a str, plan: &'a Plan) -> Self {
        Self { enterprise_manager, plan, fingerprint: plan.fingerprint() }
    }
}

/// What will happen to a plan.
pub(super) struct Proposal<'a> {
    pub(super) plan: Shown<'a>,
    pub(super) action: Action,
}

pub(super) fn json(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    writeln!(out, "{}", escape::json(&serde_json::to_string_pretty(value)?))
}

fn or_dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).map_or_else(|| "-".to_owned(), |text| escape::control(text).into_owned())
}

pub(super) fn list(out: &mut dyn Write, plans: &[Listed<'_>]) -> io::Result<()> {
    if plans.is_empty() {
        return writeln!(out, "The account sees no cloud failover plan.");
    }
    let mut rows = terminal::table(["PLAN", "TENANT", "SERVER", "MACHINES", "LAST SESSION", "UID"]);
    for listed in plans {
        let last = listed.last_session.map(|session| {
            let result = if session.is_stopped() { &session.result } else { &session.state };
            format!("{} {}", terminal::maybe_time(session.creation_time), escape::control(result))
        });
        rows.add_row([
            or_dash(Some(&listed.plan.name)),
            or_dash(listed.plan.tenant_name.as_deref()),
            or_dash(listed.plan.backup_server_name.as_deref()),
            listed.plan.vms.len().to_string(),
            last.unwrap_or_else(|| "-".to_owned()),
            listed.plan.uid.to_string(),
        ]);
    }
    terminal::align_right(&mut rows, 3..=3);
    writeln!(out, "{}", rows.trim_fmt())
}

pub(super) fn plan(out: &mut dyn Write, shown: &Shown<'_>) -> io::Result<()> {
    let plan = shown.plan;
    let server = plan.backup_server_uid.map(|uid| format!(" ({uid})")).unwrap_or_default();
    writeln!(out, "Plan         {} ({})", escape::control(&plan.name), plan.uid)?;
    writeln!(out, "Tenant       {}", or_dash(plan.tenant_name.as_deref()))?;
    writeln!(out, "Server       {}{server}", or_dash(plan.backup_server_name.as_deref()))?;
    writeln!(out, "At           {}", escape::control(shown.enterprise_manager))?;
    if let Some(description) = &plan.description {
        writeln!(out, "Description  {}", escape::control(description))?;
    }
    for (name, value) in &plan.options {
        writeln!(out, "Option       {}: {}", escape::control(name), escape::control(value))?;
    }
    for (n, vm) in plan.vms.iter().enumerate() {
        let head = if n == 0 { "Machines" } else { "" };
        let order = vm.boot_order.map_or_else(|| "-".to_owned(), |order| order.to_string());
        writeln!(out, "{head:<12} {order:>3}  {}", or_dash(vm.name.as_deref()))?;
    }
    if plan.vms.is_empty() {
        writeln!(out, "Machines     none")?;
    }
    writeln!(out, "Fingerprint  {}", shown.fingerprint)
}

/// A time in UTC, and as the clock on the wall here has it.
fn both(time: DateTime<Utc>) -> String {
    let local = time.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S %:z");
    format!("{} ({local} here)", terminal::time(time))
}

pub(super) fn proposal(out: &mut dyn Write, proposal: &Proposal<'_>) -> io::Result<()> {
    plan(out, &proposal.plan)?;
    let what = match proposal.action {
        Action::StartNow => "START: its machines fail over to their latest restore points".to_owned(),
        Action::StartBefore(time) => {
            format!("START: its machines fail over to their latest restore points from before {}", both(time))
        }
        Action::Test => "TEST: its machines are started in a test".to_owned(),
        Action::Undo => "UNDO: its failover is undone".to_owned(),
    };
    writeln!(out, "Action       {what}")
}

pub(super) fn dry_run(out: &mut dyn Write, shown: &Proposal<'_>, base: &Url) -> io::Result<()> {
    proposal(out, shown)?;
    writeln!(out, "\nPOST {base}{}", shown.action.path(shown.plan.plan.uid))?;
    if let Some(body) = shown.action.body() {
        writeln!(out, "Content-Type: application/xml\n\n{body}")?;
    }
    writeln!(out, "\nNothing was sent: leave out --dry-run to send it.")
}

pub(super) fn operations(out: &mut dyn Write, operations: &[Operation]) -> io::Result<()> {
    if operations.is_empty() {
        return writeln!(out, "No cloud failover action was sent through this database.");
    }
    let mut rows = terminal::table(["ID", "WHEN", "ACTION", "PLAN", "STATE", "RESULT", "BY", "REASON"]);
    for operation in operations {
        rows.add_row([
            operation.id.to_string(),
            terminal::time(operation.requested_at),
            operation.action.clone(),
            or_dash(Some(&operation.plan_name)),
            operation.state.name().to_owned(),
            or_dash(operation.result.as_deref()),
            or_dash(Some(&format!("{} on {}", operation.requested_by, operation.requested_on))),
            terminal::shortened(&or_dash(Some(&operation.reason))),
        ]);
    }
    terminal::align_right(&mut rows, 0..=0);
    writeln!(out, "{}", rows.trim_fmt())
}

pub(super) fn report(out: &mut dyn Write, report: &Report, candidates: &[Session]) -> io::Result<()> {
    let operation = &report.operation;
    writeln!(
        out,
        "Operation {}: {} of {} ({}), by {} on {}: {}",
        operation.id,
        operation.action,
        escape::control(&operation.plan_name),
        operation.plan_uid,
        escape::control(&operation.requested_by),
        escape::control(&operation.requested_on),
        escape::control(&operation.reason)
    )?;
    for event in &report.events {
        let (time, state) = (terminal::time(event.observed_at), event.state.name());
        writeln!(out, "  {time}  {state:<9}  {}", escape::control(&event.what))?;
    }
    if let Some(session) = &report.session {
        machines(out, session)?;
    }
    let told = operation.message.as_deref().map(|told| format!(" ({})", escape::control(told))).unwrap_or_default();
    match (operation.state, &operation.result) {
        (State::Finished, Some(result)) => writeln!(out, "finished: {}", escape::control(result)),
        (State::Unknown | State::Sending, _) => unknown(out, operation, candidates),
        (State::Accepted, _) if operation.action == "undo" => writeln!(
            out,
            "accepted: how an undo went is told to nobody but the one who follows it. Look in the backup console, and \
             say so: vemsync failover resolve {} --done | --not-done --reason TEXT",
            operation.id
        ),
        (state, _) => writeln!(out, "{}{told}", state.name()),
    }
}

fn machines(out: &mut dyn Write, session: &Session) -> io::Result<()> {
    let mut rows = terminal::table(["MACHINE", "STATE", "RESULT", "TOOK", ""]);
    for vm in &session.vms {
        let took = vm.end_time.map(|end| live::short(elapsed(vm.creation_time, Some(end), end)));
        rows.add_row([
            or_dash(Some(&vm.name)),
            or_dash(Some(&vm.state)),
            or_dash(Some(&vm.result)),
            took.unwrap_or_else(|| "-".to_owned()),
            vm.failure_message.as_deref().map(|told| escape::control(told).into_owned()).unwrap_or_default(),
        ]);
    }
    if session.vms.is_empty() {
        return Ok(());
    }
    terminal::align_right(&mut rows, 3..=3);
    writeln!(out, "{}", rows.trim_fmt())
}

/// What a person should look at.
fn unknown(out: &mut dyn Write, operation: &Operation, candidates: &[Session]) -> io::Result<()> {
    let id = operation.id;
    writeln!(out, "UNKNOWN: nobody can tell from here whether it was done. It is not sent again.")?;
    let server = operation.backup_server_uid.map(|uid| format!(" on the backup server {uid}")).unwrap_or_default();
    let plan = escape::control(&operation.plan_name);
    match candidates {
        [] if operation.action == "undo" => {
            writeln!(out, "An undo leaves no session to look for.")?;
        }
        [] => writeln!(
            out,
            "Enterprise Manager lists no session of this plan since it was sent. It collects every quarter of an hour; \
             `vemsync failover status {id}` looks again."
        )?,
        several => {
            writeln!(out, "These sessions may have come of it:")?;
            for session in several {
                let started = terminal::maybe_time(session.creation_time);
                writeln!(out, "  {}  {started}  {}", session.uid, escape::control(&session.state))?;
            }
        }
    }
    writeln!(
        out,
        "Look in the backup console whether the plan {plan:?}{server} is running, or its machines are failed over. Then say so:\n  \
         vemsync failover resolve {id} --session UID --reason TEXT\n  vemsync failover resolve {id} --done | --not-done --reason TEXT"
    )
}
