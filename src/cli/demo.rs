//! `vemsync demo`: a simulated fleet, synced into a database of its own, in one command.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

use super::{Exit, print, report, terminal, work};
use crate::config::{Backend, ManagerSettings, Settings};
use crate::em::{Client, Limits};
use crate::report::{Asked, Request};
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
    // The reports speak of the moment at which the made-up history ends, on whatever day they are read.
    store.stop_clock(end).await?;
    let status = store.status(true).await?;
    let overview = Asked::new(&Request { name: "overview", ..Request::default() })?.build(store.as_ref()).await;
    store.close().await;
    let overview = overview.map_err(report::problem)?;
    print(|out| write(out, settings, &summary, &status, begun))?;
    print(|out| report::show(&overview, out))?;
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
            .map_or_else(|| outcome.counts.read.to_string(), |kind| kind.rows.unwrap_or_default().to_string());
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
    let query = "select * from vm_protection where consecutive_failures > 2";
    let (url, client) = match &settings.database.backend {
        Backend::Sqlite { path } => {
            (format!("sqlite:{}", path.display()), format!("sqlite3 -box '{}'", path.display()))
        }
        Backend::Postgres => {
            // A URL that carries a password is not printed.
            let has_secret = settings.database.url.expose_secret() != settings.database.display;
            let url = if has_secret { "\"$VEMSYNC_DATABASE_URL\"" } else { settings.database.display.as_str() };
            (url.to_owned(), format!("psql {url} -c"))
        }
    };
    writeln!(out, "  vemsync report overview --database {url} -o overview.html")?;
    writeln!(out, "  vemsync report --database {url}")?;
    writeln!(out, "  vemsync status --database {url}")?;
    writeln!(out, "  {client} \"{query}\"\n")
}
