//! Reports as pages: the last 24 hours, one job, one machine.

use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use chrono_tz::Tz;
use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use super::kept::Kept;
use super::link::Links;
use super::page::{Failure, Page};
use super::{Web, in_time};
use crate::report::{self, Asked, Body, Report, Request, Subject, form};
use crate::store::Look;

/// Making it takes a while, and it says from when it is.
const OVERVIEW_LASTS: Duration = Duration::from_secs(30);

/// Overviews by their zones.
pub(super) type Overviews = Kept<Tz, Report>;

pub(super) fn overviews() -> Overviews {
    Kept::new(OVERVIEW_LASTS)
}

#[derive(Deserialize)]
pub(super) struct Zone {
    #[serde(rename = "time-zone")]
    time_zone: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Machine {
    server: Option<String>,
    name: Option<String>,
    #[serde(rename = "time-zone")]
    time_zone: Option<String>,
}

/// The morning page.
pub(super) async fn last_24_hours(
    State(web): State<Web>,
    asked: Result<Query<Zone>, QueryRejection>,
) -> Result<Page, Failure> {
    let zone = zone(asked?.0.time_zone.as_deref())?;
    let site = web.site().ok_or(Failure::Starting)?;
    let (report, jobs) = in_time(async {
        let request = Request { name: "overview", time_zone: Some(zone.name()), ..Request::default() };
        let asked = Asked::new(&request).map_err(|problems| Failure::Wrong(problems.to_string()))?;
        let look = site.looks.look().await?;
        let jobs = web.names.jobs(&look).await?;
        let made = web.overviews.get(zone, async || asked.build(&look).await);
        Ok((made.await?, jobs))
    })
    .await?;
    let links = Links::new(&jobs, zone);
    let page = Page::of_report(&report, &zone_form("/last-24-hours", &[], zone), &|target| links.href(target));
    Ok(Page { place: "/last-24-hours", title: "Last 24 hours".to_owned(), ..page })
}

/// One job, or one CDP policy.
pub(super) async fn job(
    State(web): State<Web>,
    Path(uid): Path<String>,
    asked: Result<Query<Zone>, QueryRejection>,
) -> Result<Page, Failure> {
    let zone = zone(asked?.0.time_zone.as_deref())?;
    let uid = super::uid(&uid)?;
    let site = web.site().ok_or(Failure::Starting)?;
    let (report, links) = in_time(async {
        let look = site.looks.look().await?;
        let unknown = || Failure::NotFound(format!("There is no job {uid} of which the name is known."));
        let job = look.job(uid).await?.ok_or_else(unknown)?;
        let subject = if job.is_policy { Subject::Policy } else { Subject::Job };
        let report = report::about(&look, subject, &job.name, job.server.as_deref(), zone).await?;
        Ok((report, links(&web, &look, zone).await?))
    })
    .await?;
    Ok(Page::of_report(&report, &zone_form(&format!("/jobs/{uid}"), &[], zone), &|target| links.href(target)))
}

/// One machine: a name on a backup server.
pub(super) async fn machine(
    State(web): State<Web>,
    asked: Result<Query<Machine>, QueryRejection>,
) -> Result<Page, Failure> {
    let Query(asked) = asked?;
    let zone = zone(asked.time_zone.as_deref())?;
    let name = asked.name.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Failure::Wrong("Say which machine: /machines?server=…&name=…".to_owned()))?;
    let server = asked.server.filter(|server| !server.is_empty());
    let site = web.site().ok_or(Failure::Starting)?;
    let (report, links) = in_time(async {
        let look = site.looks.look().await?;
        let report = report::about(&look, Subject::Machine, &name, server.as_deref(), zone).await?;
        if says_nothing(&report) {
            let on = server.as_deref().map(|server| format!(" on {server}")).unwrap_or_default();
            return Err(Failure::NotFound(format!("Nothing is known of a machine \"{name}\"{on}.")));
        }
        Ok((report, links(&web, &look, zone).await?))
    })
    .await?;
    let server = server.unwrap_or_default();
    let form = zone_form("/machines", &[("server", &server), ("name", &name)], zone);
    Ok(Page::of_report(&report, &form, &|target| links.href(target)))
}

async fn links(web: &Web, look: &Look, zone: Tz) -> Result<Links, Failure> {
    Ok(Links::new(&web.names.jobs(look).await?, zone))
}

fn zone(name: Option<&str>) -> Result<Tz, Failure> {
    let name = name.map(str::trim).filter(|name| !name.is_empty());
    name.map_or(Ok(Tz::UTC), report::zone).map_err(|problem| Failure::Wrong(problem.to_string()))
}

fn says_nothing(report: &Report) -> bool {
    !report.sections.iter().any(|section| matches!(&section.body, Body::Table(table) if !table.rows.is_empty()))
}

/// Asks for the same page in another zone.
fn zone_form(action: &str, hidden: &[(&str, &str)], zone: Tz) -> Markup {
    html! {
        form.zone action=(action) method="get" {
            @for (name, value) in hidden { input type="hidden" name=(name) value=(form::clean(value)); }
            label for="time-zone" { "Times in" }
            input #time-zone type="text" name="time-zone" value=(zone.name()) maxlength="60" autocomplete="off" spellcheck="false";
            button type="submit" { "Show" }
        }
    }
}

impl From<QueryRejection> for Failure {
    fn from(_: QueryRejection) -> Self {
        Self::Wrong("The part of the address after the question mark cannot be read.".to_owned())
    }
}

/// A UID in an address.
pub(super) fn uid(text: &str) -> Result<Uuid, Failure> {
    Uuid::try_parse(text)
        .map_err(|_| Failure::Wrong("This is no UID, such as 8f2c1e4a-5b6d-4c7e-9f80-a1b2c3d4e5f6.".to_owned()))
}
