//! `vemsync migrate`: brings the database to this version's schema, or says what it lacks.

use secrecy::ExposeSecret as _;

use super::{Exit, MigrateArgs, print, work};
use crate::config::Settings;
use crate::store::{self, Schema};

/// Applies what is pending, or, with `--check`, ends with 1 if something is.
pub(super) async fn run(settings: &Settings, args: &MigrateArgs) -> anyhow::Result<Exit> {
    let pending = store::pending(settings.database.url.expose_secret()).await?;
    let database = &settings.database.display;
    if pending.is_empty() {
        print(|out| writeln!(out, "{database} is up to date."))?;
        return Ok(Exit::Done);
    }
    if !args.check {
        work::open(settings, Schema::Migrate).await?.close().await;
    }
    print(|out| {
        writeln!(out, "{database}: {}", if args.check { "pending" } else { "applied" })?;
        for migration in &pending {
            writeln!(out, "  {} {}", migration.version, migration.name)?;
        }
        Ok(())
    })?;
    Ok(if args.check { Exit::Incomplete } else { Exit::Done })
}
