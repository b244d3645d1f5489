//! From the text of a setting to its meaning: pure functions, one a kind of value.
//!
//! An error is what is wrong and what to do; the place is added by the caller, who knows it.

use std::net::SocketAddr;
use std::time::Duration;

use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Url};

use super::problem::nearest;
use super::{Backfill, LogFormat, Verbosity};
use crate::kind::SessionKind;
use crate::kinds::{self, KINDS};

/// A value, or what is wrong with it and what to do.
pub(super) type Parsed<T> = Result<T, (String, String)>;

fn wrong<T>(what: impl Into<String>, mend: impl Into<String>) -> Parsed<T> {
    Err((what.into(), mend.into()))
}

/// Long enough for any history, short enough that no date arithmetic can overflow.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 86_400);

/// Fewer days could be deleted and read again for ever.
const LEAST_KEPT: TimeDelta = TimeDelta::days(92);

/// How a value is quoted in a problem: a pasted page should not fill the screen.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(60) {
        None => format!("\"{text}\""),
        Some((end, _)) => format!("\"{}…\"", &text[..end]),
    }
}

pub(super) fn page_size(text: &str) -> Parsed<u32> {
    match text.trim().parse::<u32>() {
        Ok(size @ 1..=10_000) => Ok(size),
        _ => wrong(format!("the page size is {}", quoted(text)), "give a number from 1 to 10000"),
    }
}

/// A span of time with its unit.
fn duration(text: &str, example: &str) -> Parsed<Duration> {
    let text = text.trim();
    let mend = || format!("give a number with a unit (s, m, h, d), such as {example}");
    match humantime::parse_duration(text) {
        Ok(length) if length <= LONGEST => Ok(length),
        Ok(_) => wrong(format!("{} is longer than 100 years", quoted(text)), mend()),
        Err(_) => wrong(format!("{} is no span of time", quoted(text)), mend()),
    }
}

fn delta(text: &str, example: &str) -> Parsed<TimeDelta> {
    let length = duration(text, example)?;
    Ok(TimeDelta::from_std(length).expect("at most 100 years, which fit"))
}

pub(super) fn interval(text: &str) -> Parsed<Duration> {
    match duration(text, "60s")? {
        length if length < Duration::from_secs(1) => {
            wrong(format!("an interval of {} is too short", quoted(text)), "give at least 1s")
        }
        length => Ok(length),
    }
}

pub(super) fn overlap(text: &str) -> Parsed<TimeDelta> {
    delta(text, "2h")
}

pub(super) fn backfill(text: &str) -> Parsed<Backfill> {
    if text.trim().eq_ignore_ascii_case("all") {
        return Ok(Backfill::All);
    }
    let (what, mend) = match delta(text, "90d") {
        Ok(length) => return Ok(Backfill::For(length)),
        Err(error) => error,
    };
    wrong(what, format!("{mend}, or all"))
}

/// How long rows are kept. What Enterprise Manager still has, by default, is not worth deleting before it does.
pub(super) fn keep(text: &str) -> Parsed<Option<TimeDelta>> {
    if text.trim().eq_ignore_ascii_case("forever") {
        return Ok(None);
    }
    match delta(text, "7y") {
        Ok(length) if length >= LEAST_KEPT => Ok(Some(length)),
        Ok(_) => wrong(
            format!("{} is less than the 13 weeks for which Enterprise Manager itself keeps sessions", quoted(text)),
            "give at least 92d, or forever",
        ),
        Err((what, mend)) => wrong(what, format!("{mend}, or forever")),
    }
}

/// An account of the page: `user:password`.
pub(super) fn basic_auth(text: SecretString) -> Parsed<SecretString> {
    match text.expose_secret().split_once(':') {
        Some((user, password)) if !user.is_empty() && !password.is_empty() => Ok(text),
        _ => wrong("the file holds no user:password", "write it as one line, such as operator:PASSWORD"),
    }
}

pub(super) fn kind(text: &str) -> Parsed<&'static SessionKind> {
    if let Some(kind) = kinds::kind(text.trim()) {
        return Ok(kind);
    }
    let names = || KINDS.iter().map(|kind| kind.name);
    let mend = match nearest(text, names()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("the kinds are: {}", names().collect::<Vec<_>>().join(", ")),
    };
    wrong(format!("there is no session type {}", quoted(text)), mend)
}

pub(super) fn listen(text: &str) -> Parsed<SocketAddr> {
    text.trim().parse().or_else(|_| {
        wrong(
            format!("{} is no address to listen on", quoted(text)),
            "give IP:PORT, such as 127.0.0.1:9399 or [::1]:9399",
        )
    })
}

pub(super) fn log_format(text: &str) -> Parsed<LogFormat> {
    match text.trim().to_ascii_lowercase().as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => wrong(format!("there is no log format {}", quoted(text)), "give text or json"),
    }
}

pub(super) fn verbosity(text: &str) -> Parsed<Verbosity> {
    match text.trim().to_ascii_lowercase().as_str() {
        "error" => Ok(Verbosity::Error),
        "warn" => Ok(Verbosity::Warn),
        "info" => Ok(Verbosity::Info),
        "debug" => Ok(Verbosity::Debug),
        "trace" => Ok(Verbosity::Trace),
        _ => wrong(format!("there is no log level {}", quoted(text)), "give error, warn, info, debug or trace"),
    }
}

pub(super) fn directives(text: &str) -> Parsed<String> {
    // The parser of the library panics on some texts of other letters; names of modules have none.
    if !text.is_ascii() {
        return wrong("this is no log filter: it holds other letters than ASCII's", "write it like info,vemsync=debug");
    }
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => wrong(format!("this is no log filter: {error}"), "write it like info,vemsync=debug"),
    }
}

pub(super) fn boolean(text: &str) -> Parsed<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => wrong(format!("{} is neither true nor false", quoted(text)), "give true or false"),
    }
}

/// A name is a label of logs, metrics and rows: something one can type.
pub(super) fn manager_name(text: &str) -> Parsed<String> {
    let usable =
        !text.is_empty() && text.chars().count() <= 100 && text.trim() == text && !text.chars().any(char::is_control);
    if usable {
        return Ok(text.to_owned());
    }
    wrong(
        format!("{} cannot name an Enterprise Manager", quoted(text)),
        "give 1 to 100 characters, without spaces around them and without control characters",
    )
}

/// What HTTP's Basic authentication can carry as a user name.
pub(super) fn username(text: &str) -> Parsed<String> {
    if text.is_empty() {
        return wrong("the username is empty", "give the account, such as 'EXAMPLE\\svc-vemsync'");
    }
    if text.contains(':') {
        return wrong(
            "the username contains a colon",
            "use another account: HTTP Basic logon cannot carry a colon in it",
        );
    }
    if text.chars().any(char::is_control) {
        return wrong(
            "the username contains a control character",
            "in a TOML file, write a backslash as \\\\, or the name in single quotes: 'EXAMPLE\\svc'",
        );
    }
    Ok(text.to_owned())
}

/// The address of an Enterprise Manager, as the base that ends in `/api/`. What was written is never repeated in a
/// problem: it may hold a password.
pub(super) fn manager_url(text: &str) -> Parsed<Url> {
    const EXAMPLE: &str = "write it like https://em.example:9398";
    let mut url = match Url::parse(text.trim()) {
        Ok(url) => url,
        Err(error) => return wrong(format!("the url is not one: {error}"), EXAMPLE),
    };
    if !matches!(url.scheme(), "http" | "https") {
        return wrong("the url does not begin with https://", EXAMPLE);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("the url holds a user name or a password", "take them out: give username and password_file");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("the url has a query (?…) or a fragment (#…)", EXAMPLE);
    }
    let path = url.path().trim_end_matches('/');
    let base = match path.strip_suffix("/api").or_else(|| path.is_empty().then_some("")) {
        Some(before) => format!("{before}/api/"),
        None => return wrong("the url has a path that does not end in /api", EXAMPLE),
    };
    url.set_path(&base);
    Ok(url)
}

/// Whether what is sent there cannot leave this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => {
            address.is_loopback() || address.to_ipv4_mapped().is_some_and(|address| address.is_loopback())
        }
        None => false,
    }
}

/// A certificate's SHA-256, in hexadecimal digits of any case, with colons or spaces, also as openssl prints it
/// (`sha256 Fingerprint=AA:BB:…`).
pub(super) fn fingerprint(text: &str) -> Parsed<[u8; 32]> {
    const MEND: &str = "give the 64 hexadecimal digits that `openssl x509 -noout -fingerprint -sha256` prints";
    let after = text.rsplit('=').next().unwrap_or_default();
    let digits: Vec<char> = after.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
    if digits.len() != 64 {
        let sha1 = if digits.len() == 40 { " (this is as long as a SHA-1)" } else { "" };
        return wrong(format!("the fingerprint has {} digits instead of 64{sha1}", digits.len()), MEND);
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let (Some(high), Some(low)) = (pair[0].to_digit(16), pair[1].to_digit(16)) else {
            return wrong("the fingerprint holds something else than hexadecimal digits", MEND);
        };
        *byte = u8::try_from(high * 16 + low).expect("two hexadecimal digits are at most 255");
    }
    Ok(bytes)
}
