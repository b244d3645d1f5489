//! `vemsync run`: puts the daemon together, and reads its configuration again when asked to.

use std::sync::Arc;

use secrecy::ExposeSecret as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Exit, work};
use crate::config::{ManagerSettings, Problem, Problems, Settings};
use crate::daemon::{self, Daemon};
use crate::em::{Client, Limits};
use crate::health::Health;
use crate::lifecycle::{self, Signals};
use crate::metrics::Metrics;
use crate::notify;
use crate::store::{Looks, Schema, SqlStore, Store, Upkeep};
use crate::web::{self, Site, Web};

/// Runs until a signal comes. `reload` reads the configuration again.
pub(super) async fn run(settings: &Settings, reload: impl Fn() -> Result<Settings, Problems>) -> anyhow::Result<Exit> {
    let cancel = CancellationToken::new();
    let _signals = Signals::cancel(cancel.clone(), Exit::Incomplete);
    let (mut hangups, _watch) = lifecycle::hangups()?;
    let listen = settings.http.listen;
    let page = Web::new(settings.http.basic_auth.clone(), settings.http.is_public);
    let (listen, _served) = web::serve(listen, page.clone(), cancel.clone()).await.map_err(|error| {
        let what = format!("cannot listen on {listen}: {error}");
        let place = settings.http.listen_place.clone();
        Problems::from(Problem::new(place, what, "choose another address, or stop what uses it"))
    })?;
    let url = settings.database.url.expose_secret();
    let database = Arc::new(SqlStore::connect(url, Schema::Migrate).await?);
    let (store, upkeep): (Arc<dyn Store>, Arc<dyn Upkeep>) = (database.clone(), database);
    let clock = work::clock();
    let health = Arc::new(Health::default());
    let metrics = Arc::new(Metrics::new(clock.now()));
    page.open(Site {
        health: health.clone(),
        metrics: metrics.clone(),
        store: store.clone(),
        upkeep: upkeep.clone(),
        looks: Looks::new(url)?,
        clock: clock.clone(),
    });
    let ours = clock.clone();
    let client = Box::new(move |manager: &ManagerSettings| Client::new(manager, Limits::default(), ours.clone()));
    let daemon =
        Arc::new(Daemon { store: store.clone(), upkeep, clock, client, health, metrics, cancel: cancel.clone() });
    let managers = settings.managers.len();
    tracing::info!(managers, database = settings.database.display, %listen, "running");
    let notified = notify::start(page.clone(), cancel.clone());
    let (sender, reloads) = mpsc::channel(1);
    let reloading = async {
        while hangups.recv().await.is_some() {
            let read = reload();
            daemon.metrics.reloaded(read.is_ok());
            match read {
                Ok(new) => {
                    warn_of_the_rest(settings, &new);
                    if sender.send(new).await.is_err() {
                        break;
                    }
                    tracing::info!("the configuration was read again");
                }
                Err(problems) => {
                    for problem in problems.to_string().lines() {
                        tracing::error!("{problem}");
                    }
                    tracing::error!("the configuration is not used: all goes on as before");
                }
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = daemon::run(daemon.clone(), settings, reloads) => ended?,
        () = reloading => {}
        () = page.keep_ready() => {}
    }
    drop(notified.join_all().await);
    store.close().await;
    tracing::info!("stopped");
    Ok(Exit::Done)
}

/// Says which of the new settings take a restart.
fn warn_of_the_rest(running: &Settings, new: &Settings) {
    let secret = |settings: &Settings| settings.http.basic_auth.as_ref().map(|text| text.expose_secret().to_owned());
    for (section, is_changed) in [
        ("database", running.database.url.expose_secret() != new.database.url.expose_secret()),
        ("http", running.http.listen != new.http.listen || secret(running) != secret(new)),
        ("log", running.log != new.log),
    ] {
        if is_changed {
            tracing::warn!("[{section}] has changed, which takes effect when vemsync is started again");
        }
    }
}
