//! Settings: any text gives settings or problems, a problem is one line, and no text that people see holds a secret.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use tempfile::TempDir;
use vemsync::config::{Need, Overrides, Surroundings, load};

/// Stands in every place that is meant for a secret.
const SECRET: &str = "Zx9-canary-7Qw";

/// Lines in which a user might put a password, right or wrong; the data goes on where a line ends.
const FILES: [&str; 6] = [
    "",
    "[database]\nurl = 'postgres://v:Zx9-canary-7Qw@",
    "[database]\nurl = \"postgres:///v?host=/run&password=Zx9-canary-7Qw",
    "[[enterprise_manager]]\npassword = Zx9-canary-7Qw",
    "[[enterprise_manager]]\npassword = \"Zx9-canary-7Qw",
    "[[enterprise_manager]]\nurl = 'https://v:Zx9-canary-7Qw@",
];

const VARIABLES: [(&str, &str); 8] = [
    ("VEMSYNC_URL", ""),
    ("VEMSYNC_URL", "https://v:Zx9-canary-7Qw@"),
    ("VEMSYNC_DATABASE_URL", "postgres://v:Zx9-canary-7Qw@"),
    ("VEMSYNC_DATABASE_URL", "Zx9-canary-7Qw"),
    ("VEMSYNC_PASSWORD", "Zx9-canary-7Qw"),
    ("VEMSYNC_USERNAME", ""),
    ("VEMSYNC_CERTIFICATE_SHA256", ""),
    ("RUST_LOG", ""),
];

/// Parted by NUL: how the file begins and what commands need, the file's text, then variables.
///
/// # Panics
/// If a problem is not one line, or shows the secret.
pub fn check(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    let mut parts = data.split(|byte| *byte == 0);
    let mut text = FILES[usize::from(*first) % FILES.len()].as_bytes().to_vec();
    text.extend(parts.next().unwrap_or_default());
    let variables: Vec<(&str, OsString)> = parts
        .filter_map(|part| part.split_first())
        .map(|(which, value)| {
            let (name, begin) = VARIABLES[usize::from(*which) % VARIABLES.len()];
            (name, os_string(&[begin.as_bytes(), value].concat()))
        })
        .collect();
    let folder = FOLDER.path();
    fs::write(folder.join("vemsync.toml"), text).expect("room");
    let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    let around = Surroundings { env: &variable, cwd: folder.to_owned(), user_folder: None };
    let need = [Need::Nothing, Need::Database, Need::Manager][usize::from(*first) / FILES.len() % 3];
    match load(need, &Overrides::default(), &around) {
        Ok(settings) => assert_hidden(&format!("{settings:?}")),
        Err(problems) => {
            assert!(problems.iter().count() > 0, "refused without a reason");
            for problem in problems.iter() {
                let line = problem.to_string();
                assert!(!line.chars().any(char::is_control), "not one line: {line:?}");
                assert_hidden(&line);
            }
            assert_hidden(&format!("{problems:?}"));
        }
    }
}

fn assert_hidden(text: &str) {
    assert!(!text.contains(SECRET), "the secret is shown: {text:?}");
}

/// A folder with a file; on a disk in memory where there is one, since it is written with every input.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.expect("a folder")
});

#[cfg(unix)]
fn os_string(bytes: &[u8]) -> OsString {
    use std::os::unix::ffi::OsStringExt as _;
    OsString::from_vec(bytes.to_vec())
}

#[cfg(not(unix))]
fn os_string(bytes: &[u8]) -> OsString {
    String::from_utf8_lossy(bytes).into_owned().into()
}
