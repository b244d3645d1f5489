//! The small parts of which pages are put together: tables, moments, words with a colour.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use maud::{Markup, html};

use crate::health::span;
use crate::report::form::{class, clean, value};
use crate::report::{Tone, Unit};
use crate::store::Cell;

/// Rows under a head, in a box of their own that scrolls where it has to. `numbers` are columns that stand to the right.
#[expect(clippy::needless_pass_by_value, reason = "markup is made where a table is asked for")]
pub(super) fn frame(title: &str, head: &[&str], numbers: &[usize], rows: Markup) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(title) {
            table {
                caption { (title) }
                thead {
                    tr { @for (at, name) in head.iter().enumerate() { th class=[numbers.contains(&at).then_some("number")] scope="col" { (name) } } }
                }
                tbody { (rows) }
            }
        }
    }
}

/// A word with a colour, and with a sign for those who do not see that.
pub(super) fn pill(tone: Tone, words: &str) -> Markup {
    let (sign, _) = sign(tone);
    html! {
        span.pill.(class(tone)) {
            @if tone > Tone::Plain { span aria-hidden="true" { (sign) " " } }
            (clean(words))
        }
    }
}

/// The name of a session type, which may be broken before its last word.
pub(super) fn kind(name: &str) -> Markup {
    match name.strip_suffix("Session") {
        Some(stem) => html! { (stem) wbr; "Session" },
        None => html! { (name) },
    }
}

/// A result as the API spells it.
pub(super) fn result(result: &str) -> Markup {
    pill(value::tone(&Cell::Text(result.to_owned()), Unit::Result), result)
}

/// What a colour says: as a sign, and in words.
pub(super) const fn sign(tone: Tone) -> (&'static str, &'static str) {
    match tone {
        Tone::Plain => ("•", "for your information"),
        Tone::Good => ("✓", "good"),
        Tone::Warning => ("!", "to be looked at"),
        Tone::Bad => ("✕", "to be mended"),
    }
}

pub(super) fn count(count: i64) -> String {
    value::text(&Cell::Int(count), Unit::Count, Tz::UTC)
}

/// A moment, in UTC.
pub(super) fn moment(at: DateTime<Utc>) -> Markup {
    html! { time datetime=(at.format("%Y-%m-%dT%H:%M:%SZ")) { (at.format("%Y-%m-%d %H:%M")) " UTC" } }
}

pub(super) fn maybe_moment(at: Option<DateTime<Utc>>) -> Markup {
    html! { @if let Some(at) = at { time datetime=(at.format("%Y-%m-%dT%H:%M:%SZ")) { (at.format("%Y-%m-%d %H:%M")) } } @else { "–" } }
}

/// How long ago it was.
pub(super) fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    html! { time datetime=(at.format("%Y-%m-%dT%H:%M:%SZ")) title=(at.format("%Y-%m-%d %H:%M:%S UTC")) { (span(now - at)) " ago" } }
}

/// How long it has been so.
pub(super) fn lasting(since: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    html! { time datetime=(since.format("%Y-%m-%dT%H:%M:%SZ")) title=(since.format("since %Y-%m-%d %H:%M:%S UTC")) { (span(now - since)) } }
}
