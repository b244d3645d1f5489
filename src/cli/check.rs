//! `vemsync check`: does everything answer? One line each, every problem with its mend.

use std::io::{self, Write};

use chrono::TimeDelta;
use secrecy::ExposeSecret as _;

use super::{Exit, print, work};
use crate::config::{ManagerSettings, Settings};
use crate::em::{Client, Error, Limits};
use crate::escape;
use crate::kinds::PARENTS;
use crate::store;

/// A clock that is further off than this is worth a look.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// The lines, and the status that they amount to.
struct Findings {
    lines: Vec<(bool, String)>,
    exit: Exit,
}

impl Findings {
    fn good(&mut self, line: String) {
        self.lines.push((true, line));
    }

    fn bad(&mut self, line: String, exit: Exit) {
        self.lines.push((false, line));
        if self.exit == Exit::Done {
            self.exit = exit;
        }
    }
}

/// Looks at everything and changes nothing.
pub(super) async fn run(settings: &Settings) -> anyhow::Result<Exit> {
    let mut findings = Findings { lines: Vec::new(), exit: Exit::Done };
    findings.good(match &settings.config_file {
        Some(path) => format!("configuration: {} is valid", path.display()),
        None => "configuration: no file, flags and environment are valid".to_owned(),
    });
    for manager in &settings.managers {
        check_manager(manager, settings, &mut findings).await;
    }
    check_database(settings, &mut findings).await;
    print(|out| write(out, &findings))?;
    Ok(findings.exit)
}

fn write(out: &mut dyn Write, findings: &Findings) -> io::Result<()> {
    for (is_good, line) in &findings.lines {
        writeln!(out, "{} {line}", if *is_good { "ok     " } else { "PROBLEM" })?;
    }
    Ok(())
}

async fn check_manager(manager: &ManagerSettings, settings: &Settings, findings: &mut Findings) {
    let name = &manager.name;
    let client = match Client::new(manager, Limits { tries: 6, ..Limits::default() }, work::clock()) {
        Ok(client) => client,
        Err(error) => return findings.bad(format!("{name}: {error}"), Exit::Usage),
    };
    match client.versions().await {
        Ok(versions) => {
            let trust = match (manager.url.scheme(), manager.insecure) {
                ("http", _) => "without TLS",
                (_, true) => "with a certificate that nobody checks",
                _ => "with a trusted certificate",
            };
            findings.good(format!("{name}: {} answers {trust} and offers {}", manager.url, versions.join(", ")));
        }
        Err(error) => return findings.bad(format!("{name}: {error}"), exit(&error)),
    }
    match client.log_on().await {
        Ok(()) => findings.good(format!("{name}: {} may log on", manager.username)),
        Err(error) => return findings.bad(format!("{name}: {error}"), exit(&error)),
    }
    match client.clock_ahead() {
        Some(ahead) if ahead.abs() > CLOCK_TOLERANCE => findings.bad(
            format!("{name}: its clock and this machine's are {} seconds apart: synchronise them", ahead.num_seconds()),
            Exit::Incomplete,
        ),
        Some(_) => findings.good(format!("{name}: its clock agrees with this machine's")),
        None => findings.good(format!("{name}: it does not tell the time; this machine's clock is used")),
    }
    match client.count(PARENTS[0], None).await {
        Ok(0) => findings.bad(
            format!("{name}: the account sees no backup server: give it a role with the servers in its scope"),
            Exit::Incomplete,
        ),
        Ok(servers) => findings.good(format!("{name}: the account sees {servers} backup servers")),
        Err(error) => findings.bad(format!("{name}: the backup servers cannot be listed: {error}"), exit(&error)),
    }
    for kind in &settings.sync.kinds {
        match client.count(kind.entity(), None).await {
            Ok(rows) => findings.good(format!("{name}: {} has {rows} rows", kind.name)),
            Err(Error::BadRequest { status: 400, .. }) => {
                findings.good(format!("{name}: {} is not known to this Enterprise Manager", kind.name));
            }
            Err(error) => findings.bad(format!("{name}: {}: {error}", kind.name), exit(&error)),
        }
    }
    client.log_off().await;
}

async fn check_database(settings: &Settings, findings: &mut Findings) {
    let display = &settings.database.display;
    let url = settings.database.url.expose_secret();
    let pending = match store::check_writable(url) {
        Ok(()) => store::pending(url).await,
        Err(error) => Err(error),
    };
    match pending {
        Ok(pending) if pending.is_empty() => {
            findings.good(format!("database: {display} can be used, its schema is up to date"));
        }
        Ok(pending) => findings.good(format!(
            "database: {display} can be used; {} migrations will be applied by the next sync (or `vemsync migrate`)",
            pending.len()
        )),
        Err(error) => findings.bad(format!("database: {display}: {}", escape::chain(&error)), Exit::Database),
    }
}

fn exit(error: &Error) -> Exit {
    if matches!(error, Error::Refused { .. }) { Exit::Refused } else { Exit::Incomplete }
}
