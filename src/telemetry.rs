//! Logs: to standard error, as text or JSON, with every field made safe to print.
//!
//! Names in fields come from a server that we do not control. A job's name with an escape sequence or a line break in
//! it must neither reach a terminal nor forge a line, so fields are escaped here, once, for every message.

use std::fmt;
use std::io::{self, IsTerminal as _, Write};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{FormatFields, Writer};
use tracing_subscriber::fmt::{MakeWriter, layer};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::{LogFormat, LogSettings, Verbosity};
use crate::escape;

/// Sends the program's logs to standard error from here on.
///
/// # Errors
/// When logs go somewhere already.
pub fn init(settings: &LogSettings) -> Result<(), TryInitError> {
    let ansi = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::registry().with(formatted(settings.format, ansi, io::stderr)).with(filter(settings)).try_init()
}

/// What everything is logged in that concerns one Enterprise Manager, so that the lines of several can be told apart.
#[must_use]
pub fn manager(name: &str) -> tracing::Span {
    // At this level it is there however little is logged.
    tracing::error_span!("manager", em = name)
}

/// What passes: `RUST_LOG`, or what vemsync itself says at its verbosity and the warnings of libraries.
fn filter(settings: &LogSettings) -> EnvFilter {
    // What sqlx warns of (a slow statement, a lost connection) comes back as an error that is printed once.
    let own = match settings.verbosity {
        Verbosity::Error => "error",
        Verbosity::Warn => "warn,sqlx=error,vemsync=warn",
        Verbosity::Info => "warn,sqlx=error,vemsync=info",
        Verbosity::Debug => "warn,sqlx=error,vemsync=debug",
        Verbosity::Trace => "warn,sqlx=error,vemsync=trace",
    };
    // The settings hold only a filter that was tried; lossy parsing drops nothing of it.
    EnvFilter::builder().parse_lossy(settings.directives.as_deref().unwrap_or(own))
}

fn formatted<W>(format: LogFormat, ansi: bool, writer: W) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // Internal errors would be printed to standard error, which is what failed: that print panics.
    match format {
        LogFormat::Text => {
            Box::new(layer().with_ansi(ansi).log_internal_errors(false).with_writer(writer).fmt_fields(EscapedFields))
        }
        LogFormat::Json => {
            Box::new(layer().json().flatten_event(true).log_internal_errors(false).with_writer(EscapedJson(writer)))
        }
    }
}

/// Fields as `message name=value …`, escaped, an error with all of its causes.
struct EscapedFields;

impl<'w> FormatFields<'w> for EscapedFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut visitor = FieldWriter { writer, is_first: true, result: Ok(()) };
        fields.record(&mut visitor);
        visitor.result
    }
}

struct FieldWriter<'w> {
    writer: Writer<'w>,
    is_first: bool,
    result: fmt::Result,
}

impl FieldWriter<'_> {
    fn write(&mut self, field: &Field, text: &str) {
        // Bridged records of the `log` crate carry their origin in fields that only repeat the head of the line.
        if self.result.is_err() || field.name().starts_with("log.") {
            return;
        }
        let gap = if std::mem::take(&mut self.is_first) { "" } else { " " };
        let text = escape::control(text);
        self.result = match field.name() {
            "message" => write!(self.writer, "{gap}{text}"),
            name => write!(self.writer, "{gap}{name}={text}"),
        };
    }
}

impl Visit for FieldWriter<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.write(field, value);
        } else {
            self.write(field, &format!("{value:?}"));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        self.write(field, &text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write(field, &format!("{value:?}"));
    }
}

/// JSON needs only C0 controls escaped; terminals obey DEL and C1 as well.
struct EscapedJson<W>(W);

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for EscapedJson<W> {
    type Writer = EscapedJson<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        EscapedJson(self.0.make_writer())
    }
}

impl<W: Write> Write for EscapedJson<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let is_bare = |c: char| c.is_control() && !c.is_ascii_control() || c == '\u{7f}';
        if text.contains(is_bare) {
            let mut escaped = String::with_capacity(text.len() + 8);
            for c in text.chars() {
                if is_bare(c) {
                    escaped.push_str(&format!("\\u{:04x}", u32::from(c)));
                } else {
                    escaped.push(c);
                }
            }
            self.0.write_all(escaped.as_bytes())?;
        } else {
            self.0.write_all(line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("the page was refused")]
    struct Refused(#[source] io::Error);

    fn logged(format: LogFormat, verbosity: Verbosity, directives: Option<&str>, act: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let settings = LogSettings { format, verbosity, directives: directives.map(str::to_owned) };
        let subscriber = tracing_subscriber::registry()
            .with(formatted(format, false, move || writer.clone()))
            .with(filter(&settings));
        tracing::subscriber::with_default(subscriber, act);
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_name_can_neither_forge_a_line_nor_reach_the_terminal() {
        let name = "job\n2026-01-01 ERROR \u{1b}[31m\u{9b}2J";
        for format in [LogFormat::Text, LogFormat::Json] {
            let text = logged(format, Verbosity::Info, None, || {
                let span = tracing::info_span!("pass", em = %name);
                let _entered = span.enter();
                tracing::info!(job = name, shown = %name, "read {name}");
            });
            assert_eq!(text.matches('\n').count(), 1, "{text:?}");
            assert!(!text.trim_end().chars().any(char::is_control), "{text:?}");
            assert!(text.contains("\\n2026-01-01 ERROR"), "{text:?}");
        }
    }

    #[test]
    fn an_error_is_logged_with_its_causes() {
        let text = logged(LogFormat::Text, Verbosity::Info, None, || {
            let error = Refused(io::Error::other("reset by peer"));
            tracing::warn!(error = &error as &dyn std::error::Error, attempt = 2, "will try again");
        });
        assert!(text.ends_with("will try again error=the page was refused: reset by peer attempt=2\n"), "{text}");
    }

    #[test]
    fn libraries_are_heard_only_when_they_warn() {
        let speak = || {
            tracing::info!(target: "sqlx", "library info");
            tracing::warn!(target: "hyper", "library warning");
            tracing::debug!(target: "vemsync::sync", "own debug");
            tracing::info!(target: "vemsync::sync", "own info");
        };
        for (verbosity, directives, heard) in [
            (Verbosity::Error, None, &[][..]),
            (Verbosity::Info, None, &["library warning", "own info"]),
            (Verbosity::Debug, None, &["library warning", "own debug", "own info"]),
            (Verbosity::Info, Some("sqlx=info,hyper=info"), &["library info", "library warning"]),
        ] {
            let text = logged(LogFormat::Text, verbosity, directives, speak);
            let all = ["library info", "library warning", "own debug", "own info"];
            let found: Vec<_> = all.into_iter().filter(|message| text.contains(message)).collect();
            assert_eq!(found, heard, "{verbosity:?} {directives:?}");
        }
    }
}
