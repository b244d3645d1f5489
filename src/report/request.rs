//! From what someone typed to a report.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::ask::{Ask, read};
use super::names::{self, Named, REPORTS};
use super::period::{When, zone};
use super::views::{JOB_STATUS, REPORT_CLOCK, SESSIONS, VM_PROTECTION};
use super::{Error, Period, Report, find, fresh, policy};
use crate::config::{Place, Problem, Problems};
use crate::store::{self, Cell, Filter, Views};

/// What someone typed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// Which report.
    pub name: &'a str,
    /// The job or machine that it is to be about.
    pub subject: Option<&'a str>,
    /// `--since`
    pub since: Option<&'a str>,
    /// `--until`
    pub until: Option<&'a str>,
    /// `--time-zone`
    pub time_zone: Option<&'a str>,
}

/// A request that makes sense, as far as can be said without the database.
pub struct Asked {
    named: &'static Named,
    subject: Option<String>,
    since: Option<When>,
    until: Option<When>,
    zone: Tz,
}

const REPORT: Place = Place::Flag("report");

impl Asked {
    /// Understands a request.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn new(request: &Request<'_>) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let named = taken(named(request.name), &mut problems);
        if let Some(problem) = named.and_then(|named| wrong_subject(named, request.subject)) {
            problems.push(problem);
        }
        let mut when = |flag, text: Option<&str>| text.and_then(|text| taken(When::parse(flag, text), &mut problems));
        let (since, until) = (when("--since", request.since), when("--until", request.until));
        let zone = taken(request.time_zone.map_or(Ok(Tz::UTC), zone), &mut problems).unwrap_or(Tz::UTC);
        problems.unless_any(())?;
        let named = named.expect("a report that does not exist is a problem");
        Ok(Self { named, subject: request.subject.map(str::to_owned), since, until, zone })
    }

    /// Builds the report.
    ///
    /// # Errors
    /// When the database cannot be read, holds no session, or no such job or machine, or the period is empty.
    pub async fn build(&self, views: &dyn Views) -> Result<Report, Error> {
        let as_of = as_of(views).await?;
        let period = Period::new(self.named.span, self.since, self.until, as_of, self.zone)?;
        if read(views, &SESSIONS, &["uid"], None, "", 1).await?.len() == 0 {
            return Err(Error::Empty);
        }
        let (mut title, mut names) = (self.named.title.to_owned(), Vec::new());
        if let (Some(subject), Some(written)) = (self.named.subject, &self.subject) {
            names = subjects(views, subject, written).await?;
            let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
            title = format!("{title} {}", quoted.join(" and "));
        }
        let ask = Ask { views, period, names, server: None, streams: fresh::streams(views, as_of).await? };
        let sections = (self.named.build)(&ask).await?;
        let freshness = fresh::freshness(&ask.streams, &period);
        Ok(Report { name: self.named.name, title, period, sections, freshness })
    }
}

/// What a report of [`about`] is about: all of one name, on that backup server where one is given.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// What it is.
    pub subject: Subject,
    /// Its name, exactly.
    pub name: &'a str,
    /// The name of its backup server.
    pub server: Option<&'a str>,
    /// So far back.
    pub span: TimeDelta,
    /// Zone of the times that are shown.
    pub zone: Tz,
}

/// What there are reports about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A job.
    Job,
    /// A CDP policy.
    Policy,
    /// A machine.
    Machine,
}

/// The report about one thing.
///
/// # Errors
/// When the database cannot be read.
pub async fn about(views: &dyn Views, about: About<'_>) -> Result<Report, Error> {
    let About { subject, name, server, span, zone } = about;
    let report = match subject {
        Subject::Job => named("job").expect("it is listed"),
        Subject::Machine => named("vm").expect("it is listed"),
        Subject::Policy => &policy::POLICY,
    };
    let as_of = as_of(views).await?;
    let period = Period::new(report.span, Some(When::Ago(span)), None, as_of, zone)?;
    let on = server.map(|server| format!(" on {server}")).unwrap_or_default();
    let title = format!("{} \"{name}\"{on}", report.title);
    let streams = fresh::streams(views, as_of).await?;
    let ask = Ask { views, period, names: vec![name.to_owned()], server: server.map(str::to_owned), streams };
    let sections = (report.build)(&ask).await?;
    let freshness = fresh::freshness(&ask.streams, &period);
    Ok(Report { name: report.name, title, period, sections, freshness })
}

fn taken<T>(result: Result<T, Problem>, problems: &mut Problems) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

fn named(name: &str) -> Result<&'static Named, Problem> {
    if let Some(named) = REPORTS.iter().find(|named| named.name.eq_ignore_ascii_case(name)) {
        return Ok(named);
    }
    let near = find::nearest(name, REPORTS.iter().map(|named| named.name));
    let mend = if near.is_empty() {
        "`vemsync report` lists them".to_owned()
    } else {
        format!("did you mean {}? `vemsync report` lists all", near.join(", "))
    };
    Err(Problem::new(REPORT, format!("there is no report \"{name}\""), mend))
}

fn wrong_subject(named: &Named, subject: Option<&str>) -> Option<Problem> {
    match (named.subject, subject) {
        (Some(wanted), None) => {
            let what = format!("{} is about one {}", named.name, noun(wanted));
            let mend = format!("give its name: `vemsync report {} {}`", named.name, wanted.placeholder());
            Some(Problem::new(REPORT, what, mend))
        }
        (None, Some(_)) => {
            Some(Problem::new(REPORT, format!("{} is about all, not about one", named.name), "leave the name out"))
        }
        _ => None,
    }
}

fn noun(subject: names::Subject) -> &'static str {
    match subject {
        names::Subject::Job => "job",
        names::Subject::Machine => "machine",
    }
}

async fn as_of(views: &dyn Views) -> Result<DateTime<Utc>, store::Error> {
    let clock = read(views, &REPORT_CLOCK, &["as_of"], None, "", 1).await?;
    let as_of = clock.iter().next().and_then(|row| row.time("as_of"));
    as_of.ok_or_else(|| store::Error::Value("report_clock does not tell the time".to_owned()))
}

/// The names that are meant. One that is exactly so needs no look at the others.
async fn subjects(views: &dyn Views, subject: names::Subject, written: &str) -> Result<Vec<String>, Error> {
    let (view, column) = match subject {
        names::Subject::Job => (&JOB_STATUS, "job_name"),
        names::Subject::Machine => (&VM_PROTECTION, "vm_display_name"),
    };
    let exact = Filter::Is(column, Cell::Text(written.to_owned()));
    if read(views, view, &[column], Some(exact), "", 1).await?.len() > 0 {
        return Ok(vec![written.to_owned()]);
    }
    let rows = read(views, view, &[column], None, "", u32::MAX).await?;
    let known: BTreeSet<&str> = rows.iter().map(|row| row.text(column)).filter(|name| !name.is_empty()).collect();
    find::matching(written, &known).map_err(|near| {
        let noun = noun(subject);
        let mend = if near.is_empty() {
            let all = if subject == names::Subject::Job { "jobs" } else { "rpo" };
            format!("`vemsync report {all}` lists them")
        } else {
            let quoted: Vec<String> = near.iter().map(|name| format!("\"{name}\"")).collect();
            format!("did you mean {}?", quoted.join(", "))
        };
        Error::Request(Problem::new(REPORT, format!("there is no {noun} \"{written}\""), mend))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_wrong_with_a_request_is_said_at_once() {
        let said = |request: &Request<'_>| Asked::new(request).err().map(|problems| problems.to_string());
        let request = Request { name: "overview", ..Request::default() };
        assert_eq!(said(&request), None);
        assert_eq!(said(&Request { name: "JOBS", ..request }), None);
        assert_eq!(said(&Request { name: "job", subject: Some("Nightly"), ..request }), None);
        for (request, expected) in [
            (
                Request { name: "overveiw", ..request },
                "report: there is no report \"overveiw\"; did you mean overview? `vemsync report` lists all",
            ),
            (Request { name: "xyz", ..request }, "report: there is no report \"xyz\"; `vemsync report` lists them"),
            (
                Request { name: "job", ..request },
                "report: job is about one job; give its name: `vemsync report job JOB`",
            ),
            (
                Request { subject: Some("x"), ..request },
                "report: overview is about all, not about one; leave the name out",
            ),
        ] {
            assert_eq!(said(&request).as_deref(), Some(expected));
        }
        let all = Request {
            name: "vm",
            since: Some("then"),
            until: Some("later"),
            time_zone: Some("Mars/Olympus"),
            ..request
        };
        let said = said(&all).unwrap();
        assert_eq!(said.lines().count(), 4, "{said}");
    }
}
