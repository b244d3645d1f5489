//! A history told line by line, and the rows that it leaves in the tables. What has no name of its own, such as a
//! session, has a label here, by which the expected answers name it.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use chrono::{NaiveDateTime, TimeDelta};
use uuid::Uuid;

use crate::support::database::Database;

pub use Length::{NoEnd, Running};
pub use Outcome::{Failed, NoResult, Success, Warning};

/// How long a session took.
pub enum Length {
    For(TimeDelta),
    /// It has not ended.
    Running,
    /// It says that it has ended, and not when.
    NoEnd,
}

impl From<TimeDelta> for Length {
    fn from(length: TimeDelta) -> Self {
        Self::For(length)
    }
}

pub fn hours(hours: i64) -> TimeDelta {
    TimeDelta::hours(hours)
}

pub fn mins(minutes: i64) -> TimeDelta {
    TimeDelta::minutes(minutes)
}

pub fn secs(seconds: i64) -> TimeDelta {
    TimeDelta::seconds(seconds)
}

#[derive(Debug, Clone, Copy)]
pub enum Outcome {
    Success,
    Warning,
    Failed,
    NoResult,
}

impl Outcome {
    fn literal(self) -> String {
        match self {
            NoResult => text("None"),
            _ => text(&format!("{self:?}")),
        }
    }
}

struct Row {
    table: &'static str,
    values: BTreeMap<&'static str, String>,
}

/// A job or CDP policy.
#[derive(Clone)]
struct Job {
    name: String,
    job_type: &'static str,
    server: String,
    em: i64,
}

/// The run that machines are added to.
struct Run {
    label: String,
    job: Job,
    job_label: String,
    start: NaiveDateTime,
}

#[derive(Default)]
pub struct Story {
    rows: Vec<Row>,
    jobs: HashMap<String, Job>,
    uids: HashMap<String, Uuid>,
    labels: HashMap<Uuid, String>,
    em: i64,
    server: String,
    run: Option<Run>,
}

const WHEN: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";

pub fn moment(at: &str) -> NaiveDateTime {
    let at = if at.len() > 16 { at.to_owned() } else { format!("{at}:00") };
    NaiveDateTime::parse_from_str(&at, "%Y-%m-%d %H:%M:%S%.f").expect("a time")
}

fn time(at: &str) -> String {
    instant(moment(at))
}

fn instant(at: NaiveDateTime) -> String {
    format!("'{}'", at.format(WHEN))
}

fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// What the tables of a job type are called: its sessions, its tasks, and what a job is called in their columns.
fn tables(job_type: &str) -> (&'static str, &'static str, [&'static str; 4]) {
    let job = ["job_uid", "job_name", "job_type", "job_session_uid"];
    match job_type {
        "Replica" => ("replica_job_sessions", "replica_task_sessions", job),
        "CdpReplica" => (
            "cdp_replica_sessions",
            "cdp_replica_task_sessions",
            ["policy_uid", "policy_name", "policy_type", "policy_session_uid"],
        ),
        _ => ("backup_job_sessions", "backup_task_sessions", job),
    }
}

impl Story {
    /// The label of a UID; what the story does not know is an error of the answer.
    pub fn label(&self, uid: Uuid) -> &str {
        self.labels.get(&uid).map_or("a UID that nobody gave", String::as_str)
    }

    fn uid(&mut self, label: &str) -> String {
        let next = Uuid::from_u128(self.uids.len() as u128 + 1);
        let uid = *self.uids.entry(label.to_owned()).or_insert(next);
        self.labels.insert(uid, label.to_owned());
        text(&uid.to_string())
    }

    fn put(&mut self, table: &'static str, values: Vec<(&'static str, String)>) -> &mut Self {
        self.rows.push(Row { table, values: values.into_iter().collect() });
        self
    }

    /// Changes the row that was told last.
    fn set(&mut self, column: &'static str, value: String) -> &mut Self {
        self.rows.last_mut().expect("something was told").values.insert(column, value);
        self
    }

    fn parent(&mut self, table: &'static str, mut values: Vec<(&'static str, String)>) -> &mut Self {
        values.extend([("first_seen_at", time("2025-01-01 00:00")), ("updated_at", time("2025-01-01 00:00"))]);
        self.put(table, values)
    }

    /// The Enterprise Manager of what is told from here on.
    pub fn manager(&mut self, id: i64, name: &str) -> &mut Self {
        self.em = id;
        self.parent(
            "enterprise_managers",
            vec![("id", id.to_string()), ("name", text(name)), ("base_url", text("https://em"))],
        )
    }

    /// The backup server of what is told from here on.
    pub fn server(&mut self, name: &str) -> &mut Self {
        name.clone_into(&mut self.server);
        let uid = self.uid(name);
        let values = vec![("uid", uid), ("em_id", self.em.to_string()), ("name", text(name))];
        self.parent("backup_servers", values)
    }

    /// A job, or a CDP policy where its type is `CdpReplica`.
    pub fn job(&mut self, label: &str, name: &str, job_type: &'static str) -> &mut Self {
        let job = Job { name: name.to_owned(), job_type, server: self.server.clone(), em: self.em };
        self.jobs.insert(label.to_owned(), job);
        let (table, type_column) =
            if job_type == "CdpReplica" { ("cdp_policies", "policy_type") } else { ("jobs", "job_type") };
        let values = vec![
            ("uid", self.uid(label)),
            ("em_id", self.em.to_string()),
            ("backup_server_uid", self.uid(&self.server.clone())),
            ("name", text(name)),
            (type_column, text(job_type)),
        ];
        self.parent(table, values)
    }

    pub fn scheduled(&mut self, is_enabled: bool) -> &mut Self {
        self.set("schedule_enabled", is_enabled.to_string())
    }

    pub fn missing_since(&mut self, at: &str) -> &mut Self {
        self.set("source_missing_since", time(at))
    }

    /// What every session has.
    fn session(
        &mut self,
        table: &'static str,
        label: &str,
        (start, length): (NaiveDateTime, Length),
        result: Outcome,
        (em, server): (i64, &str),
    ) -> &mut Self {
        let [open, finished] =
            if table.ends_with("task_sessions") { ["InProgress", "Completed"] } else { ["Working", "Stopped"] };
        let (state, end) = match length {
            Length::For(length) => (finished, instant(start + length)),
            Running => (open, "null".to_owned()),
            NoEnd => (finished, "null".to_owned()),
        };
        let values = vec![
            ("uid", self.uid(label)),
            ("em_id", em.to_string()),
            ("backup_server_uid", self.uid(server)),
            ("name", text(label)),
            ("creation_time", instant(start)),
            ("end_time", end),
            ("state", text(state)),
            ("result", result.literal()),
            ("first_seen_at", instant(start)),
            ("updated_at", instant(start)),
        ];
        self.put(table, values)
    }

    /// A run of a job, or a session of a policy. The machines that follow are its tasks.
    pub fn run(
        &mut self,
        label: &str,
        job_label: &str,
        start: &str,
        length: impl Into<Length>,
        result: Outcome,
    ) -> &mut Self {
        let job = self.jobs[job_label].clone();
        let start = moment(start);
        let (table, _, [uid, name, job_type, _]) = tables(job.job_type);
        let job_uid = self.uid(job_label);
        self.session(table, label, (start, length.into()), result, (job.em, &job.server));
        self.set(uid, job_uid).set(name, text(&job.name)).set(job_type, text(job.job_type));
        self.set("is_retry", "false".to_owned());
        self.run = Some(Run { label: label.to_owned(), job, job_label: job_label.to_owned(), start });
        self
    }

    pub fn retry(&mut self) -> &mut Self {
        self.set("is_retry", "true".to_owned())
    }

    /// The job had another name when this run was.
    pub fn then_named(&mut self, name: &str) -> &mut Self {
        self.set("job_name", text(name))
    }

    /// Enterprise Manager left out an element.
    pub fn without(&mut self, column: &'static str) -> &mut Self {
        self.set(column, "null".to_owned())
    }

    /// A machine's part of the run that was told last, so long after the run began.
    pub fn vm(
        &mut self,
        name: &str,
        after: TimeDelta,
        length: impl Into<Length>,
        result: Outcome,
        size: i64,
    ) -> &mut Self {
        let Run { label, job, job_label, start } = self.run.take().expect("a run was told");
        let (_, table, [job_column, _, _, session_column]) = tables(job.job_type);
        let mut task = format!("{label}/{name}");
        for n in 2.. {
            if !self.uids.contains_key(&task) {
                break;
            }
            task = format!("{label}/{name} {n}");
        }
        let (job_uid, session_uid) = (self.uid(&job_label), self.uid(&label));
        self.session(table, &task, (start + after, length.into()), result, (job.em, &job.server));
        self.set(job_column, job_uid).set(session_column, session_uid);
        self.set("vm_display_name", text(name)).set("total_size_bytes", size.to_string());
        self.run = Some(Run { label, job, job_label, start });
        self
    }

    /// A machine's backup whose run is not known.
    pub fn lone_backup(&mut self, label: &str, vm: &str, start: &str, length: TimeDelta, result: Outcome) -> &mut Self {
        let (em, server) = (self.em, self.server.clone());
        let elsewhere = self.uid("a run that was never read");
        self.session("backup_task_sessions", label, (moment(start), length.into()), result, (em, &server));
        self.set("job_session_uid", elsewhere).set("vm_display_name", text(vm)).set("total_size_bytes", "0".to_owned())
    }

    /// Why it failed or warned.
    pub fn because(&mut self, reason: &str) -> &mut Self {
        let is_task = self.rows.last().expect("something was told").table.ends_with("task_sessions");
        self.set(if is_task { "reason" } else { "failure_message" }, text(reason));
        self.set("reason_group", text(&format!("~{reason}")))
    }

    pub fn restore(
        &mut self,
        label: &str,
        (restore_type, vm): (&str, &str),
        start: &str,
        length: impl Into<Length>,
        result: Outcome,
    ) -> &mut Self {
        let (em, server) = (self.em, self.server.clone());
        self.session("restore_sessions", label, (moment(start), length.into()), result, (em, &server));
        self.set("restore_type", text(restore_type)).set("vm_display_name", text(vm))
    }

    /// The restore point that the restore read.
    pub fn reading(&mut self, label: &str, name: &str) -> &mut Self {
        let uid = self.uid(label);
        self.set("vm_restore_point_uid", uid).set("vm_restore_point_name", text(name))
    }

    pub fn failover(
        &mut self,
        label: &str,
        name: &str,
        start: &str,
        length: impl Into<Length>,
        result: Outcome,
    ) -> &mut Self {
        let (em, server) = (self.em, self.server.clone());
        self.session("cloud_failover_sessions", label, (moment(start), length.into()), result, (em, &server));
        self.set("job_type", text("FailoverPlan")).set("name", text(name))
    }

    /// The session says which plan it is of.
    pub fn of_plan(&mut self, name: &str) -> &mut Self {
        self.set("cloud_failover_plan_name", text(name))
    }

    /// A machine of a failover.
    pub fn failed_over(
        &mut self,
        session: &str,
        position: i64,
        vm: &str,
        start: &str,
        length: TimeDelta,
        result: Outcome,
    ) -> &mut Self {
        let values = vec![
            ("session_uid", self.uid(session)),
            ("task_position", position.to_string()),
            ("vm_name", text(vm)),
            ("creation_time", time(start)),
            ("end_time", instant(moment(start) + length)),
            ("state", text("Stopped")),
            ("result", result.literal()),
        ];
        self.put("cloud_failover_task_sessions", values)
    }

    /// A test of a plan that vemsync sent, and the session that came of it.
    pub fn tested_by(&mut self, session: &str, plan: &str, requested_by: &str, reason: &str, at: &str) -> &mut Self {
        let values = vec![
            ("em_id", self.em.to_string()),
            ("plan_uid", self.uid(plan)),
            ("plan_name", text(plan)),
            ("action", text("test")),
            ("plan_fingerprint", text("")),
            ("request", text("")),
            ("state", text("finished")),
            ("requested_by", text(requested_by)),
            ("requested_on", text("desk")),
            ("reason", text(reason)),
            ("requested_at", time(at)),
            ("task_id", text("task-42")),
            ("session_uid", self.uid(session)),
            ("updated_at", time(at)),
        ];
        self.put("failover_operations", values)
    }

    /// How far a stream is read; an empty server for rows that name none.
    pub fn mark(&mut self, kind: &str, server: &str, field: &str, mark: &str, scanned_at: &str) -> &mut Self {
        let server = if server.is_empty() { text(&Uuid::nil().to_string()) } else { self.uid(server) };
        let values = vec![
            ("em_id", self.em.to_string()),
            ("kind", text(kind)),
            ("backup_server_uid", server),
            ("field", text(field)),
            ("mark", time(mark)),
            ("scanned_at", time(scanned_at)),
            ("overlap_seconds", "3600".to_owned()),
            ("rows_per_hour", "1".to_owned()),
            ("updated_at", time(scanned_at)),
        ];
        self.put("sync_marks", values)
    }

    pub fn sweep(&mut self, kind: &str, started_at: &str, finished_at: Option<&str>) -> &mut Self {
        let mut values = vec![("em_id", self.em.to_string()), ("kind", text(kind)), ("scope", text("recent"))];
        for column in ["range_start", "range_end", "reached", "started_at", "updated_at"] {
            values.push((column, time(started_at)));
        }
        for column in ["rows_compared", "rows_missing", "rows_different", "rows_absent"] {
            values.push((column, "0".to_owned()));
        }
        values.push(("finished_at", finished_at.map_or("null".to_owned(), time)));
        self.put("sync_sweeps", values)
    }

    /// A record that could not be stored, and how often it was seen.
    pub fn reject(&mut self, kind: &str, raw: &str, at: &str, times: i64) -> &mut Self {
        let values = vec![
            ("em_id", self.em.to_string()),
            ("kind", text(kind)),
            ("digest", text(raw)),
            ("reason", text("no time")),
            ("raw", text(raw)),
            ("first_seen_at", time(at)),
            ("last_seen_at", time(at)),
            ("times", times.to_string()),
        ];
        self.put("sync_rejects", values)
    }

    /// A job's own RPO.
    pub fn rpo(&mut self, job: &str, rpo_hours: i64) -> &mut Self {
        let values = vec![("job_uid", self.uid(job)), ("rpo_hours", rpo_hours.to_string())];
        self.put("report_settings", values)
    }

    /// Writes all of it into an empty database, where this moment counts as now.
    pub async fn fill(&self, database: &Database, as_of: &str) {
        database.open().await.close().await;
        let mut sql = format!("begin;\nupdate report_settings set as_of = {};\n", time(as_of));
        for Row { table, values } in &self.rows {
            let columns: Vec<&str> = values.keys().copied().collect();
            let literals: Vec<&str> = values.values().map(String::as_str).collect();
            let identity =
                if database.is_postgres && *table == "enterprise_managers" { " overriding system value" } else { "" };
            let (columns, literals) = (columns.join(", "), literals.join(", "));
            writeln!(sql, "insert into {table} ({columns}){identity} values ({literals});").expect("a string");
        }
        database.execute(&format!("{sql}commit;")).await;
    }
}
