//! `vemsync failover`: cloud failover plans, started, tested and undone by a person who has seen what will happen.

use std::io::IsTerminal as _;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{Exit, print, work};
use crate::config::{ManagerSettings, Place, Problem, Problems, Settings};
use crate::em::{Action, Client, Limits};
use crate::escape;
use crate::failover::{Error, Operator, Outcome, Patience, Plan, Request, Session, Source, choose, recorded};
use crate::lifecycle::Signals;
use crate::store::{Event, Ledger as _, Operation, Schema, SqlStore, State, Store as _};
use crate::telemetry;

mod confirm;
mod live;
mod resolve;
mod show;

pub use resolve::ResolveArgs;

/// Operations that `status` lists.
const LISTED: u32 = 30;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum FailoverCommand {
    /// List the plans, with what was last done with them
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a plan, its machines in their order, and its fingerprint
    Show {
        /// The plan's UID, or its name where only one has it
        plan: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Fail over the machines of a plan
    Start(StartArgs),
    /// Test a plan
    Test(ActArgs),
    /// Undo a failover
    Undo(ActArgs),
    /// Show what was started here, or follow one operation to its end
    Status(StatusArgs),
    /// Say of an operation what a person has found out
    Resolve(ResolveArgs),
}

/// Arguments of `failover start`.
#[derive(Debug, Args)]
pub struct StartArgs {
    #[command(flatten)]
    act: ActArgs,
    /// To the latest restore points
    #[arg(long, required_unless_present = "restore_point_before")]
    now: bool,
    /// To the latest restore points from before this time, such as 2026-01-01T06:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment, conflicts_with = "now")]
    restore_point_before: Option<DateTime<Utc>>,
}

/// Arguments of every action.
#[derive(Debug, Args)]
pub struct ActArgs {
    /// The plan's UID, or its name where only one has it
    plan: String,
    /// Why; it stands in the record
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The plan's fingerprint from `failover show`, in place of typing its name
    #[arg(long, value_name = "HEX")]
    plan_fingerprint: Option<String>,
    /// Show what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    wait: WaitArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Whether to follow an operation.
#[derive(Debug, Args)]
pub struct WaitArgs {
    /// Follow it to its end [default]
    #[arg(long)]
    wait: bool,
    /// Do not follow it
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
}

/// Arguments of `failover status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The operation's number; without it, all are listed
    id: Option<i64>,
    #[command(flatten)]
    wait: WaitArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// An operation with all that is known of it.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    operation: Operation,
    events: Vec<Event>,
    /// As it was last seen by this command.
    session: Option<Session>,
}

fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    let time = DateTime::parse_from_rfc3339(text);
    time.map(|time| time.to_utc()).map_err(|_| "give a time with its zone, such as 2026-01-01T06:00:00Z".to_owned())
}

pub(super) async fn run(settings: &Settings, command: &FailoverCommand) -> anyhow::Result<Exit> {
    trusted(settings)?;
    match command {
        FailoverCommand::List { json } => list(settings, *json).await,
        FailoverCommand::Show { plan, json } => show_plan(settings, plan, *json).await,
        FailoverCommand::Start(args) => {
            act(settings, &args.act, args.restore_point_before.map_or(Action::StartNow, Action::StartBefore)).await
        }
        FailoverCommand::Test(args) => act(settings, args, Action::Test).await,
        FailoverCommand::Undo(args) => act(settings, args, Action::Undo).await,
        FailoverCommand::Status(args) => status(settings, args).await,
        FailoverCommand::Resolve(args) => resolve::run(settings, args).await,
    }
}

/// The exit status for an error.
pub(super) fn exit(error: &Error) -> Exit {
    match error {
        Error::Source(source) => match source {
            crate::em::Error::Refused { .. } => Exit::Refused,
            crate::em::Error::Tls(_) => Exit::Usage,
            _ => Exit::Incomplete,
        },
        Error::Store(error) => work::database(error),
        Error::Usage(_) => Exit::Usage,
        Error::NotDone(_) => Exit::Incomplete,
        Error::Interrupted => Exit::Interrupted,
    }
}

/// Whoever sends an action has to know whom it is sent to.
fn trusted(settings: &Settings) -> anyhow::Result<()> {
    for manager in &settings.managers {
        let host = manager.url.host_str().unwrap_or_default();
        let is_loopback = crate::config::is_loopback(&manager.url);
        let what = if manager.insecure {
            format!("{}: its certificate is not checked, and failover needs to know who answers", manager.name)
        } else if manager.url.scheme() == "http" && !is_loopback {
            format!("{}: {host} is reached without TLS, and failover needs to know who answers", manager.name)
        } else {
            continue;
        };
        let mend = "use https:// with a certificate that is trusted: ca_file or certificate_sha256, without insecure";
        return Err(Problems::from(Problem::new(Place::Settings, what, mend)).into());
    }
    Ok(())
}

/// A manager's settings with the account for failover actions.
fn with_own_account(manager: &ManagerSettings) -> ManagerSettings {
    let mut manager = manager.clone();
    if let Some(own) = manager.failover.take() {
        (manager.username, manager.password) = (own.username, own.password);
    }
    manager
}

async fn source(manager: &ManagerSettings) -> Result<Source, Error> {
    let client = Client::new(manager, Limits { tries: 6, ..Limits::default() }, work::clock())?;
    client.versions().await?;
    client.log_on().await?;
    Ok(Source { client })
}

/// The plans of all Enterprise Managers, with where each is from.
async fn plans(settings: &Settings) -> Result<(Vec<(ManagerSettings, Source)>, Vec<(usize, Plan)>), Error> {
    let mut sources = Vec::new();
    let mut all = Vec::new();
    for manager in &settings.managers {
        let manager = with_own_account(manager);
        let span = telemetry::manager(&manager.name);
        let (source, plans) = async {
            let source = source(&manager).await?;
            let plans = source.plans().await?;
            Ok::<_, Error>((source, plans))
        }
        .instrument(span)
        .await?;
        all.extend(plans.into_iter().map(|plan| (sources.len(), plan)));
        sources.push((manager, source));
    }
    Ok((sources, all))
}

async fn log_off(sources: &[(ManagerSettings, Source)]) {
    for (_, source) in sources {
        source.client.log_off().await;
    }
}

async fn list(settings: &Settings, json: bool) -> anyhow::Result<Exit> {
    let (sources, plans) = plans(settings).await?;
    let mut sessions = Vec::new();
    for (_, source) in &sources {
        let since = source.client.now() - chrono::TimeDelta::days(91);
        sessions.push(source.sessions(since).await?);
    }
    log_off(&sources).await;
    let names: Vec<&str> = sources.iter().map(|(manager, _)| manager.name.as_str()).collect();
    let listed: Vec<show::Listed<'_>> =
        plans.iter().map(|(at, plan)| show::Listed::new(names[*at], plan, &sessions[*at])).collect();
    print(|out| if json { show::json(out, &listed) } else { show::list(out, &listed) })?;
    Ok(Exit::Done)
}

async fn show_plan(settings: &Settings, given: &str, json: bool) -> anyhow::Result<Exit> {
    let (sources, plans) = plans(settings).await?;
    log_off(&sources).await;
    let (at, plan) = choose(given, &plans)?;
    let shown = show::Shown::new(&sources[*at].0.name, plan);
    print(|out| if json { show::json(out, &shown) } else { show::plan(out, &shown) })?;
    Ok(Exit::Done)
}

async fn act(settings: &Settings, args: &ActArgs, action: Action) -> anyhow::Result<Exit> {
    if !settings.failover.enabled && !args.dry_run {
        let mend = "set enabled = true below [failover] in the file, or VEMSYNC_FAILOVER_ENABLED=true";
        return Err(Problems::from(Problem::new(Place::Settings, "failover actions are off", mend)).into());
    }
    if args.reason.trim().is_empty() {
        return Err(Error::Usage("the reason is empty: say why, for whoever reads the record".to_owned()).into());
    }
    let is_typed = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if args.plan_fingerprint.is_none() && !args.dry_run && !is_typed {
        let what =
            "there is no terminal to type the plan's name on: give --plan-fingerprint from `vemsync failover show`";
        return Err(Error::Usage(what.to_owned()).into());
    }
    let (mut sources, plans) = plans(settings).await?;
    let (at, plan) = choose(&args.plan, &plans)?;
    let (manager, source) = sources.swap_remove(*at);
    log_off(&sources).await;
    if let Action::StartBefore(time) = action
        && time > source.client.now()
    {
        let what = format!("--restore-point-before {} lies in the future", time.to_rfc3339());
        return Err(Error::Usage(format!("{what}: use --now for the latest restore points")).into());
    }
    let proposal = show::Proposal { plan: show::Shown::new(&manager.name, plan), action };
    if args.dry_run {
        source.client.log_off().await;
        print(|out| show::dry_run(out, &proposal, source.client.base()))?;
        return Ok(Exit::Done);
    }
    let span = telemetry::manager(&manager.name);
    Box::pin(send(settings, &manager, source, args, &proposal).instrument(span)).await
}

/// Everything from the record on.
async fn send(
    settings: &Settings,
    manager: &ManagerSettings,
    source: Source,
    args: &ActArgs,
    proposal: &show::Proposal<'_>,
) -> anyhow::Result<Exit> {
    let cancel = CancellationToken::new();
    let _signals = Signals::cancel(cancel.clone(), Exit::Interrupted);
    let operator = operator(settings, manager, source, cancel).await?;
    let (plan, action) = (proposal.plan.plan, proposal.action);
    let request = Request {
        action,
        reason: args.reason.trim().to_owned(),
        user: whoami::username().unwrap_or_else(|_| "unknown".to_owned()),
        host: whoami::hostname().unwrap_or_else(|_| "unknown".to_owned()),
    };
    let id = operator.prepare(plan, &request).await?;
    show::proposal(&mut std::io::stderr().lock(), proposal)?;
    let confirmed = match &args.plan_fingerprint {
        Some(given) => confirm::fingerprint(given, plan),
        None => confirm::name(plan, action, &operator.cancel).await,
    };
    if let Err(error) = confirmed {
        operator.reject(id, &format!("not confirmed: {error}")).await?;
        return Err(error.into());
    }
    let Outcome { operation, refused_with } = operator.send(id, plan, action).await?;
    let live = live::Live::new(operator.clock.clone());
    live.say(&operation, operation.message.as_deref().unwrap_or_default());
    // With 401 it was the logon that had ended, not the account that may not.
    let is_refused = refused_with == Some(403);
    finish(&operator, operation, &args.wait, args.json, live, is_refused, true).await
}

async fn operator(
    settings: &Settings,
    manager: &ManagerSettings,
    source: Source,
    cancel: CancellationToken,
) -> Result<Operator, Error> {
    let store = Arc::new(SqlStore::connect(settings.database.url.expose_secret(), Schema::Migrate).await?);
    let clock = work::clock();
    let em_id = store.manager(&manager.name, source.client.base().as_str(), None, clock.now()).await?;
    let actor = Client::for_actions(manager, Limits::default(), clock.clone())?;
    Ok(Operator { source, actor, ledger: store.clone(), store, clock, em_id, cancel })
}

/// Follows the operation if that was asked for, and says how it stands.
async fn finish(
    operator: &Operator,
    operation: Operation,
    wait: &WaitArgs,
    json: bool,
    mut live: live::Live,
    is_refused: bool,
    is_ours: bool,
) -> anyhow::Result<Exit> {
    let id = operation.id;
    let followed = if wait.no_wait || operation.state.is_over() {
        Ok(operation)
    } else {
        operator.follow(id, is_ours, Patience::default(), &mut live).await
    };
    let session = live.into_session();
    let operation = match followed {
        Ok(operation) => operation,
        Err(error) => {
            // What the following began with goes on; its task's logon is left alone.
            operator.source.client.log_off().await;
            let what = "what was started goes on; look again with";
            super::complain(&format!("{}: {what} `vemsync failover status {id}`", escape::chain(&error)));
            return Ok(exit(&error));
        }
    };
    if operation.state.is_over() {
        operator.actor.log_off().await;
    }
    let candidates = match operation.state {
        State::Unknown | State::Sending => operator.candidates(&operation).await.unwrap_or_default(),
        _ => Vec::new(),
    };
    operator.source.client.log_off().await;
    let events = operator.ledger.events(id).await?;
    operator.store.close().await;
    let exit = exit_of(&operation, is_refused, wait.no_wait);
    let report = Report { operation, events, session };
    print(|out| if json { show::json(out, &report) } else { show::report(out, &report, &candidates) })?;
    Ok(exit)
}

/// What the state of an operation means to a script.
fn exit_of(operation: &Operation, is_refused: bool, no_wait: bool) -> Exit {
    match (operation.state, operation.result.as_deref()) {
        (State::Finished, Some("Success" | "Warning")) => Exit::Done,
        (State::Accepted | State::Running, _) if no_wait => Exit::Done,
        (State::Rejected, _) if is_refused => Exit::Refused,
        _ => Exit::Incomplete,
    }
}

async fn status(settings: &Settings, args: &StatusArgs) -> anyhow::Result<Exit> {
    let store = Arc::new(SqlStore::connect(settings.database.url.expose_secret(), Schema::Require).await?);
    let Some(id) = args.id else {
        let operations = store.operations(LISTED).await?;
        store.close().await;
        print(|out| if args.json { show::json(out, &operations) } else { show::operations(out, &operations) })?;
        return Ok(Exit::Done);
    };
    let operation = recorded(store.as_ref(), id).await?;
    if !operation.state.is_open() {
        let events = store.events(id).await?;
        store.close().await;
        let exit = exit_of(&operation, false, args.wait.no_wait);
        let report = Report { operation, events, session: None };
        print(|out| if args.json { show::json(out, &report) } else { show::report(out, &report, &[]) })?;
        return Ok(exit);
    }
    let manager = with_own_account(of_operation(settings, &operation)?);
    store.close().await;
    let follow = async {
        let cancel = CancellationToken::new();
        let _signals = Signals::cancel(cancel.clone(), Exit::Interrupted);
        let operator = operator(settings, &manager, source(&manager).await?, cancel).await?;
        let mut live = live::Live::new(operator.clock.clone());
        if args.wait.no_wait {
            operator.look(id, Patience::default(), &mut live).await?;
        }
        let operation = operator.current(id).await?;
        finish(&operator, operation, &args.wait, args.json, live, false, false).await
    };
    Box::pin(follow.instrument(telemetry::manager(&manager.name))).await
}

/// The Enterprise Manager that an operation was sent to.
fn of_operation<'a>(settings: &'a Settings, operation: &Operation) -> Result<&'a ManagerSettings, Error> {
    let name = &operation.enterprise_manager;
    settings.managers.iter().find(|manager| manager.name == *name).ok_or_else(|| {
        Error::Usage(format!(
            "operation {} was sent to the Enterprise Manager {name:?}, which is not configured",
            operation.id
        ))
    })
}
