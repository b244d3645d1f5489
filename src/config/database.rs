//! The database's address: which kind of database it is, and a form of it that can be shown.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::layers::Layers;
use super::problem::{Place, Problem};
use super::value::Parsed;
use super::{Need, secret};

/// Where a sync writes when nothing else is said.
pub(super) const DEFAULT_URL: &str = "sqlite:vemsync.db";

/// Where the rows go.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// The address with its password: `sqlite:/absolute/path` or `postgres://…`.
    pub url: SecretString,
    /// The address as it may be shown: a password reads `***`.
    pub display: String,
    /// The kind of database.
    pub backend: Backend,
}

/// The kind of database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    /// A SQLite file.
    Sqlite {
        /// The file, absolute.
        path: PathBuf,
    },
    /// A Postgres server.
    Postgres,
}

impl DatabaseSettings {
    /// Reads an address. A relative SQLite path begins in `folder`.
    ///
    /// # Errors
    /// A problem at `place`, whose text does not repeat the address, since it may hold a password.
    pub fn from_url(url: &str, folder: &Path, place: Place) -> Result<Self, Problem> {
        match parse(url) {
            Ok(address) => Ok(address.settle(folder)),
            Err((what, mend)) => Err(Problem::new(place, what, mend)),
        }
    }

    /// Reads an address whose password stands in a file. Relative paths begin in `folder`.
    ///
    /// # Errors
    /// A problem at `place`, whose text holds no password.
    pub fn with_password_file(url: &str, file: &Path, folder: &Path, place: Place) -> Result<Self, Problem> {
        let address = parse(url).and_then(|mut address| {
            address.read_password(|| secret::read(&folder.join(file), None))?;
            Ok(address)
        });
        match address {
            Ok(address) => Ok(address.settle(folder)),
            Err((what, mend)) => Err(Problem::new(place, what, mend)),
        }
    }
}

/// The settings of `[database]`, the flag and the variable.
pub(super) fn read(layers: &mut Layers<'_>, need: Need) -> DatabaseSettings {
    let in_file = layers.file.one("database", "url");
    let file_has_url = in_file.is_some();
    let flag =
        layers.overrides.database.as_ref().map(|url| super::layers::Given::flag("--database", url.expose_secret()));
    let variable = layers.variable("VEMSYNC_DATABASE_URL");
    let (mut address, place) = layers
        .pick([flag, variable, in_file], parse)
        .unwrap_or_else(|| (parse(DEFAULT_URL).expect("the default is an address"), Place::Settings));

    if let Some(given) = layers.file.one("database", "password_file") {
        // A password belongs to the address beside it: it does not follow when a flag or a variable names another.
        let belongs = !file_has_url || matches!(place, Place::File { .. });
        let read = match &address {
            _ if !belongs => Ok(()),
            Address::Sqlite(_) if !file_has_url => Ok(()),
            Address::Postgres(url) if has_password(url) && !file_has_url => Ok(()),
            // Nobody asks for the password.
            Address::Postgres(url) if !has_password(url) && need == Need::Nothing => Ok(()),
            Address::Sqlite(_) | Address::Postgres(_) => address.read_password(|| layers.password(&given)),
        };
        if let Err((what, mend)) = read {
            layers.problems.add(&given.place, what, mend);
        }
    }
    // The default lies beside the file, as if it were written there: not in whatever folder a command is called from.
    let folder = if place == Place::Settings { layers.file.folder.clone() } else { layers.folder(&place) };
    address.settle(&folder)
}

enum Address {
    Sqlite(PathBuf),
    Postgres(Url),
}

impl Address {
    /// Adds the password that a file holds.
    fn read_password(&mut self, read: impl FnOnce() -> Parsed<SecretString>) -> Parsed<()> {
        match self {
            Self::Sqlite(_) => Err((
                "SQLite takes no password".to_owned(),
                "remove the password file, or give a postgres:// url".to_owned(),
            )),
            Self::Postgres(url) if has_password(url) => Err((
                "the password is given twice, in the url and in a file".to_owned(),
                "take it out of the url".to_owned(),
            )),
            Self::Postgres(url) => {
                set_password(url, &read()?);
                Ok(())
            }
        }
    }

    fn settle(self, folder: &Path) -> DatabaseSettings {
        match self {
            Self::Sqlite(path) => {
                let path: PathBuf = folder.join(path).components().collect();
                let display = format!("sqlite:{}", path.display());
                DatabaseSettings { url: display.clone().into(), display, backend: Backend::Sqlite { path } }
            }
            Self::Postgres(url) => {
                DatabaseSettings { display: masked(&url), url: String::from(url).into(), backend: Backend::Postgres }
            }
        }
    }
}

fn parse(text: &str) -> Parsed<Address> {
    let mend = || "give sqlite:PATH or postgres://USER@HOST/DATABASE".to_owned();
    let Some((scheme, rest)) = text.trim().split_once(':') else {
        return Err(("the database url has no scheme".to_owned(), mend()));
    };
    match scheme.to_ascii_lowercase().as_str() {
        "sqlite" => sqlite(rest),
        "postgres" | "postgresql" => match Url::parse(text.trim()) {
            Ok(url) if rest.starts_with("//") => Ok(Address::Postgres(url)),
            Ok(_) => Err(("the database url has no // behind its scheme".to_owned(), mend())),
            Err(error) => Err((
                format!("the database url is not one: {error}"),
                format!("{}; write / : @ # ? in a password as %2F %3A %40 %23 %3F", mend()),
            )),
        },
        scheme if scheme.len() <= 20 && scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '+') => {
            Err((format!("{scheme} is no database that vemsync writes to"), mend()))
        }
        _ => Err(("the database url has no scheme".to_owned(), mend())),
    }
}

fn sqlite(rest: &str) -> Parsed<Address> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.is_empty() {
        return Err(("the database url names no file".to_owned(), format!("give one, such as {DEFAULT_URL}")));
    }
    if path == ":memory:" {
        return Err((
            "a database in memory is lost at the end, with the marks that say how far the sync is".to_owned(),
            format!("give a file, such as {DEFAULT_URL}"),
        ));
    }
    if path.contains('?') {
        return Err((
            "parameters behind a SQLite path are not supported".to_owned(),
            "remove the ? and all behind it".to_owned(),
        ));
    }
    Ok(Address::Sqlite(PathBuf::from(path)))
}

fn is_password(key: &str) -> bool {
    key.to_ascii_lowercase().contains("password")
}

fn has_password(url: &Url) -> bool {
    url.password().is_some() || url.query_pairs().any(|(key, _)| is_password(&key))
}

/// Adds the password so that what the driver decodes is the password, whatever it is made of.
fn set_password(url: &mut Url, password: &SecretString) {
    let password = password.expose_secret();
    // `Url` escapes all that would end the password early but leaves percent signs as they are.
    let escaped = password.replace('%', "%25");
    if url.set_password(Some(&escaped)).is_err() {
        // Without a host (a socket in the query) there is no place before it.
        url.query_pairs_mut().append_pair("password", password);
    }
}

fn masked(url: &Url) -> String {
    let mut shown = url.clone();
    if url.password().is_some() {
        shown.set_password(Some("***")).expect("it has a password, so it can have this one");
    }
    if url.query_pairs().any(|(key, _)| is_password(&key)) {
        shown.query_pairs_mut().clear().extend_pairs(
            url.query_pairs().map(|(key, value)| if is_password(&key) { (key, "***".into()) } else { (key, value) }),
        );
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> DatabaseSettings {
        DatabaseSettings::from_url(url, Path::new("/data"), Place::Flag("--database")).unwrap()
    }

    #[test]
    fn sqlite_paths_begin_in_the_given_folder() {
        for (url, path) in [
            ("sqlite:vemsync.db", "/data/vemsync.db"),
            ("sqlite:./vemsync.db", "/data/vemsync.db"),
            ("sqlite://vemsync.db", "/data/vemsync.db"),
            ("sqlite:/srv/v.db", "/srv/v.db"),
            ("sqlite:///srv/v.db", "/srv/v.db"),
            ("SQLite:a b%20.db", "/data/a b%20.db"),
        ] {
            let settings = settings(url);
            assert_eq!(settings.backend, Backend::Sqlite { path: path.into() }, "{url}");
            assert_eq!(settings.display, format!("sqlite:{path}"));
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        for (url, display) in [
            ("postgres://v:hunter2@db/vemsync", "postgres://v:***@db/vemsync"),
            ("postgresql://v@db:5433/vemsync?sslmode=require", "postgresql://v@db:5433/vemsync?sslmode=require"),
            (
                "postgres:///vemsync?host=/run/postgresql&password=hunter2",
                "postgres:///vemsync?host=%2Frun%2Fpostgresql&password=***",
            ),
        ] {
            let settings = settings(url);
            assert_eq!(settings.display, display);
            assert_eq!(settings.backend, Backend::Postgres);
            assert!(settings.url.expose_secret().contains("hunter2") == url.contains("hunter2"));
            assert!(!format!("{settings:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_wrong_address_is_described_but_not_repeated() {
        for (url, what) in [
            ("hunter2.db", "has no scheme"),
            ("sqlite:", "names no file"),
            ("sqlite::memory:", "in memory"),
            ("sqlite:hunter2?mode=ro", "parameters"),
            ("mysql://u:hunter2@h/d", "mysql is no database"),
            ("u@h hunter2:x", "has no scheme"),
            ("postgres:hunter2", "no //"),
            ("postgres://u:hunter2@h:port/d", "is not one"),
        ] {
            let problem = DatabaseSettings::from_url(url, Path::new("/"), Place::Flag("--database")).unwrap_err();
            assert!(problem.what.contains(what), "{url}: {problem}");
            assert!(!problem.to_string().contains("hunter2"), "{problem}");
        }
    }

    #[test]
    fn a_password_from_a_file_survives_the_way_through_the_url() {
        let password = SecretString::from("a%41:/@#? ü");
        let mut url = Url::parse("postgres://v@db/vemsync").unwrap();
        set_password(&mut url, &password);
        assert_eq!(url.as_str(), "postgres://v:a%2541%3A%2F%40%23%3F%20%C3%BC@db/vemsync");
        let mut url = Url::parse("postgres:///vemsync?host=/run/postgresql").unwrap();
        set_password(&mut url, &password);
        assert!(url.query_pairs().any(|(key, value)| key == "password" && value == "a%41:/@#? ü"), "{url}");
    }
}
