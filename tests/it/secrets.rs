//! No secret in any output: every command, run well and run badly, as loud as it can be, with secrets that would be
//! recognised in any spelling.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use clap::CommandFactory as _;
use url::Url;
use vemsync::cli::Cli;
use vemsync::simulator::{Broken, FleetOptions, Kind, Options, Simulator, World};

use crate::hostile::elsewhere::{Misleading, Sink};
use crate::support::database::{Database, postgres_url};
use crate::support::program::{Ended, Place, run, signal, start as start_program, wait, write_secret};
use crate::support::world::{simulate_with, start};

/// What is special in URLs, JSON and headers follows a plain part that survives all of them.
const EM_PASSWORD: &str = "EmKanarie7Qx%41/+ü:@\"{ ";
const DATABASE_PASSWORD: &str = "DbKanarie9Zk%41/+ü:@\"{ ";

/// Texts that give a secret away.
struct Needles(Vec<(String, &'static str)>);

impl Needles {
    fn new(tokens: BTreeSet<String>) -> Self {
        let mut needles = Self(Vec::new());
        needles.add("the password of Enterprise Manager", EM_PASSWORD, "EmKanarie7Qx");
        needles.add("the password of the database", DATABASE_PASSWORD, "DbKanarie9Zk");
        for user in ["demo", "v"] {
            for password in [EM_PASSWORD, DATABASE_PASSWORD] {
                needles.0.push((STANDARD.encode(format!("{user}:{password}")), "credentials"));
            }
        }
        assert!(!tokens.is_empty(), "no token was ever sent");
        for token in tokens {
            needles.add("a token", &token, &token);
        }
        needles
    }

    fn add(&mut self, name: &'static str, secret: &str, plain: &str) {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let percent: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        // The last letters of Base64 depend on what follows.
        let base64 = |engine: &base64::engine::GeneralPurpose| engine.encode(secret)[..secret.len()].to_owned();
        for text in [plain.to_owned(), hex.to_uppercase(), hex, percent, base64(&STANDARD), base64(&URL_SAFE)] {
            self.0.push((text, name));
        }
    }

    fn check(&self, place: &str, bytes: &[u8]) {
        for (needle, name) in &self.0 {
            let found = bytes.windows(needle.len()).position(|window| window == needle.as_bytes());
            if let Some(at) = found {
                let around = &bytes[at.saturating_sub(200)..(at + needle.len() + 80).min(bytes.len())];
                panic!("{name} is in {place}: …{}…", String::from_utf8_lossy(around));
            }
        }
    }
}

/// Runs commands and keeps what they said.
struct Runs {
    place: Place,
    said: Vec<(String, Ended)>,
    commands: BTreeSet<String>,
    /// Those that ended otherwise than they should have, so that they did not say what they were run for.
    odd: Vec<String>,
}

impl Runs {
    /// The program with these variables and arguments, as loud as it can be in one of two ways.
    fn command(&mut self, variables: &[(&str, &str)], arguments: &[&str]) -> Command {
        self.commands.extend(arguments.first().map(|command| (*command).to_owned()));
        let mut command = self.place.command(arguments);
        command.envs(variables.iter().copied()).env("RUST_BACKTRACE", "1").env("RUST_LOG", "trace");
        if self.said.len().is_multiple_of(2) {
            command.args(["--log-format", "json"]);
        } else {
            command.arg("-vv");
        }
        command
    }

    async fn run(&mut self, status: i32, variables: &[(&str, &str)], arguments: &[&str]) {
        let command = self.command(variables, arguments);
        self.keep(status, arguments, run(command).await);
    }

    /// … until a signal ends it.
    async fn run_for(&mut self, time: Duration, status: i32, variables: &[(&str, &str)], arguments: &[&str]) {
        let child = start_program(self.command(variables, arguments));
        tokio::time::sleep(time).await;
        signal(&child, "TERM");
        let ended = wait(child).await;
        self.keep(status, arguments, ended);
    }

    fn keep(&mut self, status: i32, arguments: &[&str], ended: Ended) {
        if ended.status != Some(status) {
            let (out, err) = (tail(&ended.out), tail(&ended.err));
            self.odd.push(format!("{arguments:?} ended with {:?} instead of {status}:\n{out}\n{err}", ended.status));
        }
        self.said.push((arguments.join(" "), ended));
    }
}

fn tail(text: &str) -> &str {
    &text[text.floor_char_boundary(text.len().saturating_sub(500))..]
}

async fn simulate(password: &str) -> Simulator {
    let world = World::fleet(81, &FleetOptions::small(start()));
    simulate_with(world, Options { password: password.to_owned(), ..Options::frozen(start()) }).await
}

/// A database's address with the secret in it, spelt as a URL asks for.
fn with_password(url: &str) -> String {
    let mut url = Url::parse(url).expect("a URL");
    url.set_password(Some(&DATABASE_PASSWORD.replace('%', "%25"))).expect("a host");
    url.into()
}

/// An Enterprise Manager, what records its requests, a database, and the settings for them.
struct Scene {
    _simulator: Simulator,
    _sink: Sink,
    source: Misleading,
    postgres: Database,
    runs: Runs,
    database: String,
}

impl Scene {
    async fn new() -> Self {
        let simulator = simulate(EM_PASSWORD).await;
        simulator.with_world(|world| {
            let at = start() - chrono::TimeDelta::hours(3);
            world.add_broken(Kind::RestoreSession, 0, at, Broken::NoCreationTime);
        });
        let sink = Sink::start().await;
        let source = Misleading::start(simulator.url(), &sink.address).await;
        let postgres = Database::postgres().await;
        let place = Place::new(EM_PASSWORD);
        let runs = Runs { place, said: Vec::new(), commands: BTreeSet::new(), odd: Vec::new() };
        let database = with_password(&postgres.url);
        Self { _simulator: simulator, _sink: sink, source, postgres, runs, database }
    }

    fn settings(&self) -> Vec<(String, String)> {
        let settings = [
            ("VEMSYNC_URL", self.source.url.as_str()),
            ("VEMSYNC_USERNAME", "demo"),
            ("VEMSYNC_PASSWORD", EM_PASSWORD),
            ("VEMSYNC_DATABASE_URL", &self.database),
            ("VEMSYNC_BACKFILL", "30d"),
        ];
        settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    /// Looks through everything that was said and written.
    async fn check(self) {
        let tokens = self.source.requests().iter().filter_map(|head| token(head)).collect();
        let needles = Needles::new(tokens);
        for (name, ended) in &self.runs.said {
            needles.check(&format!("what `{name}` printed"), ended.out.as_bytes());
            needles.check(&format!("what `{name}` logged"), ended.err.as_bytes());
        }
        assert!(self.runs.said.iter().any(|(_, ended)| ended.err.contains("TRACE")), "nothing was loud");
        let inputs = ["password", "database.password", "wrong.toml"];
        for file in files(self.runs.place.folder.path()) {
            let name = file.file_name().expect("a name").to_string_lossy().into_owned();
            if !inputs.contains(&name.as_str()) {
                needles.check(&format!("the file {name}"), &std::fs::read(&file).expect("a file"));
            }
        }
        let tables = "select table_name from information_schema.tables where table_schema = current_schema()";
        for table in self.postgres.column(tables).await.into_iter().flatten() {
            let rows = self.postgres.column(&format!("select t::text from \"{table}\" t")).await;
            let text: String = rows.into_iter().flatten().collect();
            needles.check(&format!("the table {table}"), text.as_bytes());
        }
        assert!(self.runs.odd.is_empty(), "{}", self.runs.odd.join("\n\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_output_of_a_command_that_does_its_work_holds_a_secret() {
    let mut scene = Scene::new().await;
    let settings = scene.settings();
    let good: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    run_well(&mut scene.runs, &good).await;
    let all: BTreeSet<String> = Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    assert_eq!(scene.runs.commands, all, "a command was not run");
    scene.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_output_of_a_command_that_fails_holds_a_secret() {
    let mut scene = Scene::new().await;
    let settings = scene.settings();
    let good: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    run_badly(&mut scene.runs, &good).await;
    scene.check().await;
}

async fn run_well(runs: &mut Runs, good: &[(&str, &str)]) {
    for arguments in [
        &["schema"][..],
        &["schema", "RestoreSession"],
        &["completions", "bash"],
        &["man"],
        &["migrate", "--check"],
        &["migrate"],
        &["check"],
        &["sync"],
        &["sync", "--page-size", "50"],
        &["backfill", "--since", "2025-06-01"],
        &["backfill", "--since", "2025-05-25", "--dry-run"],
        &["verify", "--repair"],
        &["verify", "--json"],
        &["status"],
        &["status", "--json"],
        &["report"],
        &["report", "overview"],
        &["report", "failures", "--format", "html", "-o", "failures.html"],
        &["rejects", "list"],
        &["rejects", "show", "1"],
        &["rejects", "replay"],
    ] {
        // The simulated clock is not this machine's, which `check` holds against it.
        let status = if arguments == ["migrate", "--check"] || arguments == ["check"] { 1 } else { 0 };
        runs.run(status, good, arguments).await;
    }
    // There is no such role.
    runs.run(2, good, &["grant", "--reader", "nobody"]).await;
    let listen = ["run", "--listen", "127.0.0.1:0", "--interval", "1s"];
    runs.run_for(Duration::from_millis(1500), 0, good, &listen).await;
    // Nobody answers there.
    runs.run(1, good, &["health", "--listen", "127.0.0.1:9"]).await;
    runs.run(0, &[], &["demo"]).await;
    runs.run(0, good, &["init", "--config", "new.toml"]).await;
    runs.run(1, good, &["init", "--config", "new.toml"]).await;
    // The password from a file, and a database in one.
    let password_file = runs.place.path("password").display().to_string();
    let files: Vec<(&str, &str)> = good
        .iter()
        .map(|(name, value)| match *name {
            "VEMSYNC_PASSWORD" => ("VEMSYNC_PASSWORD_FILE", password_file.as_str()),
            "VEMSYNC_DATABASE_URL" => (*name, "sqlite:own.db"),
            name => (name, *value),
        })
        .collect();
    runs.run(0, &files, &["sync"]).await;
    // A history from a database with a password in the URL, and from one with it in a file.
    let url = good.iter().find(|(name, _)| *name == "VEMSYNC_DATABASE_URL").map_or("", |(_, url)| url);
    runs.run(0, good, &["copy", "--from", url, "--to", "sqlite:copy.db"]).await;
    let mut bare = Url::parse(url).expect("a URL");
    bare.set_password(None).expect("a host");
    write_secret(&runs.place.path("database.password"), DATABASE_PASSWORD);
    let from = ["copy", "--from", bare.as_str(), "--from-password-file", "database.password", "--to", "sqlite:copy.db"];
    runs.run(0, good, &from).await;
    let acting: Vec<(&str, &str)> = good.iter().copied().chain([("VEMSYNC_FAILOVER_ENABLED", "true")]).collect();
    let plan = "Quarry & Sons <DR>";
    runs.run(0, &acting, &["failover", "list"]).await;
    runs.run(0, &acting, &["failover", "show", plan, "--json"]).await;
    let shown = runs.said.last().map(|(_, ended)| ended.out.clone()).unwrap_or_default();
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    let fingerprint = shown["fingerprint"].as_str().expect("a fingerprint").to_owned();
    let given = ["--reason", "drill", "--plan-fingerprint", &fingerprint, "--no-wait"];
    runs.run(2, &acting, &["failover", "undo", plan, "--reason", "drill", "--plan-fingerprint", "00"]).await;
    runs.run(0, &acting, &[&["failover", "undo", plan][..], &given].concat()).await;
    runs.run(0, &acting, &["failover", "status"]).await;
    let simulate = ["simulate", "--bind", "127.0.0.1:0", "--password-file", &password_file, "--days", "1"];
    runs.run_for(Duration::from_millis(500), 0, good, &simulate).await;
}

async fn run_badly(runs: &mut Runs, good: &[(&str, &str)]) {
    let but = |name: &str, value: &str| -> Vec<(String, String)> {
        let kept = good.iter().filter(|(known, _)| *known != name).map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
        kept.chain([(name.to_owned(), value.to_owned())]).collect()
    };
    let refusing = simulate("another password").await;
    let down = with_password("postgres://v@127.0.0.1:9/none");
    let absent = with_password(&format!("{}absent", postgres_url()));
    let no_port = "postgres://v:DbKanarie9Zk@host:port/db";
    let no_host = format!("postgres:///none?host=/nowhere&password={DATABASE_PASSWORD}");
    let in_address = format!("https://demo:{EM_PASSWORD}@em.example");
    let two_lines = format!("{EM_PASSWORD}\n");
    for (status, name, value, arguments) in [
        (3, "VEMSYNC_URL", refusing.url(), &["sync"][..]),
        (3, "VEMSYNC_URL", refusing.url(), &["check"]),
        (1, "VEMSYNC_URL", "http://127.0.0.1:9", &["check"]),
        (2, "VEMSYNC_URL", &in_address, &["sync"]),
        (2, "VEMSYNC_PASSWORD", &two_lines, &["sync"]),
        (4, "VEMSYNC_DATABASE_URL", &down, &["sync"]),
        (1, "VEMSYNC_DATABASE_URL", &down, &["check"]),
        (4, "VEMSYNC_DATABASE_URL", &down, &["status"]),
        (4, "VEMSYNC_DATABASE_URL", &down, &["report", "overview"]),
        (4, "VEMSYNC_DATABASE_URL", &down, &["migrate"]),
        (4, "VEMSYNC_DATABASE_URL", &down, &["run", "--listen", "127.0.0.1:0"]),
        (4, "VEMSYNC_DATABASE_URL", &absent, &["sync"]),
        (4, "VEMSYNC_DATABASE_URL", &no_host, &["rejects", "list"]),
        (2, "VEMSYNC_DATABASE_URL", no_port, &["sync"]),
        (2, "VEMSYNC_DATABASE_URL", DATABASE_PASSWORD, &["migrate"]),
        (2, "VEMSYNC_CONFIG", "wrong.toml", &["sync"]),
    ] {
        if name == "VEMSYNC_CONFIG" && !runs.place.path("wrong.toml").exists() {
            let lines = [
                format!("[database]\nurl = \"postgres://v:{}@db/v\"", "DbKanarie9Zk"),
                "password_file = 'database.password'\n[[enterprise_manager]]".to_owned(),
                "password = 'EmKanarie7Qx'\nurl = 'https://demo:EmKanarie7Qx@em'\nusername = 'a:b'".to_owned(),
                "[log\nlevel = 5".to_owned(),
            ];
            write_secret(&runs.place.path("wrong.toml"), &lines.join("\n"));
            write_secret(&runs.place.path("database.password"), DATABASE_PASSWORD);
        }
        let variables = but(name, value);
        let variables: Vec<(&str, &str)> = variables.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        runs.run(status, &variables, arguments).await;
    }
    // TLS that is refused, by someone who speaks none; and secrets in flags.
    let plain = refusing.url().replace("http://", "https://");
    runs.run(1, good, &["check", "--url", &plain]).await;
    runs.run(2, good, &["sync", "--url", &in_address]).await;
    runs.run(2, good, &["status", "--database", no_port]).await;
    runs.run(2, good, &["copy", "--from", no_port, "--to", no_port]).await;
    runs.run(2, good, &["copy", "--from", &down, "--to", &down]).await;
    runs.run(4, good, &["copy", "--from", &down, "--to", "sqlite:copy.db"]).await;
    runs.run(4, good, &["copy", "--from", &absent, "--to", &down, "--verify"]).await;
}

fn token(head: &str) -> Option<String> {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("x-restsvcsessionid:"))?;
    line.split_once(':').map(|(_, token)| token.trim().to_owned())
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
