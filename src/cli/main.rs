//! From parsed arguments to an exit status.

use std::io::Write as _;
use std::sync::Arc;

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::{
    Cli, Command, Exit, check, complain, completions, demo, failover, grant, health as ask, init, man, migrate, print,
    rejects, report, schema, simulate, status, sync, verify, work,
};
use crate::config::{self, Need, Place, Problem, Problems, Settings, Surroundings};
use crate::daemon::{self, Daemon};
use crate::lifecycle::Signals;
use crate::store::{self, Schema};
use crate::{escape, health, sync as pass, telemetry};

/// Runs the command. Whatever goes wrong is printed once, here.
#[must_use]
pub fn main(cli: Cli) -> Exit {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    match runtime.block_on(run(cli)) {
        Ok(exit) => exit,
        Err(error) => fail(&error),
    }
}

/// The error with its causes on standard error, and the status that it stands for.
fn fail(error: &anyhow::Error) -> Exit {
    if let Some(problems) = error.downcast_ref::<Problems>() {
        // Nothing more can be said where even this cannot be written.
        drop(writeln!(std::io::stderr().lock(), "{problems}"));
        return Exit::Usage;
    }
    complain(&escape::chain(error.as_ref()));
    if let Some(error) = error.downcast_ref::<store::Error>() {
        return work::database(error);
    }
    if let Some(error) = error.downcast_ref::<crate::failover::Error>() {
        return failover::exit(error);
    }
    error.downcast_ref::<pass::Error>().map_or(Exit::Incomplete, work::exit)
}

async fn run(cli: Cli) -> anyhow::Result<Exit> {
    let mut overrides = cli.overrides();
    let surroundings = Surroundings::of_process()?;
    let need = cli.command.need();
    if need == Need::Nothing {
        telemetry::init(&config::load_log(&overrides, &surroundings)?)?;
    }
    let load = |overrides: &config::Overrides, need| -> anyhow::Result<Settings> {
        let settings = config::load(need, overrides, &surroundings)?;
        telemetry::init(&settings.log)?;
        Ok(settings)
    };
    match &cli.command {
        Command::Demo => {
            if overrides.database.is_none() {
                overrides.database = Some(SecretString::from("sqlite:vemsync-demo.db"));
            }
            // A configuration for a real server must not get into the demonstration.
            let nowhere = |_: &str| None;
            let alone = Surroundings { env: &nowhere, cwd: surroundings.cwd.clone(), user_folder: None };
            overrides.config = None;
            demo::run(&demo_settings(&overrides, &alone)?).await
        }
        Command::Init(args) => {
            let mut text = Vec::new();
            init::write(args, cli.global.config.as_deref(), &mut text)?;
            print(|out| out.write_all(&text))?;
            Ok(Exit::Done)
        }
        Command::Schema(args) => {
            let kind = args.kind().map_err(Problems::from)?;
            print(|out| schema::write(kind, out))?;
            Ok(Exit::Done)
        }
        Command::Simulate(_) => {
            let Command::Simulate(args) = cli.command else { return Ok(Exit::Usage) };
            simulate::run(args).await?;
            Ok(Exit::Done)
        }
        Command::Health(args) => {
            let settings = config::load(need, &overrides, &surroundings)?;
            ask::run(settings.http.listen, args).await
        }
        Command::Completions(args) => {
            print(|out| completions::write(args, out))?;
            Ok(Exit::Done)
        }
        Command::Man => {
            print(man::write)?;
            Ok(Exit::Done)
        }
        Command::Check => check::run(&load(&overrides, need)?).await,
        Command::Sync => sync::sync(&load(&overrides, need)?).await,
        Command::Backfill(args) => sync::backfill(&load(&overrides, need)?, args).await,
        Command::Verify(args) => verify::run(&load(&overrides, need)?, args).await,
        Command::Failover(command) => failover::run(&load(&overrides, need)?, command).await,
        Command::Status(args) => status::run(&load(&overrides, need)?, args).await,
        Command::Report(args) => report::run(&load(&overrides, need)?, args).await,
        Command::Rejects(command) => rejects::run(&load(&overrides, need)?, command).await,
        Command::Migrate(args) => migrate::run(&load(&overrides, need)?, args).await,
        Command::Grant(args) => grant::run(&load(&overrides, need)?, args).await,
        Command::Run(_) => run_daemon(&load(&overrides, need)?).await,
    }
}

fn demo_settings(overrides: &config::Overrides, alone: &Surroundings<'_>) -> anyhow::Result<Settings> {
    Ok(config::load(Need::Nothing, overrides, alone)?)
}

async fn run_daemon(settings: &Settings) -> anyhow::Result<Exit> {
    let cancel = CancellationToken::new();
    let _signals = Signals::cancel(cancel.clone(), Exit::Incomplete);
    let listen = settings.http.listen;
    let _health = health::serve(listen, cancel.clone()).await.map_err(|error| {
        let what = format!("cannot listen on {listen}: {error}");
        Problems::from(Problem::new(Place::Flag("--listen"), what, "choose another address, or stop what uses it"))
    })?;
    let store = work::open(settings, Schema::Migrate).await?;
    let mut options = work::options(settings);
    options.spare_silent = true;
    options.live_every = Some(settings.sync.interval);
    let daemon =
        Daemon { store: store.clone(), clock: work::clock(), options, interval: settings.sync.interval, cancel };
    tracing::info!(managers = settings.managers.len(), database = settings.database.display, "running");
    daemon::run(Arc::new(daemon), settings.managers.clone()).await?;
    store.close().await;
    tracing::info!("stopped");
    Ok(Exit::Done)
}
