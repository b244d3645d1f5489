//! What the commands that reach a database or an Enterprise Manager have in common.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use secrecy::ExposeSecret as _;
use tokio_util::sync::CancellationToken;

use super::Exit;
use crate::clock::{Clock, SystemClock};
use crate::config::{ManagerSettings, Settings};
use crate::em::{self, Client, Limits};
use crate::store::{self, Schema, Store};
use crate::sync::{Error, Options, Progress, Syncer};

/// The clock of this machine.
pub(super) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// Opens the database of the settings.
pub(super) async fn open(settings: &Settings, schema: Schema) -> Result<Arc<dyn Store>, store::Error> {
    store::connect(settings.database.url.expose_secret(), schema).await
}

/// Connects to an Enterprise Manager and enters it in the database.
pub(super) async fn connect(
    manager: &ManagerSettings,
    store: Arc<dyn Store>,
    cancel: CancellationToken,
) -> Result<Syncer, Error> {
    let client = Client::new(manager, Limits::default(), clock()).map_err(Error::Source)?;
    Syncer::connect(manager, client, store, clock(), cancel).await
}

/// The pass that the settings ask for.
pub(super) fn options(settings: &Settings) -> Options {
    Options { progress: progress(), ..Options::new(&settings.sync, settings.keep) }
}

/// The exit status for an error.
pub(super) fn exit(error: &Error) -> Exit {
    match error {
        Error::Store(error) => database(error),
        Error::Interrupted => Exit::Interrupted,
        Error::Source(em::Error::Tls(_)) => Exit::Usage,
        refused if refused.is_refusal() => Exit::Refused,
        _ => Exit::Incomplete,
    }
}

/// The exit status for an error of the database.
pub(super) fn database(error: &store::Error) -> Exit {
    match error {
        // Nothing is wrong with it: another instance was quicker.
        store::Error::Fenced { .. } => Exit::Incomplete,
        _ => Exit::Database,
    }
}

/// A bar a kind on a terminal, nothing elsewhere.
fn progress() -> Arc<dyn Fn(Progress) + Send + Sync> {
    if !std::io::stderr().is_terminal() {
        return Arc::new(|_| {});
    }
    let all = MultiProgress::new();
    let bars: Mutex<HashMap<&'static str, ProgressBar>> = Mutex::default();
    Arc::new(move |progress| {
        let mut bars = bars.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = bars.entry(progress.kind).or_insert_with(|| {
            let bar = all.add(ProgressBar::new(1000));
            let style = ProgressStyle::with_template("{prefix:22} {bar:30} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(progress.kind);
            bar
        });
        let whole = (progress.from - progress.floor).num_seconds().max(1);
        let done = (progress.from - progress.reached).num_seconds().clamp(0, whole);
        bar.set_message(format!("{} rows, back to {}", progress.rows, progress.reached.format("%Y-%m-%d")));
        bar.set_position(u64::try_from(done * 1000 / whole).unwrap_or_default());
        if progress.reached <= progress.floor {
            bar.finish();
        }
    })
}
