//! Reports as pages: the last 24 hours, one job, one machine.

use std::time::Duration;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, State};
use chrono::TimeDelta;
use chrono_tz::Tz;
use maud::{Markup, html};
use serde::Deserialize;

use super::kept::Kept;
use super::link::{self, Links};
use super::page::{self, Failure, Page};
use super::{Site, Web, in_time};
use crate::report::form::clean;
use crate::report::{self, About, Body, Report, Request, Subject};
use crate::store::Look;

/// Nobody is shown an older one that was made for somebody else. It says from when it is.
const OVERVIEW_LASTS: Duration = Duration::from_secs(30);

/// Overviews by their zones.
pub(super) type Overviews = Kept<Tz, Report>;

pub(super) fn overviews() -> Overviews {
    Kept::new(OVERVIEW_LASTS)
}

/// How far back a job or a machine is shown: a week is what can be read at once.
const SPANS: [i64; 3] = [7, 30, 90];

#[derive(Deserialize)]
pub(super) struct Query {
    #[serde(rename = "time-zone")]
    time_zone: Option<String>,
    days: Option<String>,
    server: Option<String>,
    name: Option<String>,
}

type Asked = Result<axum::extract::Query<Query>, QueryRejection>;

impl Query {
    fn zone(&self) -> Result<Tz, Failure> {
        let name = self.time_zone.as_deref().map(str::trim).filter(|name| !name.is_empty());
        name.map_or(Ok(Tz::UTC), report::zone).map_err(|problem| Failure::Wrong(problem.to_string()))
    }

    fn days(&self) -> Result<i64, Failure> {
        let Some(days) = &self.days else { return Ok(SPANS[0]) };
        let days = days.parse().ok().filter(|days| SPANS.contains(days));
        days.ok_or_else(|| Failure::Wrong("The number of days is 7, 30 or 90.".to_owned()))
    }
}

/// The morning page.
pub(super) async fn last_24_hours(State(web): State<Web>, asked: Asked) -> Result<Page, Failure> {
    let zone = asked?.zone()?;
    let site = web.site().ok_or(Failure::Starting)?;
    let (report, jobs) = in_time(async {
        let look = site.looks.look().await?;
        let jobs = web.names.jobs(&look).await?;
        Ok((web.overviews.get(zone, async || overview(&look, zone).await).await?, jobs))
    })
    .await?;
    let links = Links::new(&jobs, zone);
    let form = zone_form("/last-24-hours", &[], zone);
    let page = Page::of_report(&report, &form, &|target| links.href(target));
    Ok(Page { place: "/last-24-hours", title: "Last 24 hours".to_owned(), ..page })
}

async fn overview(look: &Look, zone: Tz) -> Result<Report, Failure> {
    let request = Request { name: "overview", time_zone: Some(zone.name()), ..Request::default() };
    let asked = report::Asked::new(&request).map_err(|problems| Failure::Wrong(problems.to_string()))?;
    Ok(asked.build(look).await?)
}

/// Makes the morning page before anybody asks for it; see [`Kept::renew`].
pub(super) async fn renew_overview(web: &Web, site: &Site, slow: Duration) -> Duration {
    let make = async || in_time(async { overview(&site.looks.look().await?, Tz::UTC).await }).await;
    web.overviews.renew(Tz::UTC, slow, make).await
}

/// One job, or one CDP policy.
pub(super) async fn job(
    State(web): State<Web>,
    uid: Result<Path<String>, PathRejection>,
    asked: Asked,
) -> Result<Page, Failure> {
    let uid = page::uid(&uid?)?;
    let asked = asked?;
    let (zone, days) = (asked.zone()?, asked.days()?);
    let site = web.site().ok_or(Failure::Starting)?;
    let (report, jobs) = in_time(async {
        let look = site.looks.look().await?;
        let unknown = || Failure::NotFound(format!("There is no job {uid} of which the name is known."));
        let job = look.job(uid).await?.ok_or_else(unknown)?;
        let subject = if job.is_policy { Subject::Policy } else { Subject::Job };
        let about =
            About { subject, name: &job.name, server: job.server.as_deref(), span: TimeDelta::days(days), zone };
        Ok((report::about(&look, about).await?, web.names.jobs(&look).await?))
    })
    .await?;
    let above = choices(&format!("/jobs/{uid}"), &[], zone, days);
    let links = Links::new(&jobs, zone);
    Ok(Page::of_report(&report, &above, &|target| links.href(target)))
}

/// One machine: a name on a backup server.
pub(super) async fn machine(State(web): State<Web>, asked: Asked) -> Result<Page, Failure> {
    let asked = asked?.0;
    let (zone, days) = (asked.zone()?, asked.days()?);
    let name = asked.name.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Failure::Wrong("Say which machine: /machines?server=…&name=…".to_owned()))?;
    let server = asked.server.filter(|server| !server.is_empty());
    let site = web.site().ok_or(Failure::Starting)?;
    let (report, jobs) = in_time(async {
        let look = site.looks.look().await?;
        let about = About {
            subject: Subject::Machine,
            name: &name,
            server: server.as_deref(),
            span: TimeDelta::days(days),
            zone,
        };
        let report = report::about(&look, about).await?;
        if says_nothing(&report) {
            let on = server.as_deref().map(|server| format!(" on {server}")).unwrap_or_default();
            let name = page::shortened(&name, 200);
            return Err(Failure::NotFound(format!("Nothing is known of a machine \"{name}\"{on}.")));
        }
        Ok((report, web.names.jobs(&look).await?))
    })
    .await?;
    let server = server.unwrap_or_default();
    let above = choices("/machines", &[("server", &server), ("name", &name)], zone, days);
    let links = Links::new(&jobs, zone);
    Ok(Page::of_report(&report, &above, &|target| links.href(target)))
}

fn says_nothing(report: &Report) -> bool {
    !report.sections.iter().any(|section| matches!(&section.body, Body::Table(table) if !table.rows.is_empty()))
}

/// The same page for another time, or in another zone.
fn choices(action: &str, subject: &[(&str, &str)], zone: Tz, days: i64) -> Markup {
    let href = |days: &str| {
        let mut query = link::query(action);
        query.extend_pairs(subject).append_pair("days", days);
        if zone != Tz::UTC {
            query.append_pair("time-zone", zone.name());
        }
        query.finish()
    };
    let shown = days.to_string();
    html! {
        nav.choices aria-label="Time" {
            @for span in SPANS {
                a href=(href(&span.to_string())) aria-current=[(span == days).then_some("true")] { (span) " days" } " "
            }
        }
        (zone_form(action, &[subject, &[("days", &shown)]].concat(), zone))
    }
}

/// Asks for the same page in another zone.
fn zone_form(action: &str, hidden: &[(&str, &str)], zone: Tz) -> Markup {
    html! {
        form.zone action=(action) method="get" {
            @for (name, value) in hidden { input type="hidden" name=(name) value=(clean(value)); }
            label for="time-zone" { "Times in" }
            input #time-zone type="text" name="time-zone" value=(zone.name()) maxlength="60" autocomplete="off" spellcheck="false";
            button type="submit" { "Show" }
        }
    }
}
