//! `vemsync demo`: a simulated fleet, synced into a database of its own, in one command.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

use super::{Exit, print, terminal, work};
use crate::config::{Backend, ManagerSettings, Settings};
use crate::em::{Client, Limits};
use crate::simulator::{self, FleetOptions, Simulator, World};
use crate::store::{ManagerStatus, Schema, SqlStore, Store as _};
use crate::sync::{Mode, Summary};

mod operations;

/// The manager's name in the database, under which its clock is kept too.
const NAME: &str = "demo";

const SEED: u64 = 7;

/// Starts the simulator, syncs it, and shows what arrived.
pub(super) async fn run(settings: &Settings) -> anyhow::Result<Exit> {
    let begun = Instant::now();
    let store = Arc::new(SqlStore::connect(settings.database.url.expose_secret(), Schema::Migrate).await?);
    // The simulated time stands still at the moment of the first run, so that a second one finds the same fleet.
    if store.manager_since(NAME).await?.is_none() {
        store.manager(NAME, "", None, work::clock().now()).await?;
    }
    let end = store.manager_since(NAME).await?.context("the manager that was just entered is not there")?;
    let fleet = FleetOptions { servers: 4, jobs: 40, vms: 200, days: 30, end, future_hours: 0, story: true };
    let world = tokio::task::spawn_blocking(move || World::fleet(SEED, &fleet)).await?;
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let simulator = Simulator::start(world, simulator::Options::frozen(end), loopback).await?;

    let manager = ManagerSettings::new(
        NAME,
        format!("{}/api/", simulator.url().trim_end_matches('/')).parse()?,
        "demo",
        SecretString::from("demo"),
    );
    let syncer = work::connect(&manager, store.clone(), CancellationToken::new()).await?;
    let summary = syncer.pass(Mode::Wide, &work::options(settings)).await;
    syncer.log_off().await;
    let summary = summary?;
    let client = Client::new(&manager, Limits::default(), work::clock())?;
    let em_id = store.manager(NAME, client.base().as_str(), None, end).await?;
    operations::record(store.as_ref(), em_id, client, end).await?;
    simulator.stop().await;
    let status = store.status().await?;
    store.close().await;
    print(|out| write(out, settings, &summary, &status, begun))?;
    Ok(if summary.is_complete() { Exit::Done } else { Exit::Incomplete })
}

fn write(
    out: &mut dyn Write,
    settings: &Settings,
    summary: &Summary,
    status: &[ManagerStatus],
    begun: Instant,
) -> io::Result<()> {
    let mut table = terminal::table(["KIND", "ROWS", "NEW", "CHANGED"]);
    let (mut new, mut changed) = (0, 0);
    for outcome in &summary.kinds {
        let rows = status
            .iter()
            .filter(|manager| manager.name == NAME)
            .flat_map(|manager| &manager.kinds)
            .find(|kind| kind.kind == outcome.kind)
            .map_or_else(|| outcome.counts.read.to_string(), |kind| kind.rows.to_string());
        new += outcome.counts.inserted;
        changed += outcome.counts.updated;
        let counts = [outcome.counts.inserted, outcome.counts.updated].map(|count| count.to_string());
        let [inserted, updated] = counts;
        table.add_row([outcome.kind.to_owned(), rows, inserted, updated]);
    }
    terminal::align_right(&mut table, 1..=3);
    writeln!(out, "{}\n", table.trim_fmt())?;
    let found =
        if new + changed == 0 { "nothing new since the last run".to_owned() } else { format!("{new} rows added") };
    writeln!(out, "{found}; {} requests in {:.1} s", summary.requests, begun.elapsed().as_secs_f64())?;
    writeln!(out, "the database: {}\n\nTry next:", settings.database.display)?;
    let query = "select kind, result, count(*) from sessions group by kind, result order by 1, 2";
    match &settings.database.backend {
        Backend::Sqlite { path } => {
            let path = path.display();
            writeln!(out, "  vemsync status --database sqlite:{path}")?;
            writeln!(out, "  sqlite3 -box '{path}' \"{query}\"")?;
            writeln!(
                out,
                "  sqlite3 -box '{path}' \"select object_name, creation_time, message from sessions where result = 'Failed' order by 2 desc limit 10\""
            )
        }
        Backend::Postgres => {
            // A URL that carries a password is not printed.
            let has_secret = settings.database.url.expose_secret() != settings.database.display;
            let url = if has_secret { "\"$VEMSYNC_DATABASE_URL\"" } else { settings.database.display.as_str() };
            writeln!(out, "  vemsync status --database {url}")?;
            writeln!(out, "  psql {url} -c \"{query}\"")?;
            writeln!(
                out,
                "  psql {url} -c \"select object_name, creation_time, message from sessions where result = 'Failed' order by 2 desc limit 10\""
            )
        }
    }
}
