//! The program itself, run as a user would.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use super::database::Database;

/// A folder to run in, with a password file.
pub struct Place {
    pub folder: TempDir,
    password_file: PathBuf,
}

impl Place {
    pub fn new(password: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let password_file = folder.path().join("password");
        write_secret(&password_file, password);
        Self { folder, password_file }
    }

    /// The program with nothing of this process's environment that could matter to it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vemsync"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars() {
            if name.starts_with("VEMSYNC_") || name == "RUST_LOG" {
                command.env_remove(name);
            }
        }
        command
    }

    /// … with an Enterprise Manager and a database.
    pub fn against(&self, url: &str, database: &Database, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        command.args(["--url", url, "--username", "demo", "--database", &database.url, "--backfill", "30d"]);
        command.arg("--password-file").arg(&self.password_file);
        command
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

pub fn write_secret(path: &Path, text: &str) {
    let mut file = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path).expect("a new file");
    file.write_all(text.as_bytes()).expect("room");
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Ended {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

/// Runs it to its end, off the runtime that serves the simulator.
pub async fn run(mut command: Command) -> Ended {
    tokio::task::spawn_blocking(move || command.output().expect("the program").into()).await.expect("an end")
}

pub fn start(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program")
}

pub fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().expect("kill");
    assert!(status.success());
}

pub async fn wait(child: Child) -> Ended {
    tokio::task::spawn_blocking(move || child.wait_with_output().expect("an end").into()).await.expect("an end")
}
