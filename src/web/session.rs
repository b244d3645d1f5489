//! One session: all that is stored of it, what it is part of, and what was seen to change.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use maud::{Markup, html};
use uuid::Uuid;

use super::page::{self, Failure, Page, shortened};
use super::tables::{self, ago, moment};
use super::{Web, in_time, link};
use crate::kind::{Inner, SessionKind, Ty};
use crate::kinds::KINDS;
use crate::report::Unit;
use crate::report::form::{clean, value};
use crate::store::{Cell, Look, Relative, StoredSession, Transition};

/// More parts, inner rows or changes than this are not shown.
const MOST: u32 = 1000;

/// All that is shown.
struct Found {
    kind: &'static SessionKind,
    session: StoredSession,
    /// The session that it is part of, where that is stored.
    parent: Option<Relative>,
    parts: Vec<Relative>,
    inner: Vec<Vec<Cell>>,
    transitions: Vec<Transition>,
    /// The address of its job or policy, where one is known.
    job: Option<String>,
}

pub(super) async fn page(
    State(web): State<Web>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Page, Failure> {
    let Path((kind, uid)) = path?;
    let unknown = || {
        let kinds: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        Failure::NotFound(format!("There is no such type of session; there are {}.", kinds.join(", ")))
    };
    let kind = KINDS.iter().find(|known| known.name == kind).ok_or_else(unknown)?;
    let uid = page::uid(&uid)?;
    let site = web.site().ok_or(Failure::Starting)?;
    let found = in_time(async { find(&site.looks.look().await?, kind, uid).await }).await?;
    let now = site.clock.now();
    let title = format!("{} {}", kind.name, name(&found).unwrap_or_default());
    Ok(Page::new(title, main(&found, now)))
}

async fn find(look: &Look, kind: &'static SessionKind, uid: Uuid) -> Result<Found, Failure> {
    let unknown = || Failure::NotFound(format!("No {} with the UID {uid} is stored.", kind.name));
    let session = look.session(kind, uid).await?.ok_or_else(unknown)?;
    let parent = kind.parent_session.and_then(|parent| uid_of(&session, parent.link));
    let parent = match parent {
        Some(parent) => look.parent(kind, parent).await?,
        None => None,
    };
    let job = ["job_uid", "policy_uid"].iter().find_map(|column| uid_of(&session, column));
    let job = match job {
        Some(job) => look.job(job).await?.map(|_| link::job(job, Tz::UTC)),
        None => None,
    };
    Ok(Found {
        kind,
        parent,
        parts: look.parts(kind, uid, MOST).await?,
        inner: look.inner(kind, uid, MOST).await?,
        transitions: look.transitions(kind, uid, MOST).await?,
        job,
        session,
    })
}

fn field<'a>(session: &'a StoredSession, name: &str) -> Option<&'a Cell> {
    session.fields.iter().find(|(known, _)| *known == name).map(|(_, cell)| cell)
}

fn uid_of(session: &StoredSession, name: &str) -> Option<Uuid> {
    if let Some(Cell::Uid(uid)) = field(session, name) { Some(*uid) } else { None }
}

fn text_of<'a>(session: &'a StoredSession, name: &str) -> Option<&'a str> {
    if let Some(Cell::Text(text)) = field(session, name) { Some(text) } else { None }
}

fn name(found: &Found) -> Option<&str> {
    ["vm_display_name", "job_name", "policy_name", "name"].iter().find_map(|column| text_of(&found.session, column))
}

fn main(found: &Found, now: DateTime<Utc>) -> Markup {
    let session = &found.session;
    let manager = &session.manager;
    html! {
        div.head {
            h1 { (clean(&shortened(name(found).unwrap_or("A session"), 200))) }
            dl.facts {
                div { dt { "Type" } dd { (tables::kind(found.kind.name)) } }
                div { dt { "Result" } dd { (tables::result(text_of(session, "result").unwrap_or_default())) } }
                div { dt { "State" } dd { (clean(text_of(session, "state").unwrap_or_default())) } }
                div { dt { "Server" } dd { (clean(session.server.as_deref().unwrap_or(value::NOTHING))) } }
                div { dt { "Enterprise Manager" } dd { (clean(manager)) } }
                div { dt { "First seen" } dd { (moment(session.first_seen_at)) } }
                div { dt { "Last changed" } dd { (moment(session.updated_at)) } }
                div { dt { "At the source" } dd {
                    @match session.missing_since {
                        Some(at) => { "gone since " (moment(at)) }
                        None => "not known to be gone",
                    }
                } }
            }
        }
        @if let Some(parent) = &found.parent {
            section { h2 { "What it is part of" } (relatives("What it is part of", std::slice::from_ref(parent), now)) }
        }
        section { h2 { "What is stored" } (fields(found)) }
        @if !found.parts.is_empty() {
            section {
                h2 { "Its parts" }
                @if found.parts.len() >= MOST as usize { p.note { "Only the first " (MOST) " of each type are shown." } }
                (relatives("Its parts", &found.parts, now))
            }
        }
        @if let Some(inner) = found.kind.inner.filter(|_| !found.inner.is_empty()) {
            section { h2 { "The rows inside it" } (inner_rows(&inner, &found.inner)) }
        }
        section {
            h2 { "What was seen to change" }
            @if found.transitions.is_empty() {
                p.empty { "Nothing: it has not changed since it was first seen, or had ended by then." }
            } @else {
                (transitions(&found.transitions))
            }
        }
        @if let Some(extra) = &session.extra {
            section { h2 { "What else was sent" } pre.raw tabindex="0" { (clean(&pretty(extra))) } }
        }
    }
}

fn fields(found: &Found) -> Markup {
    let server = found.session.server.as_deref().unwrap_or_default();
    tables::frame(
        "What is stored",
        &["Column", "Value"],
        &[],
        html! {
            @for (column, (name, cell)) in found.kind.columns.iter().zip(&found.session.fields) {
                tr {
                    th.brief scope="row" { code { (name) } }
                    td.message {
                        @let text = shown(cell, column.ty);
                        @match href(name, cell, server, found) {
                            Some(href) => a href=(href) { (clean(&text)) },
                            None => (clean(&text)),
                        }
                    }
                    }
            }
        },
    )
}

/// A value in full: times to the second, numbers without commas.
fn shown(cell: &Cell, ty: Ty) -> String {
    match cell {
        Cell::Time(at) => at.format("%Y-%m-%d %H:%M:%S%.f UTC").to_string(),
        Cell::Int(value) if ty == Ty::Bigint => value.to_string(),
        cell => value::text(cell, Unit::Text, Tz::UTC),
    }
}

fn href(column: &str, cell: &Cell, server: &str, found: &Found) -> Option<String> {
    match (column, cell) {
        ("job_uid" | "job_name" | "policy_uid" | "policy_name", cell) if *cell != Cell::Null => found.job.clone(),
        ("vm_display_name", Cell::Text(name)) => link::machine(name, server, Tz::UTC),
        (column, Cell::Uid(_)) if found.kind.parent_session.is_some_and(|parent| parent.link == column) => {
            found.parent.as_ref().map(|parent| link::session(parent.kind, parent.uid))
        }
        _ => None,
    }
}

fn relatives(title: &str, relatives: &[Relative], now: DateTime<Utc>) -> Markup {
    let head = ["Name", "Result", "State", "Start (UTC)", "End (UTC)", "Message"];
    tables::frame(
        title,
        &head,
        &[],
        html! {
            @for one in relatives {
                tr {
                    th.text scope="row" { a href=(link::session(one.kind, one.uid)) { (clean(one.name.as_deref().unwrap_or(one.kind))) } }
                    td.short { (tables::result(&one.result)) }
                    td.short { (clean(&one.state)) }
                    td.short { (tables::maybe_moment(Some(one.creation_time))) }
                    td.short { @if one.end_time.is_some() { (tables::maybe_moment(one.end_time)) } @else { "runs, begun " (ago(one.creation_time, now)) } }
                    td.message { (clean(one.message.as_deref().unwrap_or(value::NOTHING))) }
                }
            }
        },
    )
}

fn inner_rows(inner: &Inner, rows: &[Vec<Cell>]) -> Markup {
    let head: Vec<&str> = inner.columns.iter().map(|column| column.name).collect();
    tables::frame(
        "The rows inside it",
        &head,
        &[],
        html! {
            @for row in rows {
                tr { @for (column, cell) in inner.columns.iter().zip(row) { td.text { (clean(&shown(cell, column.ty))) } } }
            }
        },
    )
}

fn transitions(transitions: &[Transition]) -> Markup {
    tables::frame(
        "What was seen to change",
        &["Seen (UTC)", "Before", "After"],
        &[],
        html! {
            @for one in transitions {
                tr {
                    th.short scope="row" { (one.observed_at.format("%Y-%m-%d %H:%M:%S")) }
                    @for [state, result] in [&one.from, &one.to] { td.text { (clean(state)) " · " (tables::result(result)) } }
                }
            }
        },
    )
}

fn pretty(json: &str) -> String {
    let value = serde_json::from_str::<serde_json::Value>(json).and_then(|value| serde_json::to_string_pretty(&value));
    value.unwrap_or_else(|_| json.to_owned())
}
