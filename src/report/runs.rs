//! Runs of jobs, counted by day and drawn in time.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::ask::{Ask, int, table, tone};
use super::views::JOB_RUNS;
use super::{Bar, Body, Chart, GanttRow, HeatRow, Part, Period, Table, Tone};
use crate::store::{Cell, Error, Filter};

/// A job, told apart by its server where two have its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Job {
    pub(super) name: String,
    pub(super) server: String,
    pub(super) uid: Option<Uuid>,
}

/// One run.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) job: Job,
    pub(super) start: DateTime<Utc>,
    pub(super) end: Option<DateTime<Utc>>,
    pub(super) seconds: Option<i64>,
    pub(super) is_running: bool,
    pub(super) is_retry: bool,
    pub(super) result: String,
}

impl Run {
    pub(super) fn tone(&self) -> Tone {
        if self.is_running { Tone::Plain } else { tone(&self.result) }
    }

    /// When it ended, or now.
    pub(super) fn until(&self, period: &Period) -> DateTime<Utc> {
        if self.is_running { period.as_of } else { self.end.unwrap_or(self.start) }
    }

    /// Whether any of it lies in the period.
    pub(super) fn touches(&self, period: &Period) -> bool {
        self.start < period.until && (self.until(period) > period.since || self.start >= period.since)
    }
}

/// The runs that started in that time, oldest first, and whether there are more than can be read.
pub(super) async fn read(
    ask: &Ask<'_>,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<(Vec<Run>, &'static str), Error> {
    let columns = [
        "job_uid",
        "job_name",
        "backup_server_name",
        "start_time",
        "end_time",
        "duration_seconds",
        "is_running",
        "is_retry",
        "result",
    ];
    let filters = [Filter::From("start_time", Cell::Time(from)), Filter::Before("start_time", Cell::Time(until))];
    let rows = ask.rows(&JOB_RUNS, &columns, filters, "start_time desc, session_uid").await?;
    let mut runs: Vec<Run> = rows
        .iter()
        .filter_map(|row| {
            let job = Job {
                name: row.text("job_name").to_owned(),
                server: row.text("backup_server_name").to_owned(),
                uid: row.uid("job_uid"),
            };
            Some(Run {
                job,
                start: row.time("start_time")?,
                end: row.time("end_time"),
                seconds: row.int("duration_seconds"),
                is_running: row.is("is_running"),
                is_retry: row.is("is_retry"),
                result: row.text("result").to_owned(),
            })
        })
        .collect();
    runs.reverse();
    settle(&mut runs);
    Ok((runs, if rows.is_cut() { "There are more runs than are read at once: the oldest are left out." } else { "" }))
}

/// A run may name its job or its server and not the other: it belongs to the only job of that name all the same.
fn settle(runs: &mut [Run]) {
    let mut jobs: BTreeMap<String, BTreeMap<Uuid, String>> = BTreeMap::new();
    for Run { job, .. } in runs.iter() {
        let Some(uid) = job.uid else { continue };
        let server = jobs.entry(job.name.clone()).or_default().entry(uid).or_default();
        if server.is_empty() {
            server.clone_from(&job.server);
        }
    }
    for Run { job, .. } in runs {
        let Some(known) = jobs.get(&job.name) else { continue };
        let mut alike = known.iter().filter(|(uid, server)| match job.uid {
            Some(own) => **uid == own,
            None => job.server.is_empty() || **server == job.server,
        });
        if let (Some((uid, server)), None) = (alike.next(), alike.next()) {
            (job.uid, job.server) = (Some(*uid), server.clone());
        }
    }
}

/// What a job is called among others.
fn label(job: &Job, shared: &BTreeSet<String>) -> String {
    if shared.contains(&job.name) && !job.server.is_empty() {
        format!("{} ({})", job.name, job.server)
    } else {
        job.name.clone()
    }
}

/// Names that several jobs have.
fn shared_names<'a>(jobs: impl Iterator<Item = &'a Job>) -> BTreeSet<String> {
    let jobs: BTreeSet<&Job> = jobs.collect();
    let mut seen = BTreeSet::new();
    jobs.into_iter().filter(|job| !seen.insert(&job.name)).map(|job| job.name.clone()).collect()
}

/// Ended runs a day, by the day on which they started: a table, and the same as a chart.
pub(super) fn by_day(runs: &[Run], days: Vec<NaiveDate>, period: &Period) -> (Table, Body) {
    let ended = runs.iter().filter(|run| !run.is_running);
    let (rows, chart) = counted_by_day(ended.map(|run| (period.day_of(run.start), run.tone())), days);
    let rows = rows
        .into_iter()
        .map(|(day, [good, warning, bad])| {
            vec![Cell::Day(day), int(good + warning + bad), int(good), int(warning), int(bad)]
        })
        .collect();
    (table(&["day", "runs", "success", "warning", "failed"], rows, "Nothing ran."), chart)
}

/// How many good, warning and bad ones there are a day, newest day first, and the same as a chart.
pub(super) fn counted_by_day(
    dated: impl Iterator<Item = (NaiveDate, Tone)>,
    days: Vec<NaiveDate>,
) -> (Vec<(NaiveDate, [usize; 3])>, Body) {
    const TONES: [(&str, Tone); 3] = [("Success", Tone::Good), ("Warning", Tone::Warning), ("Failed", Tone::Bad)];
    let mut counts: BTreeMap<NaiveDate, [usize; 3]> = days.iter().map(|day| (*day, [0; 3])).collect();
    for (day, tone) in dated {
        let part = TONES.iter().position(|(_, known)| *known == tone);
        if let (Some(counts), Some(part)) = (counts.get_mut(&day), part) {
            counts[part] += 1;
        }
    }
    let parts = TONES.iter().enumerate().map(|(n, (name, tone))| Part {
        name: (*name).to_owned(),
        tone: *tone,
        values: counts.values().map(|counts| i64::try_from(counts[n]).unwrap_or(i64::MAX)).collect(),
    });
    // What never happened needs no part in the picture.
    let parts = parts.filter(|part| part.values.iter().any(|value| *value > 0)).collect();
    (counts.into_iter().rev().collect(), Body::Chart(Chart::Columns { days, parts }))
}

/// Jobs by days, those with trouble first; and how many jobs are left out.
///
/// A day is coloured by the run that started last on it: a retry that succeeds repairs the day.
pub(super) fn heat_map(runs: &[Run], days: Vec<NaiveDate>, period: &Period, most: usize) -> (Body, usize) {
    let mut jobs: BTreeMap<&Job, BTreeMap<NaiveDate, (&Run, usize)>> = BTreeMap::new();
    for run in runs.iter().filter(|run| !run.is_running) {
        let day = jobs.entry(&run.job).or_default().entry(period.day_of(run.start)).or_insert((run, 0));
        // Runs come in the order of their start.
        *day = (run, day.1 + 1);
    }
    let shared = shared_names(jobs.keys().copied());
    let mut rows: Vec<([usize; 2], HeatRow)> = jobs
        .iter()
        .map(|(job, by_day)| {
            let field = |day: &NaiveDate| {
                by_day.get(day).map(|(run, count)| {
                    let runs = if *count == 1 { String::new() } else { format!(", the last of {count} runs") };
                    (run.tone(), format!("{}{runs}", run.result))
                })
            };
            let fields: Vec<Option<(Tone, String)>> = days.iter().map(field).collect();
            let days_of = |tone| fields.iter().flatten().filter(|(known, _)| *known == tone).count();
            let trouble = [days_of(Tone::Bad), days_of(Tone::Warning)];
            (trouble, HeatRow { name: label(job, &shared), fields })
        })
        .collect();
    rows.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.name.cmp(&b.1.name)));
    let rest = rows.len().saturating_sub(most);
    rows.truncate(most);
    (Body::Chart(Chart::HeatMap { days, rows: rows.into_iter().map(|(_, row)| row).collect() }), rest)
}

/// When what ran in the period, in the order of the first start; and how many jobs are left out.
pub(super) fn gantt(runs: &[Run], period: &Period, most: usize) -> (Body, usize) {
    let touching: Vec<&Run> = runs.iter().filter(|run| run.touches(period)).collect();
    let shared = shared_names(touching.iter().map(|run| &run.job));
    let mut rows: Vec<(&Job, GanttRow)> = Vec::new();
    for run in touching {
        let end = run.until(period);
        let ended = if run.is_running { "still running".to_owned() } else { format!("to {}", period.show(end)) };
        let result = if run.is_running { "" } else { run.result.as_str() };
        let text = format!("{result} {} {ended}", period.show(run.start)).trim().to_owned();
        let bar = Bar { from: run.start.max(period.since), to: end.min(period.until), tone: run.tone(), text };
        match rows.iter_mut().find(|(job, _)| **job == run.job) {
            Some((_, row)) => row.bars.push(bar),
            None => rows.push((&run.job, GanttRow { name: label(&run.job, &shared), bars: vec![bar] })),
        }
    }
    let rest = rows.len().saturating_sub(most);
    rows.truncate(most);
    let rows = rows.into_iter().map(|(_, row)| row).collect();
    (Body::Chart(Chart::Gantt { from: period.since, to: period.until, rows }), rest)
}

#[cfg(test)]
pub(super) mod tests {
    use chrono::TimeDelta;
    use chrono_tz::Tz;

    use super::*;

    pub(in crate::report) fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    pub(in crate::report) fn run(job: &str, server: &str, start: &str, minutes: i64, result: &str) -> Run {
        let start = time(start);
        Run {
            job: Job { name: job.to_owned(), server: server.to_owned(), uid: None },
            start,
            end: (minutes >= 0).then(|| start + TimeDelta::minutes(minutes)),
            seconds: (minutes >= 0).then_some(minutes * 60),
            is_running: minutes < 0,
            is_retry: false,
            result: result.to_owned(),
        }
    }

    pub(in crate::report) fn period(since: &str, until: &str, zone: Tz) -> Period {
        Period { since: time(since), until: time(until), as_of: time(until), zone }
    }

    #[test]
    fn a_run_that_names_its_job_in_part_belongs_to_the_only_one_that_fits() {
        let with_uid = |mut run: Run, uid: u128| {
            run.job.uid = Some(Uuid::from_u128(uid));
            run
        };
        let at = "2026-03-01T01:00:00Z";
        let mut runs = [
            with_uid(run("a", "x", at, 5, "Success"), 1),
            with_uid(run("a", "", at, 5, "Success"), 1),
            run("a", "", at, 5, "Success"),
            with_uid(run("b", "x", at, 5, "Success"), 2),
            with_uid(run("b", "y", at, 5, "Success"), 3),
            run("b", "y", at, 5, "Success"),
            run("b", "", at, 5, "Success"),
            run("c", "", at, 5, "Success"),
        ];
        settle(&mut runs);
        let found: Vec<(&str, &str, Option<u128>)> =
            runs.iter().map(|run| (&*run.job.name, &*run.job.server, run.job.uid.map(|uid| uid.as_u128()))).collect();
        assert_eq!(
            found,
            [
                ("a", "x", Some(1)),
                ("a", "x", Some(1)),
                ("a", "x", Some(1)),
                ("b", "x", Some(2)),
                ("b", "y", Some(3)),
                ("b", "y", Some(3)),
                ("b", "", None),
                ("c", "", None),
            ]
        );
    }

    #[test]
    fn runs_are_counted_on_the_day_of_their_start_in_the_zone() {
        let berlin = period("2026-03-28T23:00:00Z", "2026-03-30T22:00:00Z", Tz::Europe__Berlin);
        let runs = [
            run("a", "x", "2026-03-28T22:59:59Z", 5, "Failed"),
            run("a", "x", "2026-03-28T23:00:00Z", 5, "Success"),
            // The last second of a day of 23 hours.
            run("a", "x", "2026-03-29T21:59:59Z", 5, "Warning"),
            run("a", "x", "2026-03-29T22:00:00Z", 5, "Failed"),
            run("a", "x", "2026-03-30T21:00:00Z", -1, "Success"),
        ];
        let (table, chart) = by_day(&runs, berlin.days(14), &berlin);
        let day = |text: &str| Cell::Day(text.parse().unwrap());
        let row = |text, counts: [i64; 4]| [vec![day(text)], counts.map(Cell::Int).to_vec()].concat();
        assert_eq!(table.rows, [row("2026-03-30", [1, 0, 0, 1]), row("2026-03-29", [2, 1, 1, 0])]);
        let Body::Chart(Chart::Columns { days, parts }) = chart else { panic!("no columns") };
        assert_eq!(days.len(), 2);
        let parts: Vec<(&str, &[i64])> = parts.iter().map(|part| (part.name.as_str(), &*part.values)).collect();
        assert_eq!(parts, [("Success", &[1, 0][..]), ("Warning", &[1, 0]), ("Failed", &[0, 1])]);
    }

    #[test]
    fn a_day_of_a_job_is_coloured_by_its_last_run_and_trouble_comes_first() {
        let utc = period("2026-03-01T00:00:00Z", "2026-03-03T00:00:00Z", Tz::UTC);
        let runs = [
            run("good", "x", "2026-03-01T01:00:00Z", 5, "Success"),
            run("repaired", "x", "2026-03-01T01:00:00Z", 5, "Failed"),
            run("repaired", "x", "2026-03-01T02:00:00Z", 5, "Success"),
            run("same", "y", "2026-03-01T03:00:00Z", 5, "Success"),
            run("same", "x", "2026-03-02T01:00:00Z", 5, "Success"),
            run("same", "x", "2026-03-02T02:00:00Z", 5, "Failed"),
        ];
        let (Body::Chart(Chart::HeatMap { rows, .. }), rest) = heat_map(&runs, utc.days(14), &utc, 3) else {
            panic!("no heat map")
        };
        assert_eq!(rest, 1);
        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["same (x)", "good", "repaired"]);
        assert_eq!(rows[0].fields, [None, Some((Tone::Bad, "Failed, the last of 2 runs".to_owned()))]);
        assert_eq!(rows[2].fields[0], Some((Tone::Good, "Success, the last of 2 runs".to_owned())));
    }

    #[test]
    fn bars_are_cut_to_the_period_and_what_runs_reaches_to_now() {
        let utc = period("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", Tz::UTC);
        let runs = [
            run("before", "x", "2026-02-28T20:00:00Z", 30, "Success"),
            run("into", "x", "2026-02-28T23:30:00Z", 60, "Warning"),
            run("running", "x", "2026-03-01T23:00:00Z", -1, "None"),
        ];
        let (Body::Chart(Chart::Gantt { rows, .. }), 0) = gantt(&runs, &utc, 9) else { panic!("no chart") };
        let bars: Vec<(&str, String, String)> = rows
            .iter()
            .map(|row| {
                let bar = &row.bars[0];
                (row.name.as_str(), bar.from.format("%H:%M").to_string(), bar.to.format("%H:%M").to_string())
            })
            .collect();
        assert_eq!(
            bars,
            [("into", "00:00".to_owned(), "00:30".to_owned()), ("running", "23:00".to_owned(), "00:00".to_owned())]
        );
        assert_eq!(rows[1].bars[0].text, "2026-03-01 23:00 still running");
    }
}
