//! Reports: every one in every form, the same on both databases; what is asked wrongly is said in a line; nothing but
//! reading is done, and nothing but reading is needed.

use std::process::Command;

use chrono::TimeDelta;
use serde_json::Value;
use vemsync::report::names::{REPORTS, Subject};
use vemsync::simulator::{FleetOptions, World};
use vemsync::timestamp;

use crate::support::database::{Database, both};
use crate::support::program::{Ended, Place, run};
use crate::support::world::{options, simulate, start, sync, sync_with};

mod reading;

/// A job and a machine of the fleet's story.
const JOB: &str = "Office servers";
const MACHINE: &str = "office-mail-01";

/// A fleet with a story, whose reports speak of the moment at which it ends.
async fn told(databases: &[Database]) {
    let fleet = FleetOptions { servers: 3, jobs: 14, vms: 30, days: 21, story: true, ..FleetOptions::small(start()) };
    let simulator = simulate(World::fleet(71, &fleet)).await;
    for database in databases {
        sync(&simulator, database).await;
        let now = timestamp::format(start());
        database.execute(&format!("update report_settings set as_of = '{now}'")).await;
        // When a stream was read is the only thing that this machine's clock decides.
        database.execute(&format!("update sync_marks set scanned_at = '{now}'")).await;
    }
}

fn command(place: &Place, database: &Database, arguments: &[&str]) -> Command {
    let mut command = place.command(&[&["report"], arguments].concat());
    command.args(["--database", &database.url]);
    command
}

async fn report(place: &Place, database: &Database, arguments: &[&str]) -> Ended {
    run(command(place, database, arguments)).await
}

async fn json(place: &Place, database: &Database, arguments: &[&str]) -> Value {
    let ended = report(place, database, &[arguments, &["--format", "json"]].concat()).await;
    assert_eq!((ended.status, &*ended.err), (Some(0), ""), "{arguments:?}");
    serde_json::from_str(&ended.out).expect("JSON")
}

fn section<'a>(report: &'a Value, id: &str) -> &'a Value {
    let sections = report["sections"].as_array().expect("sections");
    sections.iter().find(|section| section["id"] == id).unwrap_or_else(|| panic!("{} has no {id}", report["report"]))
}

fn rows<'a>(report: &'a Value, id: &str) -> &'a [Value] {
    section(report, id)["rows"].as_array().expect("rows")
}

/// The row in which a column has that value.
fn row<'a>(report: &'a Value, id: &str, column: &str, value: &str) -> &'a Value {
    let found = rows(report, id).iter().find(|row| row[column] == value);
    found.unwrap_or_else(|| panic!("{id} has no {column} {value}: {:#}", section(report, id)))
}

/// Every report with what it has to be about.
fn every_report() -> impl Iterator<Item = Vec<&'static str>> {
    REPORTS.iter().map(|report| match report.subject {
        None => vec![report.name],
        Some(Subject::Job) => vec![report.name, JOB],
        Some(Subject::Machine) => vec![report.name, MACHINE],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_report_has_every_form_and_is_the_same_on_both_databases() {
    let databases = both().await;
    told(&databases).await;
    let place = Place::new("demo");
    for arguments in every_report() {
        let mut said = Vec::new();
        for database in &databases {
            for form in ["table", "csv", "json", "html"] {
                let asked = [&arguments[..], &["--format", form, "--time-zone", "europe/berlin"]].concat();
                let ended = report(&place, database, &asked).await;
                assert_eq!((ended.status, &*ended.err), (Some(0), ""), "{asked:?}");
                assert!(ended.out.len() > 50 && !ended.out.contains('\u{1b}'), "{asked:?}: {}", ended.out);
                said.push((asked, ended.out));
            }
        }
        let (sqlite, postgres) = said.split_at(4);
        for ((asked, sqlite), (_, postgres)) in sqlite.iter().zip(postgres) {
            let differs = sqlite.lines().zip(postgres.lines()).find(|(a, b)| a != b);
            assert!(sqlite == postgres, "{asked:?}: {differs:#?}");
        }
        let json: Value = serde_json::from_str(&sqlite[2].1).expect("JSON");
        assert_eq!(json["report"], arguments[0]);
        assert_eq!(json["time_zone"], "Europe/Berlin");
        let tables = json["sections"].as_array().expect("sections");
        assert!(
            tables.iter().any(|section| section["rows"].as_array().is_some_and(|rows| !rows.is_empty())),
            "{json:#}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_morning_page_finds_what_the_story_hides() {
    let database = Database::sqlite();
    told(std::slice::from_ref(&database)).await;
    let place = Place::new("demo");
    let page = json(&place, &database, &["overview"]).await;

    let failed = row(&page, "failed", "vms", MACHINE);
    assert_eq!((&failed["job_name"], &failed["vm_count"]), (&JOB.into(), &1.into()));
    assert!(failed["reason"].as_str().expect("a reason").contains("not enough free space"), "{failed}");
    // Its retry saved the web shop's night.
    assert!(rows(&page, "failed").iter().all(|row| row["job_name"] != "Web shop"));
    let late = row(&page, "late_jobs", "job_name", "Branch office");
    assert!(late["reason"].as_str().expect("a reason").starts_with("it has not started since"), "{late}");
    assert_eq!(row(&page, "late_jobs", "job_name", JOB)["rpo_hours"], 24);
    assert_eq!(row(&page, "late_vms", "vm_display_name", MACHINE)["job_name"], JOB);
    row(&page, "long_running", "job_name", "Mail journal");
    let silent = row(&page, "silent", "backup_server_name", "vbr-branch-01.corp.example");
    assert_eq!(silent["kind"], Value::Null);
    let behind = page["freshness"]["behind"].as_array().expect("lines");
    assert_eq!(behind.len(), 1, "{behind:?}");
    assert!(behind[0].as_str().expect("a line").contains("vbr-branch-01"), "{behind:?}");

    // The figures are those of the tables.
    let figures = &section(&page, "figures")["figures"];
    let since = timestamp::format(start() - TimeDelta::hours(24));
    let not_workers = "job_type not in ('ImmediateBackupCopyWorker', 'AgentManagement')";
    for (figure, condition) in [
        ("runs", "true"),
        ("runs_failed", "result = 'Failed' and state = 'Stopped' and end_time is not null"),
        ("runs_running", "not (state = 'Stopped' and end_time is not null)"),
    ] {
        let mut runs = 0;
        for table in ["backup_job_sessions", "replica_job_sessions"] {
            runs += database
                .number(&format!(
                    "select count(*) from {table} where creation_time >= '{since}' and {not_workers} and {condition}"
                ))
                .await;
        }
        assert_eq!(figures[figure], runs, "{figure}");
    }
    let good = (figures["runs_success"].as_i64().zip(figures["runs_warning"].as_i64())).map(|(a, b)| a + b);
    let ended = figures["runs"].as_i64().zip(figures["runs_running"].as_i64()).map(|(all, running)| all - running);
    let share = good.zip(ended).map(|(good, ended)| (good * 10_000 / ended) as f64 / 100.0);
    assert_eq!(figures["success_pct"].as_f64(), share);
    let days = rows(&page, "results");
    assert_eq!((days.len(), &days[0]["day"], &days[13]["day"]), (14, &"2025-06-02".into(), &"2025-05-20".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_and_a_machine_are_found_by_name_on_every_server_that_has_one() {
    for database in both().await {
        told(std::slice::from_ref(&database)).await;
        let place = Place::new("demo");
        let job = json(&place, &database, &["job", "OFFICE servers"]).await;
        assert_eq!(job["title"], "Job \"Office servers\"");
        assert_eq!(rows(&job, "failing")[0]["vm_display_name"], MACHINE);
        let runs = database.number("select count(*) from job_runs where job_name = 'Office servers'").await;
        assert_eq!(i64::try_from(rows(&job, "runs").len()), Ok(runs));
        let machine = json(&place, &database, &["vm", MACHINE, "--since", "3d"]).await;
        assert_eq!(rows(&machine, "protections")[0]["consecutive_failures"], 20);
        assert!(rows(&machine, "tasks").iter().all(|row| row["parent_name"] == JOB));
        assert!(rows(&machine, "days").len() <= 4);

        for (arguments, line) in [
            (
                &["job", "office"][..],
                "report: there is no job \"office\"; did you mean \"Office servers\", \"Branch office\"?",
            ),
            (&["job", "Offcie servers"], "report: there is no job \"Offcie servers\"; did you mean \"Office servers\""),
            (
                &["vm", "office-mial-01"],
                "report: there is no machine \"office-mial-01\"; did you mean \"office-mail-01\"",
            ),
            (&["vm", "0"], "report: there is no machine \"0\"; did you mean"),
            (&["job", "_"], "report: there is no job \"_\"; `vemsync report jobs` lists them"),
        ] {
            let ended = report(&place, &database, arguments).await;
            assert_eq!((ended.status, &*ended.out), (Some(2), ""), "{arguments:?}");
            assert!(ended.err.starts_with(line) && ended.err.lines().count() == 1, "{}", ended.err);
        }

        // Two servers have a job, and a machine, of one name.
        for statement in [
            "update jobs set name = 'Twin' where name in ('Web shop', 'Mail journal')",
            "update backup_job_sessions set job_name = 'Twin' where job_name in ('Web shop', 'Mail journal')",
            "update backup_task_sessions set vm_display_name = 'twin' where vm_display_name in ('shop-web-01', 'mail-journal-01')",
        ] {
            database.execute(statement).await;
        }
        for (arguments, table) in [(["job", "twin"], "status"), (["vm", "Twin"], "protections")] {
            let both = json(&place, &database, &arguments).await;
            let servers: Vec<&Value> = rows(&both, table).iter().map(|row| &row["backup_server_name"]).collect();
            assert!(servers.len() == 2 && servers[0] != servers[1], "{servers:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_tables_and_periods_are_as_they_were_asked_for() {
    let database = Database::sqlite();
    told(std::slice::from_ref(&database)).await;
    let place = Place::new("demo");
    for (name, beginning) in
        [("r.html", "<!DOCTYPE html>"), ("r.CSV", "name,value\r\n"), ("r.json", "{\n"), ("r.txt", "Overview\n")]
    {
        let ended = report(&place, &database, &["overview", "-o", name]).await;
        assert_eq!((ended.status, &*ended.out, &*ended.err), (Some(0), "", ""), "{name}");
        let text = std::fs::read_to_string(place.path(name)).expect("a file");
        assert!(text.starts_with(beginning), "{name}: {}", &text[..40]);
    }
    let ended = report(&place, &database, &["overview", "--format", "json", "-o", "r.html"]).await;
    assert_eq!(ended.status, Some(0));
    assert!(std::fs::read_to_string(place.path("r.html")).expect("a file").starts_with("{\n"));
    let ended = report(&place, &database, &["overview", "-o", "none/r.html"]).await;
    assert_eq!((ended.status, ended.err.lines().count()), (Some(1), 1), "{ended:?}");

    let csv = report(&place, &database, &["failures", "--format", "csv", "--table", "reasons"]).await;
    assert!(
        csv.out.starts_with("result,failures,unrepaired,jobs,vm_count,first_end_time,last_end_time,reason_group\r\n")
    );
    let ended = report(&place, &database, &["failures", "--table", "nothing"]).await;
    assert_eq!((ended.status, &*ended.out), (Some(2), ""));
    assert!(ended.err.contains("it has figures, reasons, failures"), "{}", ended.err);

    let night = ["window", "--since", "2025-06-01", "--until", "2025-06-02", "--time-zone", "America/New_York"];
    let window = json(&place, &database, &night).await;
    assert_eq!((&window["since"], &window["until"]), (&"2025-06-01T04:00:00Z".into(), &"2025-06-02T04:00:00Z".into()));
    assert_eq!(rows(&window, "hours").len(), 24);
    let month = json(&place, &database, &["monthly"]).await;
    assert!(rows(&month, "months").iter().all(|row| row["month"] == "2025-05-01"), "{month:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_wrongly_is_said_before_the_database_is_opened() {
    let mut nowhere = Database::sqlite();
    nowhere.url = "sqlite:/nowhere/at/all.db".to_owned();
    let place = Place::new("demo");
    let list = report(&place, &nowhere, &[]).await;
    assert_eq!((list.status, &*list.err), (Some(0), ""));
    assert!(REPORTS.iter().all(|report| list.out.contains(report.line)), "{}", list.out);
    for (arguments, lines) in [
        (&["overveiw"][..], 1),
        (&["job"], 1),
        (&["overview", "x"], 1),
        (&["overview", "--since", "yesterday"], 1),
        (&["overview", "--since", "-7d"], 1),
        (&["overview", "--until", "2026-02-30"], 1),
        (&["overview", "--time-zone", "Berlin"], 1),
        (&["nothing", "--since", "x", "--until", "y", "--time-zone", "z"], 4),
    ] {
        let ended = report(&place, &nowhere, arguments).await;
        assert_eq!((ended.status, &*ended.out), (Some(2), ""), "{arguments:?}");
        assert_eq!(ended.err.lines().count(), lines, "{arguments:?}: {}", ended.err);
    }
    let form = report(&place, &nowhere, &["overview", "--format", "pdf"]).await;
    assert_eq!((form.status, &*form.out), (Some(2), ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_period_that_is_empty_is_refused() {
    let database = Database::sqlite();
    told(std::slice::from_ref(&database)).await;
    let place = Place::new("demo");
    for arguments in [
        &["overview", "--since", "2025-06-02", "--until", "2025-06-01"][..],
        // Now is the fleet's, not this machine's.
        &["overview", "--since", "2025-06-03"],
        &["rpo", "--until", "2025-06-01"],
    ] {
        let ended = report(&place, &database, arguments).await;
        assert_eq!((ended.status, &*ended.out), (Some(2), ""), "{arguments:?}");
        assert_eq!(ended.err.lines().count(), 1, "{arguments:?}: {}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_sessions_there_is_no_report() {
    for database in both().await {
        let place = Place::new("demo");
        database.open().await.close().await;
        let ended = report(&place, &database, &["overview"]).await;
        assert_eq!((ended.status, &*ended.out), (Some(1), ""));
        assert!(ended.err.contains("vemsync sync") && ended.err.contains("vemsync demo"), "{}", ended.err);
        assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
        // Nothing of note was ever sent: every report is there, and says so.
        let simulator = simulate(World::empty(1)).await;
        simulator.with_world(|world| {
            world.add_server("vbr-1", None);
            let at = start() - TimeDelta::hours(2);
            world.add_session(vemsync::simulator::Kind::RestoreSession, 0, at, TimeDelta::minutes(5));
        });
        sync_with(&simulator, &database, &options()).await.expect("a sync");
        for arguments in every_report().filter(|arguments| arguments.len() == 1) {
            let ended = report(&place, &database, &arguments).await;
            assert_eq!((ended.status, &*ended.err), (Some(0), ""), "{arguments:?}");
        }
    }
}
