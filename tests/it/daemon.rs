//! `vemsync run`: what it says of itself, and what it lives through.

mod away;
mod month;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use vemsync::clock::{Clock as _, SystemClock};
use vemsync::simulator::{Clock, Fault, Faults, FleetOptions, Kind, Options as SimulatorOptions, Simulator, World};

use crate::support::database::{Database, both};
use crate::support::program::{Place, run, signal, write_secret};
use crate::support::world::{assert_equal, simulate_with, start};

/// The program as a daemon, and what it has logged so far.
struct Running {
    child: Child,
    log: Arc<Mutex<String>>,
    address: String,
}

impl Running {
    async fn start(place: &Place, database: &Database, more: &[&str]) -> Self {
        let mut command = place.command(&["run", "--listen", "127.0.0.1:0", "--database", &database.url]);
        command.args(more).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program");
        let log = Arc::new(Mutex::new(String::new()));
        let (errors, kept) = (child.stderr.take().expect("a pipe"), log.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                let mut log = kept.lock().expect("no panic");
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut running = Self { child, log, address: String::new() };
        running.until("it runs", || async { running.log().contains(" running ") }).await;
        let log = running.log();
        let address = log.split("listen=").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("an address");
        running.address = address.to_owned();
        running
    }

    fn log(&self) -> String {
        self.log.lock().expect("no panic").clone()
    }

    fn logged(&self, text: &str) -> usize {
        self.log().matches(text).count()
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = browser().get(format!("http://{}{path}", self.address)).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    }

    async fn is_ready(&self) -> bool {
        self.get("/readyz").await.0 == 200
    }

    async fn until<F: Future<Output = bool>>(&self, what: &str, mut is_so: impl FnMut() -> F) {
        let begun = Instant::now();
        while !is_so().await {
            assert!(begun.elapsed() < Duration::from_secs(90), "{what}: not within 90 s\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn until_ready(&self) {
        self.until("it is ready", || self.is_ready()).await;
    }

    /// Ends it, and expects a clean end.
    async fn end(mut self) -> String {
        signal(&self.child, "TERM");
        let ended = tokio::task::spawn_blocking(move || (self.child.wait().expect("an end"), self.log));
        let (status, log) = ended.await.expect("an end");
        tokio::time::sleep(Duration::from_millis(50)).await;
        let log = log.lock().expect("no panic").clone();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(log.trim_end().ends_with("stopped"), "{log}");
        log
    }
}

fn browser() -> reqwest::Client {
    // Another test of this process may have been quicker.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::new()
}

/// A configuration of these managers, as `NAME URL` each.
fn configure(place: &Place, managers: &[(String, &str)], more: &str) {
    let mut text = String::from(more);
    for (name, url) in managers {
        text.push_str(&format!(
            "\n[[enterprise_manager]]\nname = \"{name}\"\nurl = \"{url}\"\nusername = \"demo\"\npassword_file = \"password\"\n"
        ));
    }
    std::fs::write(place.path("vemsync.toml"), text).expect("a file");
}

const EVERY_SECOND: &str = "[sync]\ninterval = \"1s\"\nbackfill = \"30d\"\n";

fn small(seed: u64) -> World {
    let fleet = FleetOptions { servers: 2, jobs: 6, vms: 10, days: 3, end: start(), future_hours: 48, story: false };
    World::fleet(seed, &fleet)
}

/// A simulator whose clock goes on, and a daemon of its own.
async fn simulate(world: World) -> Simulator {
    simulate_with(world, SimulatorOptions { clock: Clock::Running(start()), ..SimulatorOptions::frozen(start()) }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_when_enterprise_manager_is_away_and_when_it_is_back() {
    let check = |database: Database| async move {
        let simulator = simulate(small(1)).await;
        let place = Place::new("demo");
        configure(&place, &[("berlin".to_owned(), simulator.url())], EVERY_SECOND);
        let daemon = Running::start(&place, &database, &[]).await;
        daemon.until_ready().await;
        assert_eq!(daemon.get("/healthz").await, (200, "ok\n".to_owned()));
        let (_, metrics) = daemon.get("/metrics").await;
        for line in ["vemsync_ready 1", "vemsync_manager_up{em=\"berlin\"} 1", "vemsync_database_up 1"] {
            assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
        }
        simulator.set_faults(Faults { seed: 1, rates: vec![(Fault::Reset, 1.0)], logon_too: true });
        daemon.until("it is not ready", || async { !daemon.is_ready().await }).await;
        let (_, said) = daemon.get("/readyz").await;
        assert!(said.contains("berlin: Enterprise Manager cannot be read: "), "{said}");
        let (_, metrics) = daemon.get("/metrics").await;
        assert!(metrics.contains("vemsync_manager_up{em=\"berlin\"} 0"), "{metrics}");
        simulator.clear_faults();
        daemon.until_ready().await;
        let log = daemon.end().await;
        assert_eq!(log.matches("cannot be read").count(), 1, "one line when it begins: {log}");
        assert_eq!(log.matches("Enterprise Manager is back after").count(), 1, "and one when it ends: {log}");
        assert_eq!(simulator.logon_count(), 0, "it did not log off");
    };
    // Most of it is waiting until a stream is late.
    let [sqlite, postgres] = both().await.map(check);
    tokio::join!(sqlite, postgres);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_file_is_taken_over_on_sighup_and_a_bad_one_is_not() {
    for database in both().await {
        let (first, second) = (simulate(small(3)).await, simulate(small(4)).await);
        let place = Place::new("demo");
        let both = [("berlin".to_owned(), first.url()), ("munich".to_owned(), second.url())];
        configure(&place, &both[..1], EVERY_SECOND);
        let daemon = Running::start(&place, &database, &[]).await;
        daemon.until_ready().await;

        std::fs::write(place.path("vemsync.toml"), "[sync]\nintervall = \"1s\"\n").expect("a file");
        signal(&daemon.child, "HUP");
        daemon
            .until("it refuses the file", || async { daemon.logged("is not used: all goes on as before") == 1 })
            .await;
        assert!(daemon.log().contains("did you mean interval"), "{}", daemon.log());
        assert!(daemon.get("/metrics").await.1.contains("vemsync_config_reload_success 0"));
        assert!(daemon.is_ready().await);

        configure(&place, &both, EVERY_SECOND);
        signal(&daemon.child, "HUP");
        let names = || database.column("select name from enterprise_managers order by name");
        daemon.until("it follows the second one", || async { names().await.len() == 2 }).await;
        daemon.until_ready().await;
        assert!(daemon.get("/metrics").await.1.contains("vemsync_config_reload_success 1"));

        configure(&place, &both[1..], EVERY_SECOND);
        signal(&daemon.child, "HUP");
        let told = async || daemon.get("/metrics").await.1.contains("vemsync_manager_up{em=\"berlin\"");
        daemon.until("it leaves the first one", || async { first.logon_count() == 0 && !told().await }).await;
        assert_eq!(second.logon_count(), 1, "who stays the same is not disturbed");

        // It comes back, goes, and comes back while it is still about to go.
        configure(&place, &both, EVERY_SECOND);
        signal(&daemon.child, "HUP");
        daemon.until("it follows the first one again", || async { first.logon_count() == 1 }).await;
        first.set_faults(Faults { seed: 1, rates: vec![(Fault::Hang(Duration::from_secs(1)), 1.0)], logon_too: true });
        configure(&place, &both[1..], EVERY_SECOND);
        signal(&daemon.child, "HUP");
        daemon.until("it is to leave it", || async { daemon.logged("no longer followed") == 2 }).await;
        configure(&place, &both, EVERY_SECOND);
        signal(&daemon.child, "HUP");
        daemon.until("it is to stay", || async { daemon.logged("followed as the new configuration says") >= 2 }).await;
        first.set_faults(Faults::default());
        daemon.until_ready().await;
        assert!(told().await);
        assert_eq!((first.logon_count(), second.logon_count()), (1, 1));
        daemon.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_logon_is_not_tried_again_at_once_not_even_by_the_next_process() {
    for database in both().await {
        let simulator = simulate(small(5)).await;
        let logons = || simulator.requests().iter().filter(|request| request.method == "POST").count();
        let place = Place::new("wrong");
        configure(&place, &[("berlin".to_owned(), simulator.url())], EVERY_SECOND);
        for start in 0..3 {
            let daemon = Running::start(&place, &database, &[]).await;
            daemon.until("it says so", || async { daemon.logged("ERROR") == 1 }).await;
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert_eq!(logons(), 1, "start {start}: {}", daemon.log());
            let (status, said) = daemon.get("/readyz").await;
            assert_eq!(status, 503);
            assert!(said.contains("berlin: Enterprise Manager refused the account"), "{said}");
            assert!(daemon.get("/metrics").await.1.contains("vemsync_manager_refused{em=\"berlin\"} 1"));
            daemon.end().await;
        }
        // Another password is tried at once; one change in 256 goes unnoticed.
        let daemon = Running::start(&place, &database, &[]).await;
        for attempt in 0.. {
            std::fs::remove_file(place.path("password")).expect("a file");
            let password = if attempt % 2 == 0 { "demo".to_owned() } else { format!("wrong {attempt}") };
            write_secret(&place.path("password"), &password);
            signal(&daemon.child, "HUP");
            tokio::time::sleep(Duration::from_secs(2)).await;
            if daemon.is_ready().await {
                break;
            }
            assert!(attempt < 4, "{}", daemon.log());
        }
        assert_eq!(database.number("select count(*) from sync_refusals").await, 0, "it is forgiven");
        daemon.end().await;
        assert_equal(&simulator, &database).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_well_whenever_it_is_told_to_and_goes_on_where_it_was() {
    for database in both().await {
        let simulator = simulate(small(6)).await;
        let place = Place::new("demo");
        configure(&place, &[("berlin".to_owned(), simulator.url())], EVERY_SECOND);
        let mut rng = fastrand::Rng::with_seed(6);
        for _ in 0..8 {
            let mut daemon = Running::start(&place, &database, &[]).await;
            tokio::time::sleep(Duration::from_millis(rng.u64(0..700))).await;
            signal(&daemon.child, "TERM");
            // The second one, as from an impatient supervisor: it does not wait, and nothing is half done.
            if rng.bool() {
                tokio::time::sleep(Duration::from_millis(rng.u64(0..900))).await;
                if daemon.child.try_wait().expect("a state").is_none() {
                    signal(&daemon.child, "TERM");
                }
            }
            let ended = tokio::task::spawn_blocking(move || daemon.child.wait().expect("an end")).await;
            assert!(matches!(ended.expect("an end").code(), Some(0 | 1)));
        }
        assert_eq!(run(place.command(&["sync", "--database", &database.url])).await.status, Some(0));
        assert_equal(&simulator, &database).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_managers_fit_into_one_process() {
    for database in both().await {
        let simulator = simulate(small(7)).await;
        let place = Place::new("demo");
        let names: Vec<(String, &str)> = (0..50).map(|n| (format!("em-{n:02}"), simulator.url())).collect();
        configure(&place, &names, "[sync]\ninterval = \"20s\"\nbackfill = \"1d\"\n");
        let daemon = Running::start(&place, &database, &[]).await;
        daemon.until_ready().await;
        let (_, metrics) = daemon.get("/metrics").await;
        assert_eq!(metrics.matches("vemsync_manager_up{").count(), 50);
        let resident = metrics.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
        let resident: f64 = resident.and_then(|text| text.parse().ok()).expect("a number");
        assert!(resident < 128.0 * 1024.0 * 1024.0, "{resident} bytes");
        daemon.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_it_is_to_be_kept_is_deleted_and_stays_away() {
    for database in both().await {
        let mut world = small(8);
        let old = start() - TimeDelta::days(120);
        for kind in Kind::ALL {
            world.add_session(kind, 0, old, TimeDelta::minutes(5));
            world.add_session(kind, 0, start() - TimeDelta::days(80), TimeDelta::minutes(5));
        }
        let simulator = simulate(world).await;
        let place = Place::new("demo");
        let settings = "[sync]\ninterval = \"1s\"\nbackfill = \"all\"\n";
        configure(&place, &[("berlin".to_owned(), simulator.url())], settings);
        assert_eq!(run(place.command(&["sync", "--database", &database.url])).await.status, Some(0));
        let old_rows =
            || database.number("select count(*) from sessions where creation_time < '2025-02-20T00:00:00.000000Z'");
        assert!(old_rows().await >= 8);
        let all = database.number("select count(*) from sessions").await;
        configure(
            &place,
            &[("berlin".to_owned(), simulator.url())],
            &format!("{settings}[retention]\nkeep = \"100d\"\n"),
        );
        let before = old_rows().await;
        let daemon = Running::start(&place, &database, &[]).await;
        daemon.until("it says so", || async { daemon.logged("deleted sessions that were older") >= 8 }).await;
        assert_eq!(old_rows().await, 0);
        assert_eq!(database.number("select count(*) from sessions").await, all - before, "and nothing else");
        let (_, metrics) = daemon.get("/metrics").await;
        assert!(metrics.contains("vemsync_retention_deleted_rows_total{kind=\"RestoreSession\"} 1"), "{metrics}");
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(old_rows().await, 0);
        daemon.end().await;
        let verified = run(place.command(&["verify", "--database", &database.url])).await;
        assert_eq!(verified.status, Some(0), "{verified:?}");
        assert_eq!(old_rows().await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_start_is_one_line_and_nothing_is_started() {
    let place = Place::new("demo");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("an address").to_string();
    let manager = ("berlin".to_owned(), "https://em.example:9398");
    let listen = format!("[http]\nlisten = \"{taken}\"\n");
    let cases: [(&str, &[&str], &str); 7] = [
        ("", &["--listen", &taken], "--listen: cannot listen on"),
        (&listen, &[], "vemsync.toml:2: cannot listen on"),
        ("", &["--listen", "0.0.0.0:0"], "can be reached from other machines"),
        ("[http]\nbasic_auth_file = \"absent\"\n", &[], "cannot be read"),
        ("[sync]\nintervall = \"1s\"\n", &[], "did you mean interval"),
        ("", &["--kind", "BackupJobSesion"], "did you mean BackupJobSession"),
        ("[retention]\nkeep = \"1d\"\n", &[], "less than the 13 weeks"),
    ];
    for (more, arguments, said) in cases {
        configure(&place, std::slice::from_ref(&manager), more);
        let mut command = place.command(&["run"]);
        let ended = run({
            command.args(arguments);
            command
        })
        .await;
        assert_eq!(ended.status, Some(2), "{said}: {ended:?}");
        assert!(ended.err.contains(said) && ended.err.lines().count() == 1, "{said}: {}", ended.err);
        assert!(!place.path("vemsync.db").exists(), "{said}: it made a database");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_let_in_learns_no_more_than_whether_it_is_ready() {
    let database = Database::sqlite();
    let simulator = simulate(small(9)).await;
    let place = Place::new("demo");
    write_secret(&place.path("account"), "operator:s3cret\n");
    let settings = format!("{EVERY_SECOND}[http]\nbasic_auth_file = \"account\"\n");
    configure(&place, &[("berlin".to_owned(), simulator.url())], &settings);
    let daemon = Running::start(&place, &database, &[]).await;
    daemon.until_ready().await;
    let client = browser();
    let url = format!("http://{}/metrics", daemon.address);
    for (user, password, status) in
        [("operator", "s3cret", 200), ("operator", "wrong", 401), ("root", "s3cret", 401), ("operator", "", 401)]
    {
        let answer = client.get(&url).basic_auth(user, Some(password)).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), status, "{user}:{password}");
    }
    let answer = client.get(&url).send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 401);
    assert!(answer.headers()["www-authenticate"].to_str().expect("text").starts_with("Basic "));
    simulator.set_faults(Faults { seed: 1, rates: vec![(Fault::Reset, 1.0)], logon_too: true });
    daemon.until("it is not ready", || async { !daemon.is_ready().await }).await;
    assert_eq!(daemon.get("/readyz").await, (503, "not ready\n".to_owned()));
    for method in [reqwest::Method::POST, reqwest::Method::DELETE, reqwest::Method::PUT] {
        let url = format!("http://{}/healthz", daemon.address);
        assert_eq!(client.request(method, url).send().await.expect("an answer").status().as_u16(), 405);
    }
    daemon.end().await;
}

/// What Enterprise Manager says of its own collections.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_known_whether_enterprise_manager_itself_collects() {
    for database in both().await {
        let now = SystemClock.now();
        let stopped = now - TimeDelta::hours(5);
        let fleet = FleetOptions { servers: 2, jobs: 6, vms: 10, days: 3, end: now, future_hours: 1, story: false };
        let mut world = World::fleet(10, &fleet);
        world.stop_collecting(stopped);
        let running = SimulatorOptions { clock: Clock::Running(now), ..SimulatorOptions::frozen(now) };
        let simulator = simulate_with(world, running).await;
        let place = Place::new("demo");
        configure(&place, &[("berlin".to_owned(), simulator.url())], EVERY_SECOND);
        assert_eq!(run(place.command(&["sync", "--database", &database.url])).await.status, Some(0));
        let status = run(place.command(&["status", "--json", "--database", &database.url])).await;
        let told: serde_json::Value = serde_json::from_str(&status.out).expect("JSON");
        let collected = told[0]["collection"]["collected_at"].as_str().expect("a time");
        let collected: DateTime<Utc> = collected.parse().expect("a time");
        assert!((stopped - TimeDelta::minutes(16)..stopped).contains(&collected), "{collected}, {stopped}");
        let status = run(place.command(&["status", "--database", &database.url])).await;
        assert!(status.out.contains("Enterprise Manager stopped collecting"), "{}", status.out);
    }
}
