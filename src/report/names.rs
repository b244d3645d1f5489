//! The reports by name: from this table come the list, the help, the dispatch and the offer for a wrong name.

use std::fmt::Write as _;

use chrono::TimeDelta;
use futures_util::future::BoxFuture;

use super::ask::Ask;
use super::period::Span;
use super::{Section, failovers, failures, growth, job, jobs, monthly, overview, restores, rpo, vm, window};
use crate::store::Error;

/// A report that can be asked for.
pub struct Named {
    /// Its name.
    pub name: &'static str,
    /// What it is about, if it is about one thing.
    pub subject: Option<Subject>,
    /// What it says, for people who choose.
    pub line: &'static str,
    /// Its heading; the subject's name follows it.
    pub(super) title: &'static str,
    pub(super) span: Span,
    pub(super) build: for<'a> fn(&'a Ask<'a>) -> Building<'a>,
}

type Building<'a> = BoxFuture<'a, Result<Vec<Section>, Error>>;

/// What a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A job, by name.
    Job,
    /// A machine, by name.
    Machine,
}

impl Subject {
    /// How the help writes it.
    #[must_use]
    pub const fn placeholder(self) -> &'static str {
        match self {
            Self::Job => "JOB",
            Self::Machine => "MACHINE",
        }
    }
}

/// All of them.
pub const REPORTS: &[Named] = &[
    Named {
        name: "overview",
        subject: None,
        line: "the morning page: what failed, is late, runs too long or is silent (24 hours)",
        title: "Overview",
        span: Span::Last(TimeDelta::hours(24)),
        build: |ask| Box::pin(overview::build(ask)),
    },
    Named {
        name: "rpo",
        subject: None,
        line: "every machine's last good backup against its RPO, worst first",
        title: "Machines and their RPO",
        span: Span::Now(TimeDelta::days(30)),
        build: |ask| Box::pin(rpo::build(ask)),
    },
    Named {
        name: "failures",
        subject: None,
        line: "what ended Failed or Warning, by reason, then each (7 days)",
        title: "Failures",
        span: Span::Last(TimeDelta::days(7)),
        build: |ask| Box::pin(failures::build(ask)),
    },
    Named {
        name: "jobs",
        subject: None,
        line: "every job: its last run, its success over 7 and 30 days",
        title: "Jobs",
        span: Span::Now(TimeDelta::days(30)),
        build: |ask| Box::pin(jobs::build(ask)),
    },
    Named {
        name: "job",
        subject: Some(Subject::Job),
        line: "one job: its runs, durations and sizes, the machines that fail (30 days)",
        title: "Job",
        span: Span::Last(TimeDelta::days(30)),
        build: |ask| Box::pin(job::build(ask)),
    },
    Named {
        name: "vm",
        subject: Some(Subject::Machine),
        line: "one machine: its protections, days, sizes and restores (30 days)",
        title: "Machine",
        span: Span::Last(TimeDelta::days(30)),
        build: |ask| Box::pin(vm::build(ask)),
    },
    Named {
        name: "window",
        subject: None,
        line: "when jobs run and how many at once (24 hours)",
        title: "Backup window",
        span: Span::Last(TimeDelta::hours(24)),
        build: |ask| Box::pin(window::build(ask)),
    },
    Named {
        name: "restores",
        subject: None,
        line: "what was restored, from when, and how it ended (30 days)",
        title: "Restores",
        span: Span::Last(TimeDelta::days(30)),
        build: |ask| Box::pin(restores::build(ask)),
    },
    Named {
        name: "failovers",
        subject: None,
        line: "cloud failovers and their tests, who asked for them and why (90 days)",
        title: "Cloud failovers",
        span: Span::Last(TimeDelta::days(90)),
        build: |ask| Box::pin(failovers::build(ask)),
    },
    Named {
        name: "growth",
        subject: None,
        line: "which machines grew or shrank most, and the total by day (30 days)",
        title: "Growth",
        span: Span::Last(TimeDelta::days(30)),
        build: |ask| Box::pin(growth::build(ask)),
    },
    Named {
        name: "monthly",
        subject: None,
        line: "the numbers of a month for an audit, a row a server (the last calendar month)",
        title: "Monthly audit",
        span: Span::Month,
        build: |ask| Box::pin(monthly::build(ask)),
    },
];

/// Command lines that show what can be done.
pub const EXAMPLES: [&str; 2] =
    ["vemsync report overview", "vemsync report job \"Nightly databases\" --since 7d -o nightly.html"];

/// The reports, one a line, and examples.
#[must_use]
pub fn list() -> String {
    let mut list = "Reports:\n".to_owned();
    for report in REPORTS {
        let usage = report
            .subject
            .map_or_else(|| report.name.to_owned(), |subject| format!("{} {}", report.name, subject.placeholder()));
        writeln!(list, "  {usage:<11} {}", report.line).expect("a String takes every write");
    }
    let _ = write!(list, "\nExamples:\n  {}", EXAMPLES.join("\n  "));
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_every_report_on_a_line_that_fits_a_terminal() {
        let list = list();
        for report in REPORTS {
            let line = list.lines().find(|line| line.split_whitespace().next() == Some(report.name));
            assert!(line.is_some_and(|line| line.ends_with(report.line)), "{}", report.name);
        }
        assert!(list.lines().all(|line| line.chars().count() <= 100), "{list}");
    }
}
