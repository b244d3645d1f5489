use std::collections::HashMap;
use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use sha2::{Digest as _, Sha256};

use super::super::FleetOptions;
use super::{GIB, STORY_PLAN};
use crate::simulator::{Kind, Row, Ticks, World};

const PARENTS: [&str; 4] = ["backup_servers", "jobs", "cdp_policies", "cloud_failover_plans"];

/// What Enterprise Manager shows of a story that ended at `end`, when it is `now`.
struct Told {
    now: DateTime<Utc>,
    end: DateTime<Utc>,
    world: World,
}

/// Every hour of the day, at another minute, told by two fleets.
fn at_any_hour() -> impl Iterator<Item = Told> {
    (0..48).map(|n| {
        let end: DateTime<Utc> = "2026-03-10T00:00:00Z".parse().unwrap();
        let end = end + TimeDelta::hours(n / 2) + TimeDelta::minutes(n * 37 % 60);
        told(u64::try_from(n % 2).unwrap(), end, TimeDelta::zero())
    })
}

fn told(seed: u64, end: DateTime<Utc>, later: TimeDelta) -> Told {
    let options =
        FleetOptions { servers: 3, jobs: 2, vms: 5, days: 30, end, future_hours: later.num_hours(), story: true };
    Told { now: end + later, end, world: World::fleet(seed, &options) }
}

fn time(row: &Row, column: &str) -> Option<DateTime<Utc>> {
    row[column].as_deref().map(|text| Ticks::parse(text).unwrap().utc())
}

fn began(row: &Row) -> DateTime<Utc> {
    time(row, "creation_time").unwrap()
}

fn took(row: &Row) -> Option<TimeDelta> {
    time(row, "end_time").map(|end| end - began(row))
}

fn says<'a>(row: &'a Row, column: &str) -> &'a str {
    row[column].as_deref().unwrap_or_default()
}

impl Told {
    fn rows(&self, kind: Kind, column: &'static str, value: &str) -> Vec<Row> {
        let mut rows = self.world.expected(kind.name(), self.now);
        rows.retain(|row| row[column].as_deref() == Some(value));
        rows
    }

    fn runs(&self, job: &str) -> Vec<Row> {
        self.rows(Kind::BackupJobSession, "job_name", job)
    }

    fn tasks(&self, vm: &str) -> Vec<Row> {
        self.rows(Kind::BackupTaskSession, "vm_display_name", vm)
    }

    fn last_good_end(&self, vm: &str) -> DateTime<Utc> {
        let tasks = self.tasks(vm);
        tasks
            .iter()
            .filter(|row| says(row, "result") == "Success")
            .filter_map(|row| time(row, "end_time"))
            .max()
            .unwrap()
    }

    fn hours_since_good(&self, vm: &str) -> i64 {
        (self.now - self.last_good_end(vm)).num_hours()
    }
}

#[test]
fn one_machine_of_six_fails_every_night_for_want_of_space() {
    for told in at_any_hour() {
        let runs = told.runs("Office servers");
        let since = told.end - TimeDelta::days(5);
        let (before, failing): (Vec<&Row>, Vec<&Row>) = runs.iter().partition(|row| began(row) < since);
        assert!(before.len() > 20 && before.iter().all(|row| says(row, "result") == "Success"), "{}", told.end);
        let retries = failing.iter().filter(|row| says(row, "is_retry") == "true").count();
        assert_eq!((failing.len(), retries), (5 * 4, 5 * 3), "{}", told.end);
        assert!(failing.iter().all(|row| says(row, "result") == "Failed"));
        let mut tasks = told.tasks("office-mail-01");
        tasks.retain(|row| began(row) >= since);
        assert_eq!(tasks.len(), 20);
        for task in tasks {
            let reason = says(&task, "reason");
            assert_eq!((says(&task, "result"), says(&task, "total_size_bytes")), ("Failed", "0"));
            assert!(reason.starts_with("Cannot open the snapshot: ") && reason.contains("not enough free space"));
        }
        assert!((24 * 5..24 * 6 + 1).contains(&told.hours_since_good("office-mail-01")), "{}", told.end);
        for vm in ["office-dc-01", "office-file-01", "office-print-01", "office-sql-01", "office-web-01"] {
            assert!(told.hours_since_good(vm) < 24, "{vm}, {}", told.end);
        }
    }
}

#[test]
fn a_retry_repaired_last_night_and_a_night_a_week_before() {
    for told in at_any_hour() {
        let runs = told.runs("Web shop");
        let failed: Vec<usize> = (0..runs.len()).filter(|at| says(&runs[*at], "result") != "Success").collect();
        let [week, night] = failed[..] else { panic!("{failed:?}, {}", told.end) };
        assert_eq!(night + 2, runs.len(), "{}", told.end);
        assert!(told.end - began(&runs[night]) < TimeDelta::days(1));
        assert_eq!((began(&runs[night]) - began(&runs[week]) + TimeDelta::hours(1)).num_days(), 7);
        for at in [week, night] {
            assert_eq!((says(&runs[at], "result"), says(&runs[at], "is_retry")), ("Failed", "false"));
            let retry = &runs[at + 1];
            assert_eq!((says(retry, "result"), says(retry, "is_retry")), ("Success", "true"));
            let lost: Vec<Row> = told.rows(Kind::BackupTaskSession, "job_session_uid", says(&runs[at], "uid"));
            let saved = told.rows(Kind::BackupTaskSession, "job_session_uid", says(retry, "uid"));
            let names = |rows: &[Row], result: &str| -> Vec<String> {
                let mut names: Vec<_> = rows
                    .iter()
                    .filter(|row| says(row, "result") == result)
                    .map(|row| says(row, "vm_display_name").to_owned())
                    .collect();
                names.sort();
                names
            };
            assert_eq!(names(&lost, "Failed"), ["shop-web-01", "shop-web-02"]);
            assert_eq!(names(&saved, "Success"), names(&lost, "Failed"));
            assert!(lost.iter().all(|row| (says(row, "result") == "Failed") == says(row, "reason").contains("esx-07")));
        }
        for vm in ["shop-db-01", "shop-search-01", "shop-web-01", "shop-web-02"] {
            assert!(told.hours_since_good(vm) < 24, "{vm}, {}", told.end);
        }
    }
}

#[test]
fn a_job_has_grown_out_of_its_window() {
    for told in at_any_hour() {
        let (running, ended): (Vec<Row>, Vec<Row>) =
            told.runs("SAP production").into_iter().partition(|row| took(row).is_none());
        assert!(running.len() <= 1 && ended.len() >= 28, "{}", told.end);
        assert!(running.iter().all(|row| told.end - began(row) < TimeDelta::hours(10)), "{}", told.end);
        let minutes: Vec<i64> = ended.iter().map(|row| took(row).unwrap().num_minutes()).collect();
        assert!((86..126).contains(&minutes[0]), "{minutes:?}");
        assert!((560..580).contains(&minutes[minutes.len() - 1]), "{minutes:?}");
        assert!(minutes.windows(8).all(|week| week[0] < week[7]), "{minutes:?}");
        for (age, row) in ended.iter().rev().enumerate() {
            let end = time(row, "end_time").unwrap();
            assert_eq!(began(row).hour(), 21);
            assert!(age > 2 || end.hour() == 6, "{end}");
        }
        let sizes: Vec<i64> = told
            .tasks("sap-db-01")
            .iter()
            .filter(|row| says(row, "result") == "Success")
            .map(|row| says(row, "total_size_bytes").parse().unwrap())
            .collect();
        assert!((1024 * GIB..1200 * GIB).contains(&sizes[0]) && sizes[sizes.len() - 1] > 3000 * GIB, "{sizes:?}");
        assert!(sizes.is_sorted_by(|a, b| a < b), "{sizes:?}");
    }
}

#[test]
fn one_run_hangs_at_three_times_its_median_or_more() {
    for told in at_any_hour() {
        let (running, ended): (Vec<Row>, Vec<Row>) =
            told.runs("Mail journal").into_iter().partition(|row| took(row).is_none());
        let [hangs] = &running[..] else { panic!("{running:?}, {}", told.end) };
        assert_eq!(says(hangs, "state"), "Working", "{}", told.end);
        let mut usual: Vec<TimeDelta> = ended.iter().filter_map(took).collect();
        usual.sort();
        assert!(told.now - began(hangs) > usual[usual.len() / 2] * 3, "{}", told.end);
        assert!(usual[usual.len() - 1] < TimeDelta::hours(1));
        assert!(ended.iter().all(|row| began(row) < began(hangs)));
        assert!(told.hours_since_good("mail-journal-01") < 24);
        let task = told.tasks("mail-journal-01").pop().unwrap();
        assert_eq!((says(&task, "state"), took(&task)), ("InProgress", None), "{}", told.end);
    }
}

#[test]
fn one_server_is_listed_and_silent_for_three_days() {
    for told in at_any_hour() {
        let servers = told.world.expected_parents("backup_servers", told.now);
        let silent = servers.iter().find(|row| says(row, "name") == "vbr-branch-01.corp.example").unwrap();
        assert_eq!(servers.len(), 4);
        for server in &servers {
            let mut rows: Vec<Row> = Vec::new();
            for kind in Kind::ALL {
                rows.extend(told.rows(kind, "backup_server_uid", says(server, "uid")));
            }
            let newest = rows.iter().map(began).max().unwrap();
            let is_silent = says(server, "uid") == says(silent, "uid");
            assert_eq!(told.now - newest > TimeDelta::days(1), is_silent, "{server:?}, {}", told.end);
            if is_silent {
                assert!((3..4).contains(&(told.now - newest).num_days()), "{newest}, {}", told.end);
                assert!(rows.len() > 60 && rows.iter().all(|row| time(row, "end_time").is_some()));
            }
        }
        // The server itself goes on.
        let last = told.world.sessions(Kind::BackupJobSession).filter(|row| row.server == 3).last().unwrap();
        assert!(told.end - last.creation.utc() < TimeDelta::days(1));
        let jobs = told.world.expected_parents("jobs", told.now);
        let job = jobs.iter().find(|row| says(row, "name") == "Branch office").unwrap();
        assert!((2..4).contains(&(told.now - time(job, "next_run").unwrap()).num_days()));
    }
}

#[test]
fn three_restores_are_told_with_the_time_of_their_point() {
    for told in at_any_hour() {
        let restores = |vm: &str, kind: &str, result: &str| -> Row {
            let mut rows = told.rows(Kind::RestoreSession, "vm_display_name", vm);
            assert_eq!(rows.len(), 1, "{vm}");
            let row = rows.remove(0);
            assert_eq!((says(&row, "restore_type"), says(&row, "result")), (kind, result));
            let (machine, made) = says(&row, "vm_restore_point_name").split_once('@').unwrap();
            let made = Ticks::parse(made).unwrap().utc();
            let point = told.tasks(vm).into_iter().find(|task| {
                task["vm_restore_point_uid"] == row["vm_restore_point_uid"]
                    && time(task, "end_time").is_some_and(|end| end.timestamp() == made.timestamp())
            });
            assert!(machine == vm && made < began(&row) && point.is_some(), "{row:?}");
            assert!(told.end - began(&row) < TimeDelta::days(14));
            row
        };
        let failed = restores("office-print-01", "RestoreVm", "Failed");
        assert!(says(&failed, "failure_message").starts_with("Cannot register"));
        restores("shop-search-01", "RestoreVm", "Success");
        let files = restores("office-file-01", "FileLevelRestore", "Success");
        assert!(took(&files).unwrap() > TimeDelta::hours(5) && told.end - began(&files) < TimeDelta::days(1));
        assert!(says(&files, "name").starts_with("FLR_[office-file-01]@"));
    }
}

#[test]
fn a_failover_follows_its_rehearsal() {
    for told in at_any_hour() {
        let plans = told.world.expected_parents("cloud_failover_plans", told.now);
        let plans: Vec<&Row> = plans.iter().filter(|row| says(row, "name") == STORY_PLAN).collect();
        let [plan] = plans[..] else { panic!("{plans:?}") };
        let sessions = told.rows(Kind::CloudFailoverSession, "cloud_failover_plan_name", STORY_PLAN);
        let [test, real] = &sessions[..] else { panic!("{sessions:?}") };
        let inner = told.world.expected_inner(told.now);
        for (session, days, result, warnings) in [(test, 20, "Success", 0), (real, 6, "Warning", 1)] {
            assert_eq!((says(session, "state"), says(session, "result")), ("Stopped", result));
            assert_eq!(session["cloud_failover_plan_uid"], plan["uid"]);
            assert_eq!((told.end - began(session)).num_days(), days);
            let vms: Vec<_> = inner.iter().filter(|row| row["session_uid"] == session["uid"]).collect();
            let with = |result: &str| vms.iter().filter(|row| says(row, "result") == result).count();
            assert_eq!((vms.len(), with("Warning"), with("Success")), (4, warnings, 4 - warnings));
        }
    }
}

#[test]
fn nobody_mends_it_while_time_goes_on() {
    for hour in [2, 8, 22] {
        let end = "2026-03-10T00:20:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(hour);
        let told = told(3, end, TimeDelta::days(6));
        assert!(told.hours_since_good("office-mail-01") > 24 * 11 - 1);
        assert!(told.hours_since_good("office-dc-01") < 24 + 1);
        assert_eq!(told.runs("Web shop").iter().filter(|row| says(row, "result") == "Failed").count(), 2);
        let sap = told.runs("SAP production");
        assert!(sap.iter().filter_map(took).all(|took| took < TimeDelta::hours(10)));
        assert!(sap.len() > 34);
        let journal = told.runs("Mail journal");
        assert_eq!(journal.iter().filter_map(took).filter(|took| *took > TimeDelta::hours(1)).count(), 1);
        assert!(journal.iter().filter_map(|row| time(row, "end_time")).max() > Some(told.now - TimeDelta::hours(6)));
        let branch = told.runs("Branch office");
        assert!(branch.iter().all(|row| told.end - began(row) > TimeDelta::days(3)) && !branch.is_empty());
    }
}

#[test]
fn a_short_history_holds_what_fits() {
    for days in 1..4 {
        let end = "2026-03-10T08:00:00Z".parse().unwrap();
        let options = FleetOptions { days, story: true, ..FleetOptions::small(end) };
        let world = World::fleet(5, &options);
        for kind in Kind::ALL {
            let mut sessions = world.sessions(kind);
            assert!(sessions.all(|row| row.creation.utc() >= end - TimeDelta::days(days)), "{kind:?}");
        }
        assert!(!Told { now: end, end, world }.runs("Office servers").is_empty());
    }
}

/// Histories that failed once are run again by their seed: the fleet that belongs to it must stay.
#[test]
fn a_fleet_without_a_story_is_the_one_it_always_was() {
    let options = FleetOptions::small("2026-03-10T20:30:00Z".parse().unwrap());
    let world = World::fleet(42, &options);
    let mut rows = String::new();
    for now in [options.end, options.end + TimeDelta::hours(options.future_hours)] {
        for kind in Kind::ALL {
            write!(rows, "{:?}", world.expected(kind.name(), now)).unwrap();
        }
        for table in PARENTS {
            write!(rows, "{:?}", world.expected_parents(table, now)).unwrap();
        }
        write!(rows, "{:?}", world.expected_inner(now)).unwrap();
    }
    let digest = Sha256::digest(rows);
    assert_eq!(digest[..8], [0xd9, 0x34, 0x53, 0x85, 0x0d, 0xdb, 0xc2, 0x0e]);
}

#[test]
fn the_noise_of_a_day_leaves_the_story_audible() {
    for hour in [6, 9, 12, 15] {
        let end = "2026-03-10T00:30:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(hour);
        let options = FleetOptions { servers: 4, jobs: 40, vms: 200, days: 30, end, future_hours: 0, story: true };
        let world = World::fleet(7, &options);
        let (mut failed, mut texts, mut last_good) = (0, String::new(), HashMap::new());
        for kind in [Kind::BackupTaskSession, Kind::ReplicaTaskSession, Kind::CdpReplicaTaskSession] {
            for row in world.expected(kind.name(), end) {
                texts.push_str(says(&row, "reason"));
                failed += i32::from(says(&row, "result") == "Failed" && end - began(&row) < TimeDelta::days(1));
                let machine = (says(&row, "backup_server_uid").to_owned(), says(&row, "vm_display_name").to_owned());
                let good = time(&row, "end_time").filter(|_| says(&row, "result") != "Failed");
                let last = last_good.entry(machine).or_insert(good);
                *last = good.max(*last);
            }
        }
        // Six of them are the story's.
        assert!((6..=14).contains(&failed), "{failed}, {end}");
        let late = |good: &Option<DateTime<Utc>>| good.is_none_or(|good| end - good > TimeDelta::days(1));
        let mut late: Vec<_> = last_good.iter().filter(|(_, good)| late(good)).map(|((_, vm), _)| vm).collect();
        late.sort();
        assert_eq!(late, ["branch-dc-01", "branch-file-01", "office-mail-01"], "{end}");
        for odd in ["\\\\", "\"", "{", "🔑", "\n", "<", "\u{FFFD}"] {
            assert!(texts.contains(odd), "{odd:?}, {end}");
        }
    }
}
