//! Random histories, written straight into the tables, with everything that a source may get wrong: ends before starts,
//! unknown results, tasks without parents, sizes beyond reason, names of all lengths.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use uuid::Uuid;
use vemsync::report::views::VIEWS;
use vemsync::store::{Cell, SqlStore, View};

use super::{answer, open};
use crate::support::database::{Database, both};
use crate::support::world::start;

const WORLDS: u64 = 200;
const RESULTS: [&str; 7] = ["Success", "Success", "Success", "Warning", "Failed", "None", "Odd"];
const JOB_TYPES: [&str; 4] = ["Backup", "ImmediateBackupCopyWorker", "AgentManagement", "Replica"];

/// One row of a table: column and literal, the same on both databases.
type Values = Vec<(&'static str, String)>;

struct Random {
    rng: Rng,
    servers: Vec<Uuid>,
    jobs: Vec<(Uuid, &'static str)>,
    policies: Vec<Uuid>,
    rows: Vec<(&'static str, Values)>,
}

fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn time(value: DateTime<Utc>) -> String {
    format!("'{}'", value.format("%Y-%m-%dT%H:%M:%S%.6fZ"))
}

impl Random {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut uids = |count: usize| (0..count).map(|_| Uuid::from_u128(rng.u128(..))).collect::<Vec<_>>();
        let (servers, jobs, policies) = (uids(2), uids(5), uids(2));
        let jobs = jobs.into_iter().map(|uid| (uid, *rng.choice(&JOB_TYPES).expect("some"))).collect();
        let mut random = Self { rng, servers, jobs, policies, rows: Vec::new() };
        random.parents();
        for _ in 0..random.rng.usize(3..25) {
            random.run();
        }
        for _ in 0..random.rng.usize(0..8) {
            random.policy_session();
            random.restore();
            random.failover();
        }
        random.settings();
        random
    }

    fn parents(&mut self) {
        let seen = [("first_seen_at", time(start())), ("updated_at", time(start()))];
        self.rows.push((
            "enterprise_managers",
            vec![
                ("id", "1".to_owned()),
                ("name", text("em")),
                ("base_url", text("")),
                seen[0].clone(),
                seen[1].clone(),
            ],
        ));
        for uid in self.servers.clone() {
            let name =
                if self.rng.u8(..4) == 0 { "null".to_owned() } else { text(&format!("server {}", self.rng.u8(..3))) };
            self.parent("backup_servers", uid, vec![("name", name)]);
        }
        for (n, (uid, job_type)) in self.jobs.clone().into_iter().enumerate() {
            let name = match (job_type, self.rng.u8(..4)) {
                (_, 0) => "null".to_owned(),
                ("ImmediateBackupCopyWorker", _) => {
                    text(&format!("job {}\\job {}", self.rng.u8(..4), self.rng.u8(..4)))
                }
                (_, 1) => text(&format!("job {}", self.rng.u8(..4))),
                _ => text(&format!("job {n}")),
            };
            let values = vec![
                ("name", name),
                ("job_type", text(job_type)),
                ("backup_server_uid", self.server()),
                ("schedule_enabled", self.flag()),
            ];
            self.parent("jobs", uid, values);
        }
        for uid in self.policies.clone() {
            self.parent("cdp_policies", uid, vec![("name", text("policy"))]);
        }
    }

    fn parent(&mut self, table: &'static str, uid: Uuid, mut values: Values) {
        let seen = time(start() - TimeDelta::days(self.rng.i64(0..100)));
        values.extend([
            ("uid", text(&uid.to_string())),
            ("em_id", "1".to_owned()),
            ("first_seen_at", seen.clone()),
            ("updated_at", seen),
        ]);
        self.rows.push((table, values));
    }

    fn settings(&mut self) {
        if self.rng.bool() {
            let job = self.jobs[0].0;
            let values = vec![("job_uid", text(&job.to_string())), ("rpo_hours", self.rng.i64(1..1000).to_string())];
            self.rows.push(("report_settings", values));
        }
    }

    fn server(&mut self) -> String {
        if self.rng.u8(..12) == 0 {
            "null".to_owned()
        } else {
            text(&self.rng.choice(&self.servers).expect("some").to_string())
        }
    }

    fn flag(&mut self) -> String {
        ["true", "false", "null"][self.rng.usize(..3)].to_owned()
    }

    fn moment(&mut self) -> DateTime<Utc> {
        let back = match self.rng.u8(..10) {
            0 => TimeDelta::days(self.rng.i64(0..400)),
            1 => -TimeDelta::hours(self.rng.i64(0..30)),
            _ => TimeDelta::minutes(self.rng.i64(0..60 * 24 * 45)),
        };
        let fraction = if self.rng.bool() { self.rng.i64(0..1_000_000) } else { 0 };
        let at = start() - back;
        // Midnights, where days change hands.
        if self.rng.u8(..6) == 0 {
            at.date_naive().and_time(chrono::NaiveTime::MIN).and_utc()
        } else {
            at + TimeDelta::microseconds(fraction)
        }
    }

    fn machine(&mut self) -> String {
        match self.rng.u8(..20) {
            0 => "null".to_owned(),
            1 => text(&"long ".repeat(self.rng.usize(90..120))),
            2 => text("it's «é» 🚚"),
            _ => text(&format!("vm {}", self.rng.u8(..6))),
        }
    }

    fn size(&mut self) -> String {
        match self.rng.u8(..12) {
            0 => "null".to_owned(),
            1 => i64::MAX.to_string(),
            2 => "0".to_owned(),
            _ => self.rng.i64(1..1 << 45).to_string(),
        }
    }

    /// What every session has. Returns its UID and its start.
    fn session(
        &mut self,
        table: &'static str,
        finished: &'static str,
        open: &'static str,
        at: DateTime<Utc>,
        mut values: Values,
    ) -> Uuid {
        let uid = Uuid::from_u128(self.rng.u128(..));
        let (state, end) = match self.rng.u8(..12) {
            0 => (open, "null".to_owned()),
            1 => (finished, "null".to_owned()),
            2 => (open, time(at)),
            3 => (finished, time(at - TimeDelta::seconds(self.rng.i64(0..5000)))),
            _ => (finished, time(at + TimeDelta::milliseconds(self.rng.i64(0..100_000_000)))),
        };
        let result = *self.rng.choice(&RESULTS).expect("some");
        values.extend([
            ("uid", text(&uid.to_string())),
            ("em_id", "1".to_owned()),
            ("name", text("session")),
            ("creation_time", time(at)),
            ("end_time", end),
            ("state", text(state)),
            ("result", text(result)),
            ("reason_group", text("group")),
            ("first_seen_at", time(at)),
            ("updated_at", time(at)),
        ]);
        self.rows.push((table, values));
        uid
    }

    fn run(&mut self) {
        let (job, job_type) = *self.rng.choice(&self.jobs.clone()).expect("some");
        let at = self.moment();
        let server = self.server();
        let (sessions, tasks) = if job_type == "Replica" {
            ("replica_job_sessions", "replica_task_sessions")
        } else {
            ("backup_job_sessions", "backup_task_sessions")
        };
        let job = if self.rng.u8(..10) == 0 { "null".to_owned() } else { text(&job.to_string()) };
        let retry = self.flag();
        let values = vec![
            ("job_uid", job.clone()),
            ("job_name", text("job then")),
            ("job_type", text(job_type)),
            ("is_retry", retry),
            ("backup_server_uid", server.clone()),
        ];
        let run = self.session(sessions, "Stopped", "Working", at, values);
        for _ in 0..self.rng.usize(0..5) {
            let values = vec![
                ("job_session_uid", text(&run.to_string())),
                ("job_uid", job.clone()),
                ("vm_display_name", self.machine()),
                ("reason", text("why")),
                ("total_size_bytes", self.size()),
                ("backup_server_uid", if self.rng.u8(..9) == 0 { self.server() } else { server.clone() }),
            ];
            let at = at + TimeDelta::seconds(self.rng.i64(0..40_000));
            self.session(tasks, "Completed", "InProgress", at, values);
        }
    }

    fn policy_session(&mut self) {
        let policy = text(&self.rng.choice(&self.policies).expect("some").to_string());
        let (at, server) = (self.moment(), self.server());
        let values = vec![
            ("policy_uid", policy.clone()),
            ("policy_name", text("policy then")),
            ("backup_server_uid", server.clone()),
        ];
        let parent = self.session("cdp_replica_sessions", "Stopped", "Working", at, values);
        for _ in 0..self.rng.usize(0..5) {
            let values = vec![
                ("policy_session_uid", text(&parent.to_string())),
                ("policy_uid", policy.clone()),
                ("vm_display_name", self.machine()),
                ("total_size_bytes", self.size()),
                ("backup_server_uid", server.clone()),
            ];
            let at = at + TimeDelta::hours(self.rng.i64(0..24));
            self.session("cdp_replica_task_sessions", "Completed", "InProgress", at, values);
        }
    }

    fn restore(&mut self) {
        let point = match self.rng.u8(..8) {
            0 => "null".to_owned(),
            1 => text("vm@2025-02-30 10:00:00"),
            2 => text("vm@2025-05-30 25:00:00"),
            3 => text("a@b@2025-05-30 10:00:00.12"),
            4 => text("vm@2025-05-30 10:00:00.1234567"),
            5 => text("2025-05-30 10:00:00"),
            6 => text("vm@0000-05-30 10:00:00"),
            _ => text("vm@2025-05-30 10:00:00"),
        };
        let at = self.moment();
        let values = vec![
            ("vm_display_name", self.machine()),
            ("restore_type", text("RestoreVm")),
            ("vm_restore_point_name", point),
            ("backup_server_uid", self.server()),
        ];
        self.session("restore_sessions", "Stopped", "Working", at, values);
    }

    fn failover(&mut self) {
        let at = self.moment();
        let values = vec![("job_type", text("FailoverPlan")), ("backup_server_uid", self.server())];
        let uid = self.session("cloud_failover_sessions", "Stopped", "Working", at, values);
        let (creation, end) = (time(self.moment()), time(self.moment()));
        self.rows.push((
            "cloud_failover_task_sessions",
            vec![
                ("session_uid", text(&uid.to_string())),
                ("task_position", "0".to_owned()),
                ("creation_time", creation),
                ("end_time", end),
            ],
        ));
    }

    fn statements(&self) -> String {
        let mut sql = String::new();
        for (table, values) in &self.rows {
            let (names, literals): (Vec<&str>, Vec<&str>) =
                values.iter().map(|(name, value)| (*name, value.as_str())).unzip();
            let identity = if *table == "enterprise_managers" { " overriding system value" } else { "" };
            let _ =
                writeln!(sql, "insert into {table} ({}){identity} values ({});", names.join(", "), literals.join(", "));
        }
        sql
    }
}

const EMPTY: &str = "delete from cloud_failover_task_sessions; delete from cloud_failover_sessions; delete from restore_sessions;\n\
    delete from backup_task_sessions; delete from replica_task_sessions; delete from cdp_replica_task_sessions;\n\
    delete from backup_job_sessions; delete from replica_job_sessions; delete from cdp_replica_sessions;\n\
    delete from jobs; delete from cdp_policies; delete from backup_servers; delete from enterprise_managers;\n\
    delete from report_settings where as_of is null;\n";

async fn fill(database: &Database, random: &Random) {
    let mut sql = random.statements();
    if !database.is_postgres {
        sql = sql.replace(" overriding system value", "");
    }
    database.execute(&format!("begin;\n{EMPTY}{sql}commit;")).await;
}

fn check(seed: u64, view: &View, rows: &[Vec<Cell>]) {
    for row in rows {
        for ((name, _), cell) in view.columns.iter().zip(row) {
            let is_fine = match cell {
                Cell::Real(value) if name.contains("_pct") => (0.0..=100.0).contains(value),
                Cell::Real(value) => value.is_finite() && *value >= 0.0,
                Cell::Int(value) => *value >= 0 || name.starts_with("change_"),
                _ => true,
            };
            assert!(is_fine, "world {seed}: {}.{name} is {cell:?} in {row:?}", view.name);
        }
    }
}

async fn answers(seed: u64, store: &SqlStore) -> Vec<Vec<Vec<Cell>>> {
    let mut all = Vec::new();
    for view in VIEWS {
        let rows = answer(store, view).await;
        check(seed, view, &rows);
        all.push(rows);
    }
    all
}

#[tokio::test]
async fn no_world_gives_a_rate_above_100_or_a_negative_duration_and_both_databases_agree() {
    let databases = both().await;
    let mut stores = Vec::new();
    for database in &databases {
        database.open().await.close().await;
        database.execute(&format!("update report_settings set as_of = {}", time(start()))).await;
        stores.push(open(database).await);
    }
    for seed in 0..WORLDS {
        let random = Random::new(seed);
        let mut read = Vec::new();
        for (database, store) in databases.iter().zip(&stores) {
            fill(database, &random).await;
            read.push(answers(seed, store).await);
            let of = |name| VIEWS.iter().position(|view| view.name == name).map(|n| &read.last().expect("rows")[n]);
            assert_eq!(of("machine_protection"), of("vm_protection"), "world {seed}");
            let of_machines = "select count(*) from sessions where kind like '%TaskSession' and backup_server_uid is not null\n\
                and length(object_name) <= 500";
            let by_machine = database.number("select count(*) from machine_sessions").await;
            assert_eq!(by_machine, database.number(of_machines).await, "world {seed}");
        }
        for (n, view) in VIEWS.iter().enumerate() {
            let (sqlite, postgres) = (&read[0][n], &read[1][n]);
            let differ: Vec<_> = sqlite.iter().zip(postgres).filter(|(one, other)| one != other).take(3).collect();
            assert!(
                sqlite == postgres,
                "world {seed}: {} has {} rows on SQLite and {} on Postgres: {differ:#?}",
                view.name,
                sqlite.len(),
                postgres.len()
            );
        }
    }
}
