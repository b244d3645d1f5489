//! Settings: defaults, then the file, then the environment, then flags.
//!
//! [`load`] reads every place, checks everything, and either returns [`Settings`] that can be used without another
//! check or all [`Problems`] at once, each with its place and what to do about it. Nothing else in the program reads
//! the environment or a password file. Secrets are [`SecretString`]s from here on.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::TimeDelta;
use secrecy::SecretString;

use crate::kind::SessionKind;
use crate::kinds::KINDS;

mod database;
mod file;
mod layers;
mod manager;
mod problem;
mod secret;
mod value;

#[cfg(test)]
mod tests;

pub use database::{Backend, DatabaseSettings};
pub use manager::{Credentials, ManagerSettings};
pub use problem::{Place, Problem, Problems, nearest};
pub(crate) use value::is_loopback;

use layers::{Given, Layers};

/// The file's name, in the working directory and in the user's configuration directory.
pub const FILE_NAME: &str = "vemsync.toml";

/// Every setting, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the rows go.
    pub database: DatabaseSettings,
    /// Where they come from. Empty unless asked for with [`Need::Manager`]; then there is at least one.
    pub managers: Vec<ManagerSettings>,
    /// What is read and how.
    pub sync: SyncSettings,
    /// How long rows are kept; `None` is for ever.
    pub keep: Option<TimeDelta>,
    /// The page, metrics and health over HTTP.
    pub http: HttpSettings,
    /// What is said on the way.
    pub log: LogSettings,
    /// Cloud failover actions.
    pub failover: FailoverSettings,
    /// The file that was read, if there was one.
    pub config_file: Option<PathBuf>,
}

/// `[sync]`
#[derive(Debug, Clone, PartialEq)]
pub struct SyncSettings {
    /// The session types to read, in the order of [`KINDS`].
    pub kinds: Vec<&'static SessionKind>,
    /// Rows to ask for in a request, 1 to 10000.
    pub page_size: u32,
    /// How far back a new stream starts.
    pub backfill: Backfill,
    /// The pause between two passes of the daemon, at least a second.
    pub interval: Duration,
    /// How far below its mark a stream is read again.
    pub overlap: TimeDelta,
}

/// How far back a new stream starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backfill {
    /// From the first record there is.
    All,
    /// From this long ago.
    For(TimeDelta),
}

/// `[http]`
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// The address that the daemon listens on.
    pub listen: SocketAddr,
    /// Where that was set.
    pub listen_place: Place,
    /// Whether something in front of it sees to who comes.
    pub is_public: bool,
    /// `user:password`, asked of whoever wants to see more than whether the daemon is alive and ready.
    pub basic_auth: Option<SecretString>,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// How a line looks.
    pub format: LogFormat,
    /// How much vemsync itself says.
    pub verbosity: Verbosity,
    /// The filter of `RUST_LOG`, which replaces `verbosity` unless a flag says otherwise.
    pub directives: Option<String>,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Failures.
    Error,
    /// And what an operator should look at.
    Warn,
    /// And what was done.
    Info,
    /// And why.
    Debug,
    /// Everything.
    Trace,
}

/// `[failover]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailoverSettings {
    /// Whether failover actions may be sent at all.
    pub enabled: bool,
}

/// What a command cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: text is checked, no other file is opened.
    Nothing,
    /// The database.
    Database,
    /// The database and at least one Enterprise Manager with its password.
    Manager,
}

/// What the flags say, as it was typed. What may hold a secret is kept as one.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--database`
    pub database: Option<SecretString>,
    /// `--url`
    pub url: Option<SecretString>,
    /// `--username`
    pub username: Option<String>,
    /// `--password-file`
    pub password_file: Option<String>,
    /// `--ca-file`
    pub ca_file: Option<String>,
    /// `--certificate-sha256`
    pub certificate_sha256: Vec<String>,
    /// `--insecure`
    pub insecure: bool,
    /// `--kind`
    pub kinds: Vec<String>,
    /// `--page-size`
    pub page_size: Option<String>,
    /// `--backfill`
    pub backfill: Option<String>,
    /// `--interval`
    pub interval: Option<String>,
    /// `--overlap`
    pub overlap: Option<String>,
    /// `--listen`
    pub listen: Option<String>,
    /// `--log-format`
    pub log_format: Option<String>,
    /// How often `-v` was given.
    pub verbose: u8,
}

/// What surrounds the process, passed in so that a test can be somewhere else.
pub struct Surroundings<'a> {
    /// The environment.
    pub env: &'a dyn Fn(&str) -> Option<OsString>,
    /// The working directory, absolute.
    pub cwd: PathBuf,
    /// The user's configuration directory for vemsync.
    pub user_folder: Option<PathBuf>,
}

impl Surroundings<'static> {
    /// Those of this process.
    ///
    /// # Errors
    /// When the working directory cannot be found out.
    pub fn of_process() -> std::io::Result<Self> {
        Ok(Self {
            env: &|name| std::env::var_os(name),
            cwd: std::env::current_dir()?,
            user_folder: directories::ProjectDirs::from("", "", "vemsync").map(|dirs| dirs.config_dir().to_owned()),
        })
    }
}

/// Reads all settings.
///
/// # Errors
/// Everything that is wrong with them.
pub fn load(need: Need, overrides: &Overrides, around: &Surroundings<'_>) -> Result<Settings, Problems> {
    let mut problems = Problems::default();
    let (config_file, file) = read_file(overrides, around, &mut problems);
    // Without the file, all that it may have held would be reported as missing.
    let need = if file.is_some() { need } else { Need::Nothing };
    let file = file.unwrap_or_default();
    let mut layers = Layers { overrides, around, file, problems };
    let settings = Settings {
        database: database::read(&mut layers, need),
        managers: manager::read(&mut layers, need),
        sync: sync(&mut layers),
        keep: keep(&mut layers),
        http: http(&mut layers, need),
        log: log(&mut layers),
        failover: failover(&mut layers),
        config_file,
    };
    layers.problems.unless_any(settings)
}

/// Reads the settings of logs alone, and no file: for commands that must work beside a file that is wrong.
///
/// # Errors
/// What is wrong with the flags and variables of logs.
pub fn load_log(overrides: &Overrides, around: &Surroundings<'_>) -> Result<LogSettings, Problems> {
    let file = file::File::empty(around.cwd.clone());
    let mut layers = Layers { overrides, around, file, problems: Problems::default() };
    let settings = log(&mut layers);
    layers.problems.unless_any(settings)
}

/// The kind of that name, in any case.
///
/// # Errors
/// A problem at `place` that offers the nearest kind.
pub fn kind(name: &str, place: Place) -> Result<&'static SessionKind, Problem> {
    value::kind(name).map_err(|(what, mend)| Problem::new(place, what, mend))
}

/// Every section header and key of the file, for a test that the template shows them all.
#[cfg(test)]
pub(crate) fn known_keys() -> Vec<(String, &'static str)> {
    let keys = |header: String, keys: &'static [file::Key]| keys.iter().map(move |key| (header.clone(), key.name));
    let (failover, failover_keys) = file::MANAGER_FAILOVER;
    let managers = keys(format!("[[{}]]", file::MANAGER_SECTION), file::MANAGER);
    let failover = keys(format!("[{}.{failover}]", file::MANAGER_SECTION), failover_keys);
    let sections = file::SECTIONS.iter().flat_map(|(name, known)| keys(format!("[{name}]"), known));
    sections.chain(managers).chain(failover).collect()
}

fn sync(layers: &mut Layers<'_>) -> SyncSettings {
    let flags = layers.overrides;
    let mut chosen = None;
    let from_flags: Vec<Given> = flags.kinds.iter().map(|kind| Given::flag("--kind", kind)).collect();
    for given in [from_flags, layers.file.all("sync", "kinds")] {
        let named: Vec<_> = given
            .into_iter()
            .filter_map(|given| layers.pick([Some(given)], value::kind))
            .map(|(kind, _)| kind)
            .collect();
        if !named.is_empty() {
            chosen = chosen.or(Some(named));
        }
    }
    let kinds = match chosen {
        Some(chosen) => KINDS.iter().filter(|kind| chosen.iter().any(|chosen| chosen.name == kind.name)).collect(),
        None => KINDS.iter().collect(),
    };
    let page_size = layers.setting(
        ("--page-size", flags.page_size.as_ref()),
        "VEMSYNC_PAGE_SIZE",
        ("sync", "page_size"),
        value::page_size,
    );
    let backfill = layers.setting(
        ("--backfill", flags.backfill.as_ref()),
        "VEMSYNC_BACKFILL",
        ("sync", "backfill"),
        value::backfill,
    );
    let interval = layers.setting(
        ("--interval", flags.interval.as_ref()),
        "VEMSYNC_INTERVAL",
        ("sync", "interval"),
        value::interval,
    );
    let overlap =
        layers.setting(("--overlap", flags.overlap.as_ref()), "VEMSYNC_OVERLAP", ("sync", "overlap"), value::overlap);
    SyncSettings {
        kinds,
        page_size: page_size.unwrap_or(500),
        backfill: backfill.unwrap_or(Backfill::For(TimeDelta::days(90))),
        interval: interval.unwrap_or(Duration::from_secs(60)),
        overlap: overlap.unwrap_or(TimeDelta::hours(2)),
    }
}

fn keep(layers: &mut Layers<'_>) -> Option<TimeDelta> {
    let candidates = [layers.variable("VEMSYNC_KEEP"), layers.file.one("retention", "keep")];
    layers.pick(candidates, value::keep).and_then(|(keep, _)| keep)
}

fn http(layers: &mut Layers<'_>, need: Need) -> HttpSettings {
    let flag = Layers::flag("--listen", layers.overrides.listen.as_ref());
    let candidates = [flag, layers.variable("VEMSYNC_LISTEN"), layers.file.one("http", "listen")];
    let listen = layers.pick(candidates, value::listen);
    let candidates = [layers.variable("VEMSYNC_PUBLIC"), layers.file.one("http", "public")];
    let is_public = layers.pick(candidates, value::boolean).is_some_and(|(is_public, _)| is_public);
    let in_file = layers.file.one("http", "basic_auth_file");
    let auth_file = layers.variable("VEMSYNC_BASIC_AUTH_FILE").or(in_file);
    // Only who serves it opens it: other commands work for accounts that may not.
    let basic_auth = auth_file.as_ref().filter(|_| need == Need::Manager).and_then(|given| {
        match layers.password(given).and_then(value::basic_auth) {
            Ok(account) => Some(account),
            Err((what, mend)) => {
                layers.problems.add(&given.place, what, mend);
                None
            }
        }
    });
    if let Some((listen, place)) = &listen
        && !listen.ip().to_canonical().is_loopback()
        && !is_public
        && auth_file.is_none()
    {
        let what = format!("{listen} can be reached from other machines, and shows jobs and machines to whoever asks");
        let mend =
            "protect it with basic_auth_file in [http], or set public = true there if something in front of it does";
        layers.problems.add(place, what, mend);
    }
    let usual = || (SocketAddr::from((Ipv4Addr::LOCALHOST, 9399)), Place::Flag("--listen"));
    let (listen, listen_place) = listen.unwrap_or_else(usual);
    HttpSettings { listen, listen_place, is_public, basic_auth }
}

fn log(layers: &mut Layers<'_>) -> LogSettings {
    let flag = layers.overrides.log_format.as_ref();
    let format = layers.setting(("--log-format", flag), "VEMSYNC_LOG_FORMAT", ("log", "format"), value::log_format);
    let format = format.unwrap_or(LogFormat::Text);
    let in_file = layers.file.one("log", "level");
    let level = layers.pick([in_file], value::verbosity).map_or(Verbosity::Info, |(level, _)| level);
    let variable = layers.variable("RUST_LOG");
    let directives = layers.pick([variable], value::directives).map(|(directives, _)| directives);
    match layers.overrides.verbose {
        0 => LogSettings { format, verbosity: level, directives },
        1 => LogSettings { format, verbosity: level.max(Verbosity::Debug), directives: None },
        _ => LogSettings { format, verbosity: Verbosity::Trace, directives: None },
    }
}

fn failover(layers: &mut Layers<'_>) -> FailoverSettings {
    let variable = layers.variable("VEMSYNC_FAILOVER_ENABLED");
    let in_file = layers.file.one("failover", "enabled");
    FailoverSettings { enabled: layers.pick([variable, in_file], value::boolean).is_some_and(|(enabled, _)| enabled) }
}

/// The file that was asked for, or the first of the usual ones that exists. No file is an empty one; a file that
/// cannot be used is a problem and `None`.
fn read_file(
    overrides: &Overrides,
    around: &Surroundings<'_>,
    problems: &mut Problems,
) -> (Option<PathBuf>, Option<file::File>) {
    let asked = match &overrides.config {
        Some(path) => Some((path.clone(), Place::Flag("--config"))),
        None => (around.env)("VEMSYNC_CONFIG")
            .filter(|path| !path.is_empty())
            .map(|path| (PathBuf::from(path), Place::Variable("VEMSYNC_CONFIG"))),
    };
    let usual = [Some(PathBuf::from(FILE_NAME)), around.user_folder.as_ref().map(|folder| folder.join(FILE_NAME))];
    let candidates = match &asked {
        Some((path, _)) => vec![path.clone()],
        None => usual.into_iter().flatten().collect(),
    };
    for shown in candidates {
        let path = around.cwd.join(&shown);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound && asked.is_none() => continue,
            Err(error) => {
                let place = asked.map_or(Place::Settings, |(_, place)| place);
                let what = format!("the configuration file {} cannot be read: {error}", shown.display());
                let mend = match error.kind() {
                    ErrorKind::NotFound => "correct the path, or write the file with `vemsync init`",
                    _ => "name a file that this account may read",
                };
                problems.add(&place, what, mend);
                return (Some(path), None);
            }
        };
        let name = shown.display().to_string();
        let Ok(text) = String::from_utf8(bytes) else {
            let place = Place::File { file: name.into(), line: 0 };
            problems.add(&place, "the file is not UTF-8", "save it as UTF-8");
            return (Some(path), None);
        };
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let file = file::parse(&text, &name, folder, problems);
        return (Some(path), file);
    }
    (None, Some(file::File::empty(around.cwd.clone())))
}
