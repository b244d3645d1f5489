//! `vemsync failover resolve`: what a person found out about an operation of which nobody could know.

use std::sync::Arc;

use clap::Args;
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use super::{Exit, Report, print, show, work};
use crate::config::Settings;
use crate::failover::{Error, recorded};
use crate::store::{Ledger as _, Schema, SqlStore, State, Step, Store as _, Taken};

/// Arguments of `failover resolve`.
#[derive(Debug, Args)]
pub struct ResolveArgs {
    /// The operation's number
    id: i64,
    #[command(flatten)]
    finding: Finding,
    /// How that was found out; it stands in the record
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was found out.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Finding {
    /// It was never done: its plan may be started again
    #[arg(long)]
    not_done: bool,
    /// It was done, and there is nothing to follow
    #[arg(long)]
    done: bool,
    /// This cloud failover session came of it
    #[arg(long, value_name = "UID")]
    session: Option<Uuid>,
}

/// Nothing is sent, and Enterprise Manager is not asked: the person has looked.
pub(super) async fn run(settings: &Settings, args: &ResolveArgs) -> anyhow::Result<Exit> {
    if args.reason.trim().is_empty() {
        return Err(Error::Usage("the reason is empty: say how that was found out".to_owned()).into());
    }
    let store = Arc::new(SqlStore::connect(settings.database.url.expose_secret(), Schema::Require).await?);
    recorded(store.as_ref(), args.id).await?;
    let who = whoami::username().unwrap_or_else(|_| "unknown".to_owned());
    let from: &[State] = &[State::Confirmed, State::Sending, State::Accepted, State::Unknown];
    let says = |what: &str| format!("{who} says that {what}: {}", args.reason.trim());
    let step = match args.finding {
        Finding { session: Some(session), .. } => {
            let what = says(&format!("session {session} came of it"));
            Step { session_uid: Some(session), ..Step::to(State::Running, from, what) }
        }
        Finding { done: true, .. } => {
            Step { result: Some("Success".to_owned()), ..Step::to(State::Finished, from, says("it was done")) }
        }
        Finding { .. } => Step::to(State::Rejected, from, says("it was not done")),
    };
    let taken = store.step(args.id, &step, work::clock().now()).await?;
    let operation = match taken {
        Taken::Yes => recorded(store.as_ref(), args.id).await?,
        Taken::Moved(state) => {
            let what = format!("operation {} is {}: there is nothing to find out", args.id, state.name());
            return Err(Error::Usage(what).into());
        }
        Taken::Conflict => {
            return Err(Error::Usage("that session came of another operation".to_owned()).into());
        }
    };
    let events = store.events(args.id).await?;
    store.close().await;
    let report = Report { operation, events, session: None };
    print(|out| if args.json { show::json(out, &report) } else { show::report(out, &report, &[]) })?;
    Ok(Exit::Done)
}
