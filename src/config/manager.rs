//! The Enterprise Managers: each section of the file, or the one that flags and variables describe.

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::file::{MANAGER_SECTION, Manager, Section};
use super::layers::{Given, Layers};
use super::problem::Place;
use super::{Need, secret, value};

/// The name of the only Enterprise Manager when none is given.
const DEFAULT_NAME: &str = "default";

/// One Enterprise Manager: how to reach it, whom to trust, and as whom to log on.
#[derive(Debug, Clone)]
pub struct ManagerSettings {
    /// The name under which its rows, marks and metrics stand.
    pub name: String,
    /// The base of all requests, ending in `/api/`.
    pub url: Url,
    /// The account, `DOMAIN\user` or `HOST\user`.
    pub username: String,
    /// Its password.
    pub password: SecretString,
    /// Certificates of authorities to trust, PEM, in place of those of the system.
    pub ca_file: Option<PathBuf>,
    /// SHA-256 of the server's certificates to accept: none, one, or two during a rotation.
    pub certificate_sha256: Vec<[u8; 32]>,
    /// Accept any certificate.
    pub insecure: bool,
    /// Accept `http://` to another machine.
    pub allow_plain_http: bool,
    /// The account for failover actions, where it is another one.
    pub failover: Option<Credentials>,
}

impl ManagerSettings {
    /// Whether all of it is as in the other, passwords too.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let account = |of: &Option<Credentials>| {
            of.as_ref().map(|of| (of.username.clone(), of.password.expose_secret().to_owned()))
        };
        let rest = |of: &Self| {
            let flags = (of.insecure, of.allow_plain_http);
            (of.name.clone(), of.url.clone(), of.ca_file.clone(), of.certificate_sha256.clone(), flags)
        };
        let own = |of: &Self| (of.username.clone(), of.password.expose_secret().to_owned());
        rest(self) == rest(other) && own(self) == own(other) && account(&self.failover) == account(&other.failover)
    }

    /// An Enterprise Manager that is reached with an account and nothing else set.
    #[must_use]
    pub fn new(name: &str, url: Url, username: &str, password: SecretString) -> Self {
        Self {
            name: name.to_owned(),
            url,
            username: username.to_owned(),
            password,
            ca_file: None,
            certificate_sha256: Vec::new(),
            insecure: false,
            allow_plain_http: false,
            failover: None,
        }
    }
}

/// An account and its password.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The account.
    pub username: String,
    /// Its password.
    pub password: SecretString,
}

/// Every Enterprise Manager, or none unless the command needs one: what it then takes to use one (password and
/// certificate files) is not opened, so that `status` works for an account that may not read them.
pub(super) fn read(layers: &mut Layers<'_>, need: Need) -> Vec<ManagerSettings> {
    let own = Own::gather(layers);
    let sections = std::mem::take(&mut layers.file.managers);
    if sections.is_empty() {
        if own.places().is_empty() {
            if need == Need::Manager {
                layers.problems.add(
                    &Place::Settings,
                    "no Enterprise Manager is configured",
                    "give --url, --username and --password-file, or write a file with `vemsync init`",
                );
            }
            return Vec::new();
        }
        return one(layers, need, None, own).into_iter().collect();
    }
    let mut names = Vec::new();
    let alone = sections.len() == 1;
    for section in &sections {
        match section.keys.one("name") {
            Some(given) => names.push(given),
            None if alone => {}
            None => layers.problems.add(
                &section.keys.at,
                "this Enterprise Manager has no name, and it is not the only one",
                "add a name: rows, marks and metrics stand under it",
            ),
        }
    }
    for (i, given) in names.iter().enumerate() {
        // Compared without case, since names are typed on command lines.
        if names[..i].iter().any(|other| other.text.to_lowercase() == given.text.to_lowercase()) {
            let what = format!("there is another Enterprise Manager named {}", given.text);
            layers.problems.add(&given.place, what, "give each its own name");
        }
    }
    if alone {
        return one(layers, need, sections.first(), own).into_iter().collect();
    }
    for place in own.places() {
        layers.problems.add(
            &place,
            format!("the file has {} Enterprise Managers, and this does not say which one it is for", sections.len()),
            format!("set it in the file, below its [[{MANAGER_SECTION}]]"),
        );
    }
    sections.iter().filter_map(|section| one(layers, need, Some(section), Own::default())).collect()
}

/// What flags and variables say about the only Enterprise Manager, flag first.
#[derive(Default)]
struct Own {
    url: [Option<Given>; 2],
    username: [Option<Given>; 2],
    password: Option<Password>,
    ca_file: [Option<Given>; 2],
    certificates: [Vec<Given>; 2],
    insecure: [Option<Given>; 2],
    failover_username: Option<Given>,
    failover_password_file: Option<Given>,
}

enum Password {
    File(Given),
    Text(Given),
}

impl Own {
    fn gather(layers: &mut Layers<'_>) -> Self {
        let flags = layers.overrides;
        let password = match (
            Layers::flag("--password-file", flags.password_file.as_ref()),
            layers.variable("VEMSYNC_PASSWORD_FILE"),
            layers.variable("VEMSYNC_PASSWORD"),
        ) {
            (Some(file), _, _) | (None, Some(file), None) => Some(Password::File(file)),
            (None, None, Some(text)) => Some(Password::Text(text)),
            (None, Some(file), Some(text)) => {
                let mend = "unset it, or VEMSYNC_PASSWORD_FILE";
                layers.problems.add(&text.place, "the password is given twice, also by VEMSYNC_PASSWORD_FILE", mend);
                Some(Password::File(file))
            }
            (None, None, None) => None,
        };
        let url = flags.url.as_ref().map(|url| Given::flag("--url", url.expose_secret()));
        let certificates = flags.certificate_sha256.iter();
        Self {
            url: [url, layers.variable("VEMSYNC_URL")],
            username: [Layers::flag("--username", flags.username.as_ref()), layers.variable("VEMSYNC_USERNAME")],
            password,
            ca_file: [Layers::flag("--ca-file", flags.ca_file.as_ref()), layers.variable("VEMSYNC_CA_FILE")],
            certificates: [
                certificates.map(|text| Given::flag("--certificate-sha256", text)).collect(),
                layers.variable("VEMSYNC_CERTIFICATE_SHA256").into_iter().collect(),
            ],
            insecure: [flags.insecure.then(|| Given::flag("--insecure", "true")), layers.variable("VEMSYNC_INSECURE")],
            failover_username: layers.variable("VEMSYNC_FAILOVER_USERNAME"),
            failover_password_file: layers.variable("VEMSYNC_FAILOVER_PASSWORD_FILE"),
        }
    }

    fn places(&self) -> Vec<Place> {
        let password = self.password.iter().map(|password| match password {
            Password::File(given) | Password::Text(given) => given,
        });
        let single = [&self.url, &self.username, &self.ca_file, &self.insecure];
        let mut places: Vec<Place> = Vec::new();
        let all = single.into_iter().flatten().flatten().chain(password).chain(self.certificates.iter().flatten());
        let all = all.chain(&self.failover_username).chain(&self.failover_password_file);
        for given in all {
            if !places.contains(&given.place) {
                places.push(given.place.clone());
            }
        }
        places
    }
}

fn one(layers: &mut Layers<'_>, need: Need, section: Option<&Manager>, own: Own) -> Option<ManagerSettings> {
    let keys = section.map(|section| &section.keys);
    let text = |key: &str| keys.and_then(|keys| keys.one(key));
    if need == Need::Manager {
        // A value that is given but wrong is a problem of its own: only what stands nowhere is missing.
        let nowhere = |key: &str| !keys.is_some_and(|keys| keys.has(key));
        let given = |candidates: &[Option<Given>]| candidates.iter().any(Option::is_some);
        for (key, is_missing) in [
            ("url", nowhere("url") && !given(&own.url)),
            ("username", nowhere("username") && !given(&own.username)),
            ("password_file", nowhere("password_file") && own.password.is_none()),
        ] {
            if is_missing {
                missing(layers, keys.map(|keys| &keys.at), key);
            }
        }
    }

    let name = layers.pick([text("name")], value::manager_name);
    let [flag, variable] = own.url;
    let url = layers.pick([flag, variable, text("url")], value::manager_url);
    let allow_plain_http = layers.pick([text("allow_plain_http")], value::boolean).is_some_and(|(allowed, _)| allowed);
    if let Some((url, place)) = &url
        && url.scheme() == "http"
        && !allow_plain_http
        && !value::is_loopback(url)
    {
        layers.problems.add(
            place,
            "plain http:// would send the password readable through the network",
            format!("use https://, or set allow_plain_http = true below [[{MANAGER_SECTION}]] in the file"),
        );
    }
    let [flag, variable] = own.username;
    let username = layers.pick([flag, variable, text("username")], value::username);
    let [flag, variable] = own.insecure;
    let insecure =
        layers.pick([flag, variable, text("insecure")], value::boolean).is_some_and(|(insecure, _)| insecure);
    let in_file = keys.map(|keys| keys.all("certificate_sha256")).unwrap_or_default();
    let [flags, variable] = own.certificates;
    let certificate_sha256 = certificates(layers, [flags, variable, in_file]);
    let [flag, variable] = own.ca_file;
    let ca_file = flag.or(variable).or_else(|| text("ca_file")).map(|given| (layers.path(&given), given.place));
    let password = own.password.or_else(|| text("password_file").map(Password::File));
    let section = section.and_then(|section| section.failover.as_ref());
    let failover = credentials(layers, need, section, own.failover_username, own.failover_password_file);

    if need != Need::Manager {
        return None;
    }
    if let Some((path, place)) = &ca_file
        && let Err(error) = fs::File::open(path).and_then(|mut file| file.read(&mut [0]))
    {
        let what = format!("the certificate file {} cannot be read: {error}", path.display());
        layers.problems.add(place, what, "correct the path, or let this account read it");
    }
    let password = password.and_then(|password| open(layers, &password));
    Some(ManagerSettings {
        name: name.map_or_else(|| DEFAULT_NAME.to_owned(), |(name, _)| name),
        url: url?.0,
        username: username?.0,
        password: password?,
        ca_file: ca_file.map(|(path, _)| path),
        certificate_sha256,
        insecure,
        allow_plain_http,
        failover,
    })
}

fn missing(layers: &mut Layers<'_>, section: Option<&Place>, key: &str) {
    let (flag, variable, example) = match key {
        "url" => ("--url", "VEMSYNC_URL", "\"https://em.example:9398\""),
        "username" => ("--username", "VEMSYNC_USERNAME", "'EXAMPLE\\svc-vemsync'"),
        _ => ("--password-file", "VEMSYNC_PASSWORD_FILE", "\"vemsync.password\""),
    };
    match section {
        Some(at) => {
            layers.problems.add(at, format!("this Enterprise Manager has no {key}"), format!("add {key} = {example}"));
        }
        None => layers.problems.add(
            &Place::Settings,
            format!("the Enterprise Manager has no {key}"),
            format!("give {flag} {example}, or set {variable}"),
        ),
    }
}

/// The fingerprints of the strongest place that gives any.
fn certificates(layers: &mut Layers<'_>, places: [Vec<Given>; 3]) -> Vec<[u8; 32]> {
    let mut strongest = None;
    for given in places {
        let Some(first) = given.first() else { continue };
        let place = first.place.clone();
        let mut fingerprints = Vec::new();
        for given in &given {
            // A variable holds both in one text.
            for text in given.text.split([',', ';']) {
                match value::fingerprint(text) {
                    Ok(fingerprint) if fingerprints.contains(&fingerprint) => {}
                    Ok(fingerprint) => fingerprints.push(fingerprint),
                    Err((what, mend)) => layers.problems.add(&given.place, what, mend),
                }
            }
        }
        if fingerprints.len() > 2 {
            let what = format!("{} certificates are pinned", fingerprints.len());
            layers.problems.add(&place, what, "give one, or two during a rotation");
        }
        strongest = strongest.or(Some(fingerprints));
    }
    strongest.unwrap_or_default()
}

/// The account for failover actions, where one is given: by variables, or in a section of its own.
fn credentials(
    layers: &mut Layers<'_>,
    need: Need,
    section: Option<&Section>,
    username: Option<Given>,
    password_file: Option<Given>,
) -> Option<Credentials> {
    if let (Some(given), None) | (None, Some(given)) = (&username, &password_file)
        && section.is_none()
    {
        let what = "half an account for failover actions".to_owned();
        let mend = "set both VEMSYNC_FAILOVER_USERNAME and VEMSYNC_FAILOVER_PASSWORD_FILE, or neither";
        layers.problems.add(&given.place, what, mend);
        return None;
    }
    for (key, given) in [("username", &username), ("password_file", &password_file)] {
        if let Some(section) = section.filter(|section| !section.has(key) && given.is_none()) {
            let what = format!("[{MANAGER_SECTION}.failover] has no {key}");
            layers.problems.add(&section.at, what, "give both username and password_file, or remove the section");
        }
    }
    let in_section = |key: &str| section.and_then(|section| section.one(key));
    let username = layers.pick([username, in_section("username")], value::username);
    if need != Need::Manager {
        return None;
    }
    let file = password_file.or_else(|| in_section("password_file"));
    let password = file.and_then(|given| open(layers, &Password::File(given)));
    Some(Credentials { username: username?.0, password: password? })
}

fn open(layers: &mut Layers<'_>, password: &Password) -> Option<SecretString> {
    let (read, place) = match password {
        Password::File(given) => (layers.password(given), &given.place),
        Password::Text(given) => (secret::usable(&given.text), &given.place),
    };
    match read {
        Ok(password) => Some(password),
        Err((what, mend)) => {
            layers.problems.add(place, what, mend);
            None
        }
    }
}
