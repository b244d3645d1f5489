//! What a hostile or broken server can do to the program: nothing but make a pass fail, soon, in little memory.

use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use vemsync::clock::SystemClock;
use vemsync::em::{Client, Error, Failure, Limits, Query};
use vemsync::escape;
use vemsync::simulator::{Fault, FleetOptions, World};
use vemsync::sync::{Error as SyncError, Mode, Options, Syncer};

use crate::support::database::Database;
use crate::support::program::{Place, run, start as start_program, wait};
use crate::support::world::{assert_equal, limits, manager_at, options, simulate, start};

mod bodies;
mod corpus;
pub mod elsewhere;
mod server;

use elsewhere::{Misleading, Sink};
use server::{Harm, Hostile, Step};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Bounds that a test can wait for.
fn short() -> Limits {
    Limits { answer: MS(1500), silence: MS(400), slow_start: MS(300), tries: 3, all_tries: MS(2500), ..limits() }
}

/// One pass over one kind: how it ended, in one line where it failed.
async fn pass(url: &str, limits: Limits) -> Result<(), String> {
    let database = Database::sqlite();
    let store = database.open().await;
    let manager = manager_at(url);
    let clock = Arc::new(SystemClock);
    let client = Client::new(&manager, limits, clock.clone()).expect("a client");
    let kinds = vec![vemsync::kinds::kind("RestoreSession").expect("a kind")];
    let failed = |error: &SyncError| escape::chain(error);
    let syncer = Syncer::connect(&manager, client, store, clock, CancellationToken::new()).await;
    let syncer = syncer.map_err(|error| failed(&error))?;
    let summary = syncer.pass(Mode::Wide, &Options { kinds, ..options() }).await;
    syncer.log_off().await;
    let summary = summary.map_err(|error| format!("ALL: {}", failed(&error)))?;
    summary.kinds.iter().try_for_each(|kind| kind.result.as_ref().map(drop).map_err(failed))
}

/// Runs a pass against a harm and sees that it is over soon. Requests that any of it may take: logon and all types.
async fn suffer(at: Step, harm: Harm, limits: Limits) -> Result<(), String> {
    let server = Hostile::start(at, harm.clone()).await;
    let begun = Instant::now();
    let outcome = pass(&server.url, limits).await;
    let (took, requests) = (begun.elapsed(), server.requests().len());
    assert!(took < Duration::from_secs(9), "{harm:?} at {at:?} took {took:?}");
    assert!(requests <= 50, "{harm:?} at {at:?} took {requests} requests");
    if let Err(line) = &outcome {
        assert!(!line.contains('\n') && line.len() < 1000, "{line}");
    }
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_end_is_given_up_after_two_tries() {
    let small = Limits { body: 1 << 20, ..short() };
    for at in [Step::Root, Step::Logon, Step::Query] {
        for harm in [Harm::GzipBomb, Harm::EndlessBody] {
            let line = suffer(at, harm, small).await.expect_err("no such answer is taken");
            assert!(line.contains("in 2 tries") && line.contains("larger than 1048576 bytes"), "{at:?}: {line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_without_end_is_given_up() {
    for at in [Step::Root, Step::Logon, Step::Query] {
        let line = suffer(at, Harm::EndlessHead, short()).await.expect_err("no answer ever begins");
        assert!(line.contains("in 3 tries, the last time: the connection broke"), "{at:?}: {line}");
    }
    for at in [Step::Root, Step::Logon] {
        let line = suffer(at, Harm::TricklingHead(MS(20)), short()).await.expect_err("no answer ever begins");
        assert!(line.contains("timed out"), "{at:?}: {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_trickles_is_tried_twice_and_ends_the_pass() {
    for at in [Step::Root, Step::Logon, Step::Query] {
        let server = Hostile::start(at, Harm::Trickle(MS(20))).await;
        let begun = Instant::now();
        let line = pass(&server.url, short()).await.expect_err("it would take for ever");
        assert!(line.contains("in 2 tries, the last time: the answer came at less than 1024 bytes a second"), "{line}");
        assert_eq!(line.starts_with("ALL: "), at == Step::Query, "{line}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        let path = match at {
            Step::Root => "GET /api/ ",
            Step::Logon => "POST ",
            Step::Query | Step::LogOff => "GET /api/query",
        };
        let tries = server.requests().iter().filter(|head| head.starts_with(path)).count();
        assert_eq!(tries, 2, "{at:?}: other types were asked for in turn");
    }
}

/// A slow line is no trickle: what comes at a fair rate is waited for.
#[tokio::test]
async fn a_slow_body_above_the_least_rate_is_taken() {
    let simulator = simulate(World::fleet(71, &FleetOptions::small(start()))).await;
    simulator.fail_next("/query", 1, Fault::SlowBody(MS(100)));
    let limits = Limits { slow_start: MS(200), slowest: 1024, tries: 1, ..limits() };
    let client = Client::new(&manager_at(simulator.url()), limits, Arc::new(SystemClock)).expect("a client");
    let query = Query {
        kind: "BackupTaskSession",
        form: vemsync::em::query::Form::Entities,
        filter: None,
        sort: None,
        page_size: 50,
        page: 1,
    };
    client.query(&query, |_| Ok(())).await.expect("an answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_tries_of_a_request_together_are_bounded() {
    let server = Hostile::start(Step::Root, Harm::TricklingHead(MS(20))).await;
    let limits = Limits { silence: MS(200), tries: 1000, all_tries: MS(700), ..limits() };
    let client = Client::new(&manager_at(&server.url), limits, Arc::new(SystemClock)).expect("a client");
    let begun = Instant::now();
    let error = client.versions().await.expect_err("no answer ever begins");
    let Error::Exhausted { tries, last: Failure::Transport(_), .. } = &error else { panic!("{error}") };
    assert!((3..=6).contains(tries), "{error}");
    assert!(begun.elapsed() < MS(1200), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_of_monstrous_shape_are_read_or_refused() {
    for at in [Step::Root, Step::Logon] {
        for harm in [Harm::Attributes, Harm::Tiny, Harm::LongText] {
            suffer(at, harm.clone(), short()).await.unwrap_or_else(|line| panic!("{harm:?} at {at:?}: {line}"));
        }
    }
    let line = suffer(Step::Root, Harm::Nested, short()).await.expect_err("no document nests like that");
    assert!(line.contains("is no Enterprise Manager: it sent another XML document"), "{line}");
    suffer(Step::Logon, Harm::Nested, short()).await.expect("the token is in a header");
    let line = suffer(Step::Query, Harm::Nested, short()).await.expect_err("no document nests like that");
    assert!(line.contains("nests deeper than 64"), "{line}");
    // One record of its page is kept aside, and its page is stored.
    for harm in [Harm::Attributes, Harm::Tiny, Harm::LongText] {
        suffer(Step::Query, harm.clone(), short()).await.unwrap_or_else(|line| panic!("{harm:?}: {line}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_stays_small_whatever_comes() {
    for (at, harm) in [
        (Step::Query, Harm::GzipBomb),
        (Step::Query, Harm::LongText),
        (Step::Query, Harm::Tiny),
        (Step::Logon, Harm::EndlessBody),
        (Step::Logon, Harm::Tiny),
    ] {
        let server = Hostile::start(at, harm.clone()).await;
        let place = Place::new("demo");
        let database = Database::sqlite();
        let mut child = start_program(place.against(
            &server.url,
            &database,
            &["sync", "--kind", "RestoreSession", "--kind", "BackupJobSession"],
        ));
        let peak = peak_memory_kib(&mut child).await;
        let ended = wait(child).await;
        assert!(peak < 128 * 1024, "{harm:?} at {at:?}: {peak} KiB\n{ended:?}");
        assert!(peak > 4 * 1024, "nothing was measured");
    }
}

/// The most memory that it had, watched until it ends.
async fn peak_memory_kib(child: &mut Child) -> u64 {
    let path = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().expect("a child").is_none() {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(kib.unwrap_or_default());
        tokio::time::sleep(MS(5)).await;
    }
    peak
}

#[tokio::test(flavor = "multi_thread")]
async fn no_redirect_is_followed_from_anywhere_to_anywhere() {
    let sink = Sink::start().await;
    let to = &sink.address;
    for at in [Step::Root, Step::Logon, Step::Query] {
        for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
            for target in [format!("http://{to}/api/"), format!("https://{to}/api/"), format!("//{to}/api/query")] {
                let headers = format!("Location: {target}\r\nX-RestSvcSessionId: {}\r\n", server::TOKEN);
                let harm = Harm::Answer { status, headers, body: String::new() };
                let line = suffer(at, harm, short()).await.expect_err("a redirect is no answer");
                assert!(line.contains("a redirect to"), "{at:?} {status}: {line}");
                assert!(!line.contains(server::TOKEN), "{line}");
            }
        }
    }
    let harm =
        Harm::Answer { status: "302 Found", headers: format!("Location: http://{to}/\r\n"), body: String::new() };
    suffer(Step::LogOff, harm, short()).await.expect("a log-off that fails is a warning");
    assert_eq!(sink.visits(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_and_cookies_lead_nowhere() {
    let sink = Sink::start().await;
    let simulator = simulate(World::fleet(72, &FleetOptions::small(start()))).await;
    let source = Misleading::start(simulator.url(), &sink.address).await;
    let place = Place::new("demo");
    let database = Database::sqlite();
    for _ in 0..2 {
        let ended = run(place.against(&source.url, &database, &["sync", "--page-size", "20"])).await;
        assert_eq!(ended.status, Some(0), "{ended:?}");
    }
    assert_equal(&simulator, &database).await;
    assert_eq!(sink.visits(), 0, "a link was followed");
    let heads = source.requests();
    assert!(heads.len() > 60, "{} requests", heads.len());
    let tokens: Vec<&String> = heads.iter().filter(|head| head.to_ascii_lowercase().contains("cookie")).collect();
    assert!(tokens.is_empty(), "a cookie was kept: {tokens:#?}");
    let with_password = heads.iter().filter(|head| head.to_ascii_lowercase().contains("authorization:")).count();
    assert_eq!(with_password, 2, "the password goes out with the logon alone");
}
