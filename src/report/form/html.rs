//! A report as one HTML file that needs nothing else: for the browser, for the wall, and printed as PDF.
//!
//! No script and no attribute with style in it, so that a web page may show the same parts under a strict policy.

use std::borrow::Cow;
use std::io::{self, Write};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{chart, read_until, value};
use crate::report::{Body, Column, Figure, Report, Section, Table, Target, Tone, Unit};
use crate::store::Cell;

/// The style sheet of [`page`], which stands in the page itself.
pub const STYLE: &str = include_str!("style.css");

/// A table with more columns is printed across the paper. A message needs room for three.
const MOST_UPRIGHT: usize = 7;

/// Writes a report as one HTML file.
///
/// # Errors
/// What `out` refuses.
pub fn html(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let body = html! {
        header { p.brand { "vemsync" } (head(report)) }
        main { (sections(report, &|_| None)) }
        footer #read-until { (behind(report)) }
    };
    out.write_all(page(&report.title, body).into_string().as_bytes())
}

/// A page of this title.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "markup is made where a page is asked for")]
pub fn page(title: &str, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (clean(title)) }
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    }
}

/// Where a name leads; `None` where a page has no more to say about it.
pub type Href<'a> = &'a dyn Fn(Target<'_>) -> Option<String>;

/// The sections of a report, to be put into a page.
#[must_use]
pub fn sections(report: &Report, href: Href<'_>) -> Markup {
    html! {
        (chart::patterns())
        @for section in &report.sections { (part(section, report, href)) }
    }
}

/// The heading of a report, and of which time it speaks. What is behind is told in an element of the id `read-until`.
#[must_use]
pub fn head(report: &Report) -> Markup {
    let zone = report.period.zone;
    html! {
        h1 { (clean(&report.title)) }
        dl.facts {
            div { dt { "Period" } dd { (value::period(&report.period)) } }
            div { dt { "As of" } dd { (value::time(report.period.as_of, zone)) } }
            div { dt { "Times in" } dd { (zone.name()) } }
            div {
                dt { "Data up to" }
                dd {
                    (report.freshness.read_until.map_or(value::NOTHING.to_owned(), |until| value::time(until, zone)))
                    @if !report.freshness.behind.is_empty() { " " a.warning href="#read-until" { "! not complete" } }
                }
            }
        }
    }
}

/// How current the data is, with what is behind.
#[must_use]
pub fn behind(report: &Report) -> Markup {
    html! {
        p { (read_until(report)) }
        @if !report.freshness.behind.is_empty() {
            ul { @for line in &report.freshness.behind { li { (clean(line)) } } }
        }
    }
}

fn part(section: &Section, report: &Report, href: Href<'_>) -> Markup {
    let room = |column: &Column| if column.unit == Unit::Message { 3 } else { 1 };
    let is_wide =
        matches!(&section.body, Body::Table(table) if table.columns.iter().map(room).sum::<usize>() > MOST_UPRIGHT);
    html! {
        section.wide[is_wide] id=(section.id) {
            h2 { (clean(&section.title)) }
            @if !section.note.is_empty() { p.note { (clean(&section.note)) } }
            @match &section.body {
                Body::Figures(figures) => (cards(figures, report)),
                Body::Table(table) if table.rows.is_empty() => p.empty { (table.if_empty) },
                Body::Table(rows) => (table(rows, &section.title, report, href)),
                Body::Chart(chart) => (chart::chart(chart, &section.title, report.period.zone)),
            }
        }
    }
}

fn cards(figures: &[Figure], report: &Report) -> Markup {
    html! {
        dl.cards {
            @for figure in figures {
                div.card.(chart::class(figure.tone)) {
                    dt { (clean(&figure.label)) }
                    dd { (clean(&value::text(&figure.value, figure.unit, report.period.zone))) (sign(figure.tone)) }
                }
            }
        }
    }
}

/// What the colour of a card says, for those who do not see it.
fn sign(tone: Tone) -> Markup {
    let (sign, word) = match tone {
        Tone::Plain => return html! {},
        Tone::Good => ("✓", "good"),
        Tone::Warning => ("!", "to be looked at"),
        Tone::Bad => ("✕", "to be mended"),
    };
    html! { " " span.sign role="img" aria-label=(word) { (sign) } }
}

fn table(table: &Table, title: &str, report: &Report, href: Href<'_>) -> Markup {
    // On a narrow screen messages need its whole width, and their rows become lists.
    let has_message = table.columns.iter().any(|column| column.unit == Unit::Message);
    html! {
        div.scroll.records[has_message] tabindex="0" role="region" aria-label=(clean(title)) {
            table {
                caption { (clean(title)) }
                thead {
                    tr { @for column in &table.columns { th.(class(column.unit, "")) scope="col" { (column.title) } } }
                }
                tbody {
                    @for (n, row) in table.rows.iter().enumerate() {
                        tr {
                            @for (at, (column, value)) in table.columns.iter().zip(row).enumerate() {
                                (cell(at, column, value, has_message.then_some(column.title), target(table, n, at).and_then(href), report))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What a cell names; the first cell of a row stands for the session that it is about.
fn target(table: &Table, row: usize, at: usize) -> Option<Target<'_>> {
    let cells = &table.rows[row];
    let cell = |name: &str| table.columns.iter().position(|column| column.name == name).map(|at| &cells[at]);
    let text = |name: &str| if let Some(Cell::Text(text)) = cell(name) { text } else { "" };
    let (server, session) = (text("backup_server_name"), table.sessions.get(row));
    let is_task = session.is_some_and(|(kind, _)| kind.ends_with("TaskSession"));
    match (table.columns[at].name, &cells[at]) {
        ("job_name" | "parent_name", Cell::Text(name)) => Some(Target::Job { name, server }),
        ("vm_display_name", Cell::Text(name)) => Some(Target::Machine { name, server }),
        ("object_name", Cell::Text(name)) if is_task => Some(Target::Machine { name, server }),
        ("vms", Cell::Text(name)) if cell("vm_count") == Some(&Cell::Int(1)) => Some(Target::Machine { name, server }),
        _ if at == 0 => session.map(|(kind, uid)| Target::Session { kind, uid: *uid }),
        _ => None,
    }
}

/// A cell; the first names its row where it is a name.
fn cell(
    at: usize,
    column: &Column,
    value: &Cell,
    title: Option<&str>,
    href: Option<String>,
    report: &Report,
) -> Markup {
    let text = value::text(value, column.unit, report.period.zone);
    let text = clean(&text);
    let class = class(column.unit, &text);
    let text = html! { @if let Some(href) = href { a href=(href) { (text) } } @else { (text) } };
    html! {
        @if at == 0 && column.unit == Unit::Text {
            th.(class) scope="row" data-title=[title] { (text) }
        } @else {
            td.(class) data-title=[title] {
                @if column.unit == Unit::Result && *value != Cell::Null {
                    span.pill.(chart::class(value::tone(value, column.unit))) { (text) }
                } @else {
                    (text)
                }
            }
        }
    }
}

fn class(unit: Unit, text: &str) -> &'static str {
    const SHORT: usize = 24;
    match unit {
        Unit::Message => "message",
        // Short names are not wrapped: a long one beside them would squeeze them.
        Unit::Text if text.chars().nth(SHORT).is_none() => "brief",
        Unit::Text => "text",
        unit if value::is_number(unit) => "number",
        _ => "short",
    }
}

/// Text without what has no place in HTML: controls other than the ends of lines, and marks that turn the direction of
/// text, with which `exe.png` is written for `gnp.exe`.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    let is_unfit = |c: char| {
        let is_turn = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        is_turn || (c.is_control() && c != '\n' && c != '\t')
    };
    if text.contains(is_unfit) { text.replace(is_unfit, "\u{fffd}").into() } else { text.into() }
}
