//! The command line: one subcommand a file below, the flags that they share here.
//!
//! Names of commands, flags and variables are a contract: unit files and scripts use them. What a flag means is decided
//! in [`crate::config`], together with the file and the environment, so that all problems come at once.

use std::ffi::OsString;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::PathBuf;

use clap::{ArgAction, Args, CommandFactory as _, Parser, Subcommand};
use secrecy::SecretString;

use crate::config::{Need, Overrides};

pub mod backfill;
mod check;
pub mod completions;
pub mod copy;
mod demo;
pub mod exit;
pub mod failover;
pub mod grant;
pub mod health;
pub mod init;
mod main;
pub mod man;
mod migrate;
mod rejects;
pub mod report;
mod run;
pub mod schema;
pub mod simulate;
mod status;
mod sync;
mod terminal;
mod variables;
pub mod verify;
mod work;

pub use exit::Exit;
pub use main::main;

const EXAMPLES: &str = "\
Examples:
  vemsync demo                             try it: a simulator, synced into ./vemsync-demo.db
  vemsync init                             write vemsync.toml; edit it, then:
  vemsync check                            see whether everything answers
  vemsync sync                             one pass, for cron
  vemsync run                              the daemon
  vemsync backfill --since 2025-01-01      older history, beside the daemon
  vemsync verify                           is everything here that is there?
  vemsync report                           the reports; vemsync report overview is the morning page
  vemsync sync --url https://em.example:9398 --username 'EXAMPLE\\svc-vemsync' --password-file em.password

Settings come from vemsync.toml, then the environment, then flags; the last one wins.

Exit status:
  0 done    1 not done, or not all of it    2 wrong command line or configuration
  3 the account was refused    4 the database can't be used    130 interrupted";

/// Copies the sessions of a Veeam Backup Enterprise Manager into Postgres or SQLite
#[derive(Debug, Parser)]
#[command(name = "vemsync", version, after_help = EXAMPLES, max_term_width = 110)]
pub struct Cli {
    /// Flags that may stand before or after the command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the built-in simulator, sync it into ./vemsync-demo.db and show what arrived
    Demo,
    /// Write a commented vemsync.toml (or the file that --config names)
    Init(init::InitArgs),
    /// See whether everything answers: configuration, TLS, logon, what the account sees, database
    Check,
    /// Read everything new, once, then exit
    Sync,
    /// Keep reading until stopped
    Run(RunArgs),
    /// Read history; can be interrupted, and run beside a daemon
    Backfill(backfill::BackfillArgs),
    /// Compare what is stored with what Enterprise Manager has
    Verify(verify::VerifyArgs),
    /// Start, test or undo a cloud failover plan, and follow it to its end
    #[command(subcommand)]
    Failover(failover::FailoverCommand),
    /// Show how far the sync is, per Enterprise Manager, session type and backup server
    Status(StatusArgs),
    /// Answer a question about backups from what is stored, as a table, CSV, JSON or HTML
    #[command(after_help = crate::report::names::list())]
    Report(report::ReportArgs),
    /// Look at records that could not be stored, or try them again
    #[command(subcommand)]
    Rejects(RejectsCommand),
    /// Move the history to another database (SQLite to Postgres and back), and compare the two
    Copy(copy::CopyArgs),
    /// Bring the database to this version's schema
    Migrate(MigrateArgs),
    /// Let a role of the Postgres server read everything and change nothing
    Grant(grant::GrantArgs),
    /// Show the session types, or the columns of one
    Schema(schema::SchemaArgs),
    /// Run an Enterprise Manager to try things against
    Simulate(simulate::SimulateArgs),
    /// Ask the `vemsync run` of this machine whether it is well
    Health(health::HealthArgs),
    /// Write what a shell needs to complete commands and flags
    Completions(completions::CompletionsArgs),
    /// Write the manual page
    Man,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Where GET /healthz answers while the daemon is alive [env: VEMSYNC_LISTEN] [default: 127.0.0.1:9399]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What to do with rejected records.
#[derive(Debug, Subcommand)]
pub enum RejectsCommand {
    /// List them, one line each
    List,
    /// Show one with its raw text
    Show {
        /// The number that `rejects list` shows
        id: i64,
    },
    /// Read all of them again as this version understands them
    Replay,
}

/// Arguments of `migrate`.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Change nothing: say what is pending
    #[arg(long)]
    pub check: bool,
}

const MANAGER: &str = "Enterprise Manager (when there is only one)";
const READING: &str = "Reading";
const GENERAL: &str = "General";

/// Flags that may stand before or after the command.
#[derive(Debug, Clone, Default, Args)]
pub struct GlobalArgs {
    /// Settings file [env: VEMSYNC_CONFIG] [default: ./vemsync.toml, then the user's configuration folder]
    #[arg(long, global = true, value_name = "FILE", help_heading = GENERAL)]
    pub config: Option<PathBuf>,

    /// sqlite:PATH or postgres://… [env: VEMSYNC_DATABASE_URL] [default: sqlite:vemsync.db]
    #[arg(long, global = true, value_name = "URL", help_heading = GENERAL, value_parser = secret)]
    pub database: Option<SecretString>,

    /// text or json [env: VEMSYNC_LOG_FORMAT] [default: text]
    #[arg(long, global = true, value_name = "FORMAT", help_heading = GENERAL)]
    pub log_format: Option<String>,

    /// Log more: -v why, -vv everything (finer: RUST_LOG)
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = GENERAL)]
    pub verbose: u8,

    /// Its address, such as https://em.example:9398 [env: VEMSYNC_URL]
    #[arg(long, global = true, value_name = "URL", help_heading = MANAGER, value_parser = secret)]
    pub url: Option<SecretString>,

    /// The account, DOMAIN\user or HOST\user [env: VEMSYNC_USERNAME]
    #[arg(long, global = true, value_name = "USER", help_heading = MANAGER)]
    pub username: Option<String>,

    /// File with its password, closed to others (mode 600) [env: VEMSYNC_PASSWORD_FILE, or the password itself in
    /// VEMSYNC_PASSWORD]
    #[arg(long, global = true, value_name = "FILE", help_heading = MANAGER)]
    pub password_file: Option<String>,

    /// Certificates of authorities to trust, PEM [env: VEMSYNC_CA_FILE]
    #[arg(long, global = true, value_name = "FILE", help_heading = MANAGER)]
    pub ca_file: Option<String>,

    /// SHA-256 of the server's certificate; a second one during a rotation [env: VEMSYNC_CERTIFICATE_SHA256]
    #[arg(long, global = true, value_name = "HEX", help_heading = MANAGER)]
    pub certificate_sha256: Vec<String>,

    /// Accept any certificate, which protects nothing [env: VEMSYNC_INSECURE]
    #[arg(long, global = true, help_heading = MANAGER)]
    pub insecure: bool,

    /// Session type to read, such as BackupJobSession; repeatable [default: all, see `vemsync schema`]
    #[arg(long = "kind", global = true, value_name = "KIND", help_heading = READING)]
    pub kinds: Vec<String>,

    /// Rows to ask for in a request, 1 to 10000 [env: VEMSYNC_PAGE_SIZE] [default: 500]
    #[arg(long, global = true, value_name = "N", help_heading = READING, allow_hyphen_values = true)]
    pub page_size: Option<String>,

    /// How far back a new stream starts, or all [env: VEMSYNC_BACKFILL] [default: 90d]
    #[arg(long, global = true, value_name = "TIME", help_heading = READING)]
    pub backfill: Option<String>,

    /// Pause between two passes of `run` [env: VEMSYNC_INTERVAL] [default: 60s]
    #[arg(long, global = true, value_name = "TIME", help_heading = READING)]
    pub interval: Option<String>,

    /// How far below its mark a stream is read again [env: VEMSYNC_OVERLAP] [default: 2h]
    #[arg(long, global = true, value_name = "TIME", help_heading = READING)]
    pub overlap: Option<String>,
}

impl Cli {
    /// Reads the arguments, the program's name first.
    ///
    /// # Errors
    /// When they are wrong, and when help was asked for: `clap::Error::exit` prints either, with the right status.
    pub fn from_args(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let args: Vec<OsString> = args.into_iter().collect();
        let cli = Self::try_parse_from(&args)?;
        // A flag that stands on both sides counts for clap only behind the command. Of a repeatable one the first part
        // would be dropped without a word: fewer session types read than were asked for.
        let global = &cli.global;
        for (flag, used) in [("--kind", global.kinds.len()), ("--certificate-sha256", global.certificate_sha256.len())]
        {
            if occurrences(&args, flag) > used {
                let text = format!("{flag} stands before and after the command: put all of them on one side");
                return Err(Self::command().error(clap::error::ErrorKind::ArgumentConflict, text));
            }
        }
        Ok(cli)
    }

    /// What the flags say, for [`crate::config::load`].
    #[must_use]
    pub fn overrides(&self) -> Overrides {
        let global = self.global.clone();
        let listen = match &self.command {
            Command::Run(args) => args.listen.clone(),
            Command::Health(args) => args.listen.clone(),
            _ => None,
        };
        Overrides {
            config: global.config,
            database: global.database,
            url: global.url,
            username: global.username,
            password_file: global.password_file,
            ca_file: global.ca_file,
            certificate_sha256: global.certificate_sha256,
            insecure: global.insecure,
            kinds: global.kinds,
            page_size: global.page_size,
            backfill: global.backfill,
            interval: global.interval,
            overlap: global.overlap,
            listen,
            log_format: global.log_format,
            verbose: global.verbose,
        }
    }
}

impl Command {
    /// What the command cannot do without.
    #[must_use]
    pub fn need(&self) -> Need {
        match self {
            Self::Demo
            | Self::Init(_)
            | Self::Copy(_)
            | Self::Schema(_)
            | Self::Simulate(_)
            | Self::Health(_)
            | Self::Completions(_)
            | Self::Man => Need::Nothing,
            Self::Status(_) | Self::Report(_) | Self::Rejects(_) | Self::Migrate(_) | Self::Grant(_) => Need::Database,
            Self::Check | Self::Sync | Self::Run(_) | Self::Backfill(_) | Self::Verify(_) | Self::Failover(_) => {
                Need::Manager
            }
        }
    }
}

fn occurrences(args: &[OsString], flag: &str) -> usize {
    let is_flag = |arg: &str| arg.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='));
    args.iter().take_while(|arg| *arg != "--").filter(|arg| arg.to_str().is_some_and(is_flag)).count()
}

/// Writes a command's result to standard output. A reader that has seen enough (`| head`) is no failure.
///
/// # Errors
/// When the output cannot be written for another reason, such as a full disk.
pub fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    quiet_end(write(&mut out).and_then(|()| out.flush()))
}

/// Writes one line about what went wrong to standard error.
fn complain(line: &str) {
    // Nothing more can be said where even this cannot be written.
    drop(writeln!(io::stderr().lock(), "vemsync: {line}"));
}

fn quiet_end(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// What may hold a password is a secret from the first moment, so that no debug output can show it.
#[expect(clippy::unnecessary_wraps, reason = "clap asks for a fallible parser")]
fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests;
