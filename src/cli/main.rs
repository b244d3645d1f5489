//! From parsed arguments to an exit status.

use std::io::Write as _;

use secrecy::SecretString;

use super::{
    Cli, Command, Exit, check, complain, completions, copy, demo, failover, grant, health, init, man, migrate, print,
    rejects, report, run, schema, simulate, status, sync, variables, verify, work,
};
use crate::config::{self, Need, Problems, Settings, Surroundings};
use crate::{escape, store, sync as pass, telemetry};

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
        for said in variables::misspelt(std::env::vars_os().map(|(name, _)| name)) {
            tracing::warn!("{said}");
        }
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
        Command::Copy(args) => copy::run(args, &surroundings.cwd).await,
        Command::Health(args) => {
            let settings = config::load(need, &overrides, &surroundings)?;
            health::run(settings.http.listen, args).await
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
        Command::Run(_) => {
            let reload = || config::load(need, &overrides, &surroundings);
            run::run(&load(&overrides, need)?, reload).await
        }
    }
}

fn demo_settings(overrides: &config::Overrides, alone: &Surroundings<'_>) -> anyhow::Result<Settings> {
    Ok(config::load(Need::Nothing, overrides, alone)?)
}
