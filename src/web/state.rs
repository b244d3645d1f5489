//! The first page: whether all is well, and what the daemon, the database and each Enterprise Manager say.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use serde::Deserialize;

use super::findings::{self, Finding};
use super::page::{Failure, Page};
use super::servers::{self, Server};
use super::tables::{self, ago, moment, pill};
use super::{DATABASE_PATIENCE, Site, Web};
use crate::health::{Condition, ManagerHealth, SLOW, span};
use crate::report::Tone;
use crate::report::form::{class, clean};
use crate::store::{Collects, KindStatus, ManagerStatus, News};

/// What is counted as new.
const NEWS_SINCE: TimeDelta = TimeDelta::hours(24);

#[derive(Deserialize)]
pub(super) struct Asked {
    refresh: Option<String>,
}

/// All that the page shows.
struct Seen {
    now: DateTime<Utc>,
    /// This instance's name in leases.
    holder: String,
    health: BTreeMap<String, ManagerHealth>,
    /// `None` where the database cannot be read.
    stored: Option<Vec<ManagerStatus>>,
    news: Vec<News>,
    findings: Vec<Finding>,
}

pub(super) async fn page(State(web): State<Web>, asked: Result<Query<Asked>, QueryRejection>) -> Result<Page, Failure> {
    let Query(asked) = asked?;
    let site = web.site().ok_or(Failure::Starting)?;
    let seen = look(site).await;
    let is_refreshed = asked.refresh.as_deref() == Some("60");
    let verdict = verdict(&seen);
    let main = html! {
        (verdict.markup(&seen, is_refreshed))
        @for name in names(&seen) { (manager(&name, &seen)) }
    };
    Ok(Page { place: "/", is_refreshed, ..Page::new(verdict.title(), main) })
}

async fn look(site: &Site) -> Seen {
    let now = site.clock.now();
    let stored = async {
        let news = async { site.looks.look().await?.news(now - NEWS_SINCE).await };
        tokio::try_join!(site.store.status(false), news)
    };
    let (troubles, stored) = tokio::join!(site.troubles(), within(stored));
    let health = site.health.managers();
    let mut findings: Vec<Finding> = troubles
        .into_iter()
        .map(|trouble| {
            let manager = trouble.manager.as_ref().and_then(|name| health.get(name));
            findings::of_trouble(trouble, manager)
        })
        .collect();
    let (stored, news) = stored.map_or((None, Vec::new()), |(stored, news)| (Some(stored), news));
    for manager in stored.iter().flatten() {
        findings.extend(findings::of_manager(manager, health.get(&manager.name), &news, now));
    }
    let holder = site.store.leases().holder().to_owned();
    Seen { now, holder, health, stored, news, findings: findings::sorted(findings) }
}

/// What the database answers, if it does so soon enough. Why not is among the troubles.
async fn within<T>(asking: impl Future<Output = crate::store::Result<T>>) -> Option<T> {
    tokio::time::timeout(DATABASE_PATIENCE, asking).await.ok()?.ok()
}

struct Headline {
    tone: Tone,
    text: String,
    /// What is meant by it, where nothing is wrong.
    lead: String,
}

fn verdict(seen: &Seen) -> Headline {
    let count = |tone| seen.findings.iter().filter(|one| one.tone == tone).count();
    let things = |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    match (count(Tone::Bad), count(Tone::Warning)) {
        (0, 0) if seen.stored.is_none() => {
            let text = "The database is away".to_owned();
            Headline { tone: Tone::Bad, text, lead: String::new() }
        }
        (0, 0) => Headline { tone: Tone::Good, text: "All is well".to_owned(), lead: well(seen) },
        (0, warnings) => {
            let text = things(warnings, "thing to look at", "things to look at");
            Headline { tone: Tone::Warning, text, lead: "Nothing is lost, and nothing is late.".to_owned() }
        }
        (bad, warnings) => {
            let text = things(bad, "thing is wrong", "things are wrong");
            let more = things(warnings, "more thing to look at.", "more things to look at.");
            Headline { tone: Tone::Bad, text, lead: if warnings == 0 { String::new() } else { more } }
        }
    }
}

/// What it means that all is well.
fn well(seen: &Seen) -> String {
    let standing_by = seen.health.values().filter(|one| matches!(one.condition, Condition::StandingBy(_))).count();
    let all = seen.health.len();
    let whom = if all == 1 { "Enterprise Manager is".to_owned() } else { format!("All {all} Enterprise Managers are") };
    match standing_by {
        0 if all == 0 => "No Enterprise Manager is configured.".to_owned(),
        0 => format!("{whom} read by this instance, and the database answers."),
        _ if standing_by == all => {
            format!("{whom} read by another instance; this one stands by, and the database answers.")
        }
        _ => format!("{whom} read, {standing_by} by another instance, and the database answers."),
    }
}

impl Headline {
    fn title(&self) -> String {
        let (sign, _) = tables::sign(self.tone);
        format!("{sign} {}", self.text)
    }

    fn markup(&self, seen: &Seen, is_refreshed: bool) -> Markup {
        let (sign, _) = tables::sign(self.tone);
        html! {
            div.verdict.(class(self.tone)) {
                h1 { span.sign aria-hidden="true" { (sign) } " " (self.text) }
                @if !self.lead.is_empty() { p.lead { (self.lead) } }
                @if !seen.findings.is_empty() {
                    ol.findings {
                        @for finding in &seen.findings { (item(finding)) }
                    }
                }
            }
            p.asof {
                "As of " (moment(seen.now)) ". "
                @if is_refreshed {
                    "Loaded anew every minute. " a href="/" { "Stop that" }
                } @else {
                    a href="/?refresh=60" { "Load anew every minute" }
                }
            }
        }
    }
}

fn item(finding: &Finding) -> Markup {
    let (sign, word) = tables::sign(finding.tone);
    html! {
        li.(class(finding.tone)) {
            p.what {
                span.sign role="img" aria-label=(word) { (sign) } " "
                @if !finding.about.is_empty() { strong { (clean(&finding.about.join(" · "))) } " " }
                (clean(&finding.what))
            }
            p.mend {
                "What to do: "
                @if let Some(href) = finding.href { a href=(href) { (clean(&finding.mend)) } } @else { (clean(&finding.mend)) }
                "."
            }
        }
    }
}

/// Those that are configured, then those of which only the database knows.
fn names(seen: &Seen) -> Vec<String> {
    let configured: BTreeSet<&String> = seen.health.keys().collect();
    let others = seen.stored.iter().flatten().map(|manager| &manager.name).filter(|name| !configured.contains(name));
    configured.iter().copied().chain(others).cloned().collect()
}

fn manager(name: &str, seen: &Seen) -> Markup {
    let health = seen.health.get(name);
    let stored = seen.stored.iter().flatten().find(|manager| manager.name == name);
    html! {
        section.manager {
            h2 { "Enterprise Manager " (clean(name)) }
            dl.facts {
                div { dt { "State" } dd { (condition(health, seen)) } }
                @if let Some(stored) = stored {
                    div { dt { "Writes" } dd { (writer(stored, seen)) } }
                    div { dt { "Collects from its servers" } dd { (collects(stored, seen.now)) } }
                    div { dt { "Address and API" } dd { (clean(&stored.base_url)) " " (clean(stored.api_version.as_deref().unwrap_or("not known"))) } }
                    @if let Some(at) = stored.went_back_at {
                        div { dt { "Showed older data" } dd { (ago(at, seen.now)) ", as after a restore; all is read again since" } }
                    }
                } @else if seen.stored.is_none() {
                    div { dt { "Database" } dd { "away: what is stored cannot be shown" } }
                } @else {
                    div { dt { "Database" } dd { "nothing is stored of it yet" } }
                }
            }
            @if let Some(stored) = stored {
                h3 { "Session types" }
                (kinds(stored, health, seen))
                h3 { "Backup servers" }
                (backup_servers(&servers::servers(stored, seen.now), seen.now))
            } @else if let Some(health) = health {
                h3 { "Session types" }
                (kinds_of_health(health, seen.now))
            }
        }
    }
}

fn condition(health: Option<&ManagerHealth>, seen: &Seen) -> Markup {
    let Some(health) = health else {
        return html! { "not followed: the configuration does not name it" };
    };
    let (tone, words, said) = match &health.condition {
        Condition::Starting => (Tone::Warning, "starting: nothing has been read yet".to_owned(), None),
        Condition::Following => {
            let every = TimeDelta::from_std(health.interval).unwrap_or(TimeDelta::MAX);
            (Tone::Good, format!("followed, with a pass every {}", span(every)), None)
        }
        Condition::Slow => (Tone::Warning, format!("followed, but its passes take long: {SLOW}"), None),
        Condition::StandingBy(leader) => (Tone::Plain, format!("standing by, while {leader} follows it"), None),
        Condition::Away(error) => (Tone::Bad, "cannot be read".to_owned(), Some(error)),
        Condition::Refused(error) => (Tone::Bad, "refuses the account".to_owned(), Some(error)),
        Condition::DatabaseAway(error) => (Tone::Bad, "the database cannot be used".to_owned(), Some(error)),
    };
    html! {
        (pill(tone, &words)) " for " (tables::lasting(health.since, seen.now))
        @if let Some(next) = health.next_try { "; next try " (soon(next, seen.now)) }
        @if let Some(said) = said { br; span.said { (clean(said)) } }
    }
}

fn soon(at: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    html! { @if at <= now { "now" } @else { "in " (span(at - now)) " (" (moment(at)) ")" } }
}

fn writer(manager: &ManagerStatus, seen: &Seen) -> Markup {
    html! {
        @match &manager.lease {
            None => "nobody yet",
            Some(lease) if lease.expires_at < seen.now => { "nobody; last " (clean(&lease.holder)) ", until " (ago(lease.expires_at, seen.now)) }
            Some(lease) if lease.holder == seen.holder => "this instance",
            Some(lease) => { "another instance: " (clean(&lease.holder)) }
        }
    }
}

fn collects(manager: &ManagerStatus, now: DateTime<Utc>) -> Markup {
    let told = &manager.collection;
    html! {
        @match told.goes_on(now) {
            Collects::Yes => (pill(Tone::Good, "yes")),
            Collects::No(why) => { (pill(Tone::Bad, "no")) " " (clean(&why)) }
            Collects::NotKnown(why) => { (pill(Tone::Plain, "not known")) " " (why) }
        }
        @if let Some(at) = told.collected_at { "; last " (ago(at, now)) }
        @if let Some(at) = told.asked_at { ", asked " (ago(at, now)) }
        @if told.state.as_deref() == Some("CompletedWarning") && let Some(message) = &told.message {
            br; span.aside { (clean(message)) }
        }
    }
}

fn kinds(manager: &ManagerStatus, health: Option<&ManagerHealth>, seen: &Seen) -> Markup {
    let head =
        ["Type", "Outcome", "Last pass", "Lag", "New, 24 h", "Open", "Rejected", "Last sweep", "Mended", "History"];
    let numbers = [3, 4, 5, 6, 8];
    html! {
        (tables::frame("Session types", &head, &numbers, html! {
            @for kind in &manager.kinds { (kind_row(kind, manager, health, seen, head.len())) }
        }))
    }
}

fn kind_row(
    kind: &KindStatus,
    manager: &ManagerStatus,
    health: Option<&ManagerHealth>,
    seen: &Seen,
    columns: usize,
) -> Markup {
    let known = health.and_then(|health| health.kinds.iter().find(|known| known.kind == kind.kind));
    let news = seen.news.iter().find(|news| news.manager == manager.name && news.kind == kind.kind);
    let lag = known.and_then(|known| known.read_at).map(|at| span(seen.now - at));
    let stored = kind.last_error.as_ref().filter(|_| findings::is_failing(kind));
    let error = known.and_then(|known| known.error.as_ref()).or(stored);
    html! {
        tr {
            th.brief scope="row" { (tables::kind(kind.kind)) }
            td.short { (outcome(kind, error.is_some())) }
            td.short { @if let Some(at) = kind.last_pass_at { (ago(at, seen.now)) } @else { "never" } }
            td.number { (lag.as_deref().unwrap_or("–")) }
            td.number { (news.map_or_else(|| "–".to_owned(), |news| tables::count(news.rows))) }
            td.number { (tables::count(kind.open)) }
            td.number { @if kind.rejects > 0 { a href="/rejects" { (tables::count(kind.rejects)) } } @else { "0" } }
            td.short { @if let Some(at) = kind.last_sweep_at { (ago(at, seen.now)) } @else { "–" } }
            td.number { (tables::count(kind.mended)) }
            td.short { (history(kind)) }
        }
        @if let Some(error) = error {
            tr.detail { td colspan=(columns) { span.error-text { (clean(error)) } } }
        }
    }
}

fn outcome(kind: &KindStatus, is_failing: bool) -> Markup {
    match kind.last_outcome.as_deref() {
        _ if is_failing => pill(Tone::Bad, "failed"),
        Some("done") => pill(Tone::Good, "done"),
        Some("idle") => pill(Tone::Good, "nothing new"),
        Some("unavailable") => pill(Tone::Plain, "not known there"),
        Some(other) => pill(Tone::Plain, other),
        None if kind.streams.is_empty() && kind.backfill_reached.is_none() => pill(Tone::Plain, "never read"),
        None => pill(Tone::Plain, "not finished yet"),
    }
}

fn history(kind: &KindStatus) -> Markup {
    html! {
        @if let Some(reached) = kind.backfill_reached { "being read, back to " (moment(reached)) }
        @else if kind.streams.is_empty() { "–" }
        @else { "read" }
    }
}

/// What is known while the database is away.
fn kinds_of_health(health: &ManagerHealth, now: DateTime<Utc>) -> Markup {
    tables::frame(
        "Session types",
        &["Type", "Read", "State"],
        &[],
        html! {
            @for kind in &health.kinds {
                tr {
                    th.brief scope="row" { (tables::kind(kind.kind)) }
                    td.short { @if let Some(at) = kind.read_at { (ago(at, now)) } @else { "not since the start" } }
                    td.message {
                        @match &kind.error {
                            Some(error) => { (pill(Tone::Bad, "failed")) " " (clean(error)) }
                            None if !kind.is_known => "not known to this Enterprise Manager",
                            None => "–",
                        }
                    }
                }
            }
        },
    )
}

fn backup_servers(servers: &[Server<'_>], now: DateTime<Utc>) -> Markup {
    if servers.is_empty() {
        return html! { p.empty { "No backup server has sent anything yet." } };
    }
    let head = ["Server", "Verdict", "Newest start (UTC)", "Newest end (UTC)", "Silent for", "Read"];
    html! {
        (tables::frame("Backup servers", &head, &[4], html! {
            @for server in servers {
                tr {
                    th.text scope="row" { (clean(&server.name)) }
                    td.short { (pill(server.verdict.tone(), server.verdict.words())) }
                    td.short { (tables::maybe_moment(server.newest_start)) }
                    td.short { (tables::maybe_moment(server.newest_end)) }
                    td.number { (server.newest_start.map_or("–".to_owned(), |at| span(now - at))) }
                    td.short { @if let Some(at) = server.read_at { (ago(at, now)) } @else { "–" } }
                }
                @if !server.verdict.mend().is_empty() {
                    tr.detail { td colspan=(head.len()) { span.aside { "What to do: " (server.verdict.mend()) "." } } }
                }
            }
        }))
        details {
            summary { "Each session type of each server" }
            (tables::frame("Each session type of each server", &["Server", "Type", "Newest start", "Newest end", "Read", "Overlap"], &[5], html! {
                @for server in servers {
                    @for (kind, stream) in &server.streams {
                        tr {
                            th.text scope="row" { (clean(&server.name)) }
                            td.short { (tables::kind(kind)) }
                            td.short { (tables::maybe_moment(stream.creation_mark)) }
                            td.short { (tables::maybe_moment(stream.end_mark)) }
                            td.short { (ago(stream.scanned_at, now)) }
                            td.number { (span(TimeDelta::seconds(stream.overlap_seconds))) }
                        }
                    }
                }
            }))
        }
    }
}
