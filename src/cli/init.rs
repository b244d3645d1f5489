//! `vemsync init`: a vemsync.toml with every key in it, each with its default and a line that explains it.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::config::FILE_NAME;

/// Arguments of `init`.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// Overwrite a file that exists
    #[arg(long)]
    pub force: bool,
}

/// Writes the file and says what comes next. It holds no secret, so it may be readable by all.
///
/// # Errors
/// When the file exists, unless `--force` is given, and when it cannot be written.
pub fn write(args: &InitArgs, config: Option<&Path>, out: &mut dyn Write) -> anyhow::Result<()> {
    let path = config.map_or_else(|| PathBuf::from(FILE_NAME), Path::to_owned);
    let mut options = OpenOptions::new();
    options.write(true);
    if args.force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let mut file = match options.open(&path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} exists already; --force overwrites it", path.display())
        }
        opened => opened.with_context(|| format!("{} cannot be written", path.display()))?,
    };
    file.write_all(TEMPLATE.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(next_steps(&path, out)?)
}

fn next_steps(path: &Path, out: &mut dyn Write) -> io::Result<()> {
    let shown = path.display();
    // A flag is needed only where the file is not found by itself.
    let flag = if path == Path::new(FILE_NAME) { String::new() } else { format!(" --config {shown}") };
    let password = path.with_file_name(PASSWORD_FILE);
    writeln!(
        out,
        "Wrote {shown}. Next:
  1. Set url and username in it. The account needs the Portal User role in Enterprise Manager.
  2. Put the account's password into {password}, closed to others:
       touch {password} && chmod 600 {password}, then edit it
  3. vemsync check{flag}    says what is still wrong
  4. vemsync sync{flag}     reads once; vemsync run{flag} keeps reading",
        password = password.display(),
    )
}

/// The password file that the template names.
const PASSWORD_FILE: &str = "vemsync.password";

/// `# text` explains; `#key = value` is a key with its default, or an example where there is none.
const TEMPLATE: &str = r##"# Settings of vemsync. A flag or an environment variable overrides what stands here.
# Lines that begin with # and a key show the default, or an example where there is none: remove the # to set it.
# Relative paths begin in the folder of this file. `vemsync check` says whether all of it works.

[database]
# sqlite:PATH, or postgres://USER@HOST/DATABASE
#url = "sqlite:vemsync.db"
# Password for Postgres: a file that only its owner can read (chmod 600).
#password_file = "database.password"

# One such section for each Enterprise Manager.
[[enterprise_manager]]
# Rows and marks stand under this name: do not change it later.
name = "default"
# Address and port of the REST API.
url = "https://em.example:9398"
# Account with the Portal User role. Single quotes keep the backslash.
username = 'EXAMPLE\svc-vemsync'
# Its password: a file that only its owner can read (chmod 600).
password_file = "vemsync.password"
# Authorities to trust (PEM) in place of those of the system, if the certificate is signed by your own.
#ca_file = "em-ca.pem"
# SHA-256 of the server's certificate, for a self-signed one; two during a rotation. To see it:
# openssl s_client -connect em.example:9398 </dev/null | openssl x509 -noout -fingerprint -sha256
#certificate_sha256 = ["00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"]
# Accept any certificate. Anyone on the way can then read the password.
#insecure = false
# Accept http:// to another machine. Anyone on the way can then read the password.
#allow_plain_http = false

# Another account for failover actions: the one above then needs no right to start them.
#[enterprise_manager.failover]
#username = 'EXAMPLE\svc-failover'
#password_file = "failover.password"

[sync]
# Session types to read; all by default (`vemsync schema` lists them).
#kinds = ["BackupJobSession", "ReplicaJobSession", "BackupTaskSession", "ReplicaTaskSession", "RestoreSession", "CloudFailoverSession", "CdpReplicaSession", "CdpReplicaTaskSession"]
# Rows to ask for in a request, 1 to 10000.
#page_size = 500
# How far back a new stream starts: a span of time, or "all".
#backfill = "90d"
# Pause between two passes of `vemsync run`.
#interval = "60s"
# How far below its mark a stream is read again, for rows that Enterprise Manager collected late.
#overlap = "2h"

[retention]
# How long `vemsync run` keeps sessions: a span of time of at least 92d, or "forever". Enterprise Manager forgets after
# 13 weeks; what is deleted here is gone.
#keep = "forever"

[http]
# Where `vemsync run` shows its page, /metrics, /healthz and /readyz.
#listen = "127.0.0.1:9399"
# One line, user:password, asked of whoever opens the page: a file that only its owner can read (chmod 600).
#basic_auth_file = "http.account"
# Listen beyond this machine without asking for a password, because something in front of it does.
#public = false

[log]
# text or json
#format = "text"
# error, warn, info, debug or trace
#level = "info"

[failover]
# Whether cloud failover actions may be sent at all.
#enabled = false
"##;

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::config::{self, Need, Overrides, Settings, Surroundings};

    /// Loads a text as vemsync.toml, with all files beside it that the template names.
    fn load(text: &str) -> Settings {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE_NAME), text).unwrap();
        for name in [PASSWORD_FILE, "failover.password", "database.password", "em-ca.pem", "http.account"] {
            fs::write(folder.path().join(name), if name == "http.account" { "operator:s3cret" } else { "s3cret\n" })
                .unwrap();
            fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
        let around = Surroundings { env: &|_| None, cwd: folder.path().to_owned(), user_folder: None };
        config::load(Need::Manager, &Overrides::default(), &around).unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// The template with its commented keys set. SQLite takes no password, so that example stays a comment.
    fn uncommented() -> String {
        let is_key = |rest: &str| rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[');
        let lines = TEMPLATE.lines().map(|line| match line.strip_prefix('#') {
            Some(rest) if is_key(rest) && !rest.contains("database.password") => rest,
            _ => line,
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_template_is_a_configuration_as_it_stands() {
        let settings = load(TEMPLATE);
        assert_eq!(settings.managers[0].username, "EXAMPLE\\svc-vemsync");
        assert!(settings.managers[0].failover.is_none());
    }

    #[test]
    fn setting_the_keys_that_show_defaults_changes_nothing() {
        let (plain, full) = (load(TEMPLATE), load(&uncommented()));
        assert_eq!(format!("{:?}", plain.sync), format!("{:?}", full.sync));
        assert_eq!((plain.http.listen, &plain.log, plain.failover), (full.http.listen, &full.log, full.failover));
        assert_eq!((plain.keep, full.keep), (None, None));
        assert_eq!(plain.managers[0].insecure, full.managers[0].insecure);
        assert_eq!(plain.managers[0].allow_plain_http, full.managers[0].allow_plain_http);
        let file = |settings: &Settings| Path::new(&settings.database.display).file_name().unwrap().to_owned();
        assert_eq!(file(&plain), file(&full));
        assert_eq!(full.managers[0].certificate_sha256.len(), 1);
        assert_eq!(full.managers[0].failover.as_ref().unwrap().username, "EXAMPLE\\svc-failover");
    }

    #[test]
    fn the_template_shows_every_key() {
        for (section, key) in config::known_keys() {
            let header = TEMPLATE.lines().position(|line| line.trim_start_matches('#') == section);
            let below = TEMPLATE.lines().skip(header.unwrap_or_else(|| panic!("{section} is not in the template")) + 1);
            let mut below = below.map(|line| line.trim_start_matches('#')).take_while(|line| !line.starts_with('['));
            assert!(below.any(|line| line.starts_with(&format!("{key} = "))), "{section} {key}");
        }
    }

    #[test]
    fn an_existing_file_is_kept_unless_forced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.toml");
        let mut out = Vec::new();
        write(&InitArgs { force: false }, Some(&path), &mut out).unwrap();
        let said = String::from_utf8(out).unwrap();
        assert!(said.contains("vemsync check --config ") && said.contains(PASSWORD_FILE), "{said}");
        fs::write(&path, "# mine").unwrap();
        let refused = write(&InitArgs { force: false }, Some(&path), &mut Vec::new()).unwrap_err();
        assert!(refused.to_string().contains("--force"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "# mine");
        write(&InitArgs { force: true }, Some(&path), &mut Vec::new()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), TEMPLATE);
    }
}
