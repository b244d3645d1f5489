//! `vemsync grant`: lets a role of the Postgres server read everything and change nothing.

use secrecy::ExposeSecret as _;

use super::{Exit, print};
use crate::config::{Backend, Place, Problem, Problems, Settings};
use crate::escape;
use crate::store;

/// Arguments of `grant`.
#[derive(Debug, clap::Args)]
pub struct GrantArgs {
    /// An existing role of the Postgres server that is to read every table and view, and to change nothing
    #[arg(long, value_name = "ROLE")]
    pub reader: String,
}

/// Grants, and says what is left to do. Ends with 1 while the role may still change something.
pub(super) async fn run(settings: &Settings, args: &GrantArgs) -> anyhow::Result<Exit> {
    if let Backend::Sqlite { path } = &settings.database.backend {
        let what = "SQLite has no roles: whoever may read the file may read everything in it".to_owned();
        let mend = format!("open it with `sqlite3 -readonly {}`, or as file:…?mode=ro", path.display());
        return Err(Problems::from(Problem::new(Place::Flag("--reader"), what, mend)).into());
    }
    let granted = match store::grant_reader(settings.database.url.expose_secret(), &args.reader).await {
        Err(error @ store::Error::NoRole(_)) => {
            let mend = format!("make it first, such as by `create role {} login`", escape::control(&args.reader));
            return Err(Problems::from(Problem::new(Place::Flag("--reader"), error.to_string(), mend)).into());
        }
        other => other?,
    };
    let role = escape::control(&args.reader);
    let is_done = granted.left.is_empty() && granted.writes.is_empty();
    print(|out| {
        writeln!(
            out,
            "{role} may read {} tables and views of schema {}.",
            granted.readable,
            escape::control(&granted.schema)
        )?;
        for reason in &granted.writes {
            writeln!(out, "But {}.", escape::control(reason))?;
        }
        if !granted.left.is_empty() {
            writeln!(out, "A superuser has to run, since this account may not:")?;
            for statement in &granted.left {
                writeln!(out, "  {};", escape::control(statement))?;
            }
        }
        Ok(())
    })?;
    Ok(if is_done { Exit::Done } else { Exit::Incomplete })
}
