//! The client's promises: one logon at a time, bounds on every answer, and pauses that the server may ask for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use vemsync::clock::SystemClock;
use vemsync::em::query::Form;
use vemsync::em::{Client, Error, Failure, Limits, Query};
use vemsync::simulator::{Fault, Options, Simulator, TokenLife, World};

use crate::support::world::{limits, manager, simulate_with, start};

fn client(simulator: &Simulator, limits: Limits) -> Client {
    Client::new(&manager(simulator), limits, Arc::new(SystemClock)).expect("a client")
}

async fn simulate(options: Options) -> Simulator {
    simulate_with(World::fleet(61, &vemsync::simulator::FleetOptions::small(start())), options).await
}

fn query(kind: &'static str) -> Query {
    Query { kind, form: Form::Entities, filter: None, sort: None, page_size: 5, page: 1 }
}

fn logons(simulator: &Simulator) -> usize {
    simulator.requests().iter().filter(|request| request.method == "POST").count()
}

#[tokio::test]
async fn a_logon_that_expires_is_renewed_once_for_all_who_wait() {
    let simulator = simulate(Options::frozen(start())).await;
    let client = client(&simulator, limits());
    client.query(&query("Job"), |_| Ok(())).await.expect("an answer");
    simulator.drop_logons();
    let again = (0..8).map(|_| client.query(&QUERY, |_| Ok(())));
    for answer in futures_util::future::join_all(again).await {
        answer.expect("an answer");
    }
    assert_eq!(logons(&simulator), 2);
}

static QUERY: std::sync::LazyLock<Query> = std::sync::LazyLock::new(|| query("BackupServer"));

#[tokio::test]
async fn a_logon_that_never_lasts_is_given_up_after_five_renewals() {
    let options = Options { token_life: TokenLife::Absolute(Duration::ZERO), ..Options::frozen(start()) };
    let simulator = simulate(options).await;
    let client = client(&simulator, limits());
    let error = client.query(&query("Job"), |_| Ok(())).await.expect_err("no answer");
    assert!(matches!(error, Error::Expired(_)), "{error}");
    assert_eq!(logons(&simulator), 6, "the first logon and five renewals");
}

#[tokio::test]
async fn a_type_that_never_answers_is_asked_for_less_until_it_does() {
    let simulator = simulate(Options::frozen(start())).await;
    let client = client(&simulator, Limits { tries: 5, ..limits() });
    client.log_on().await.expect("a logon");
    simulator.fail_next("type=RestoreSession", 5 + 2 + 1, Fault::ServerError);
    let (failing, well) = (query("RestoreSession"), query("Job"));
    let asked = async |query: &Query| {
        let before = client.requests();
        let answer = client.query(query, |_| Ok(())).await;
        (client.requests() - before, answer.is_ok())
    };
    assert_eq!(asked(&failing).await, (5, false));
    assert_eq!(asked(&failing).await, (2, false));
    assert_eq!(asked(&well).await, (1, true));
    // One more failure, and it answers.
    assert_eq!(asked(&failing).await, (2, true));
    simulator.fail_next("type=RestoreSession", 4, Fault::ServerError);
    assert_eq!(asked(&failing).await, (5, true));
}

#[tokio::test]
async fn answers_are_bounded_in_size_and_in_silence() {
    let simulator = simulate(Options::frozen(start())).await;
    let small = client(&simulator, Limits { body: 600, tries: 2, ..limits() });
    let error = small.query(&query("BackupTaskSession"), |_| Ok(())).await.expect_err("too large");
    assert!(matches!(error, Error::Exhausted { last: Failure::TooLarge(600), tries: 2, .. }), "{error}");

    let quick = client(&simulator, Limits { silence: Duration::from_millis(100), tries: 2, ..limits() });
    quick.log_on().await.expect("a logon");
    simulator.fail_next("/query", 10, Fault::Hang(Duration::from_secs(5)));
    let begun = Instant::now();
    let error = quick.query(&query("Job"), |_| Ok(())).await.expect_err("silence");
    assert!(error.to_string().contains("timed out"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(2));

    simulator.clear_faults();
    let patient = client(&simulator, Limits { answer: Duration::from_millis(300), tries: 2, ..limits() });
    patient.log_on().await.expect("a logon");
    simulator.fail_next("/query", 10, Fault::SlowBody(Duration::from_millis(90)));
    let error = patient.query(&query("BackupTaskSession"), |_| Ok(())).await.expect_err("a trickle");
    assert!(error.to_string().contains("timed out"), "{error}");
}

#[tokio::test]
async fn a_pause_that_the_server_asks_for_is_kept_up_to_a_cap() {
    let simulator = simulate(Options::frozen(start())).await;
    let capped = client(&simulator, Limits { longest_retry_after: Duration::from_millis(300), ..limits() });
    capped.log_on().await.expect("a logon");
    for (fault, at_least) in [
        (Fault::Unavailable(Some(3600)), 300),
        (Fault::TooManyRequests(Some(3600)), 300),
        (Fault::Unavailable(None), 0),
    ] {
        simulator.fail_next("/query", 1, fault);
        let begun = Instant::now();
        capped.query(&query("Job"), |_| Ok(())).await.expect("an answer in the end");
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(at_least) && took < Duration::from_millis(at_least + 2000), "{took:?}");
    }
}

#[tokio::test]
async fn what_another_try_cannot_mend_is_not_tried_again() {
    let simulator = simulate(Options::frozen(start())).await;
    let client = client(&simulator, limits());
    client.log_on().await.expect("a logon");
    simulator.fail_next("type=Job", 10, Fault::Forbidden);
    for kind in ["Job", "NoSuchType"] {
        simulator.clear_requests();
        let error = client.query(&query(kind), |_| Ok(())).await.expect_err("a refusal");
        assert!(matches!(error, Error::BadRequest { .. }), "{error}");
        assert!(error.to_string().contains(kind), "the request is not named: {error}");
        assert_eq!(simulator.requests().len(), 1);
    }
}

#[tokio::test]
async fn at_most_two_requests_are_in_flight() {
    let simulator = simulate(Options::frozen(start())).await;
    let client = client(&simulator, limits());
    client.log_on().await.expect("a logon");
    simulator.fail_next("/query", 12, Fault::Hang(Duration::from_millis(50)));
    let many = (0..12).map(|_| client.query(&QUERY, |_| Ok(())));
    futures_util::future::join_all(many).await;
    assert_eq!(simulator.counters().max_in_flight, 2);
    assert_eq!(client.requests(), 13);
}
