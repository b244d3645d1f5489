//! Cloud failover actions: sent at most once, followed to the end, and a record that is true, whatever happens.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use vemsync::clock::{Clock, SystemClock};
use vemsync::em::{Action, Client};
use vemsync::failover::{Error, Operator, Outcome, Patience, Plan, Request, Session, Source, Watch, choose};
use vemsync::simulator::{
    Clock as SimulatorClock, Fault, Options as SimulatorOptions, Outcome as Ending, Simulator, World,
};
use vemsync::store::{Event, Ledger as _, Operation, Schema, SqlStore, State, Store as _};

use crate::support::database::{Database, both};
use crate::support::program::{Place, run};
use crate::support::world::{limits, manager, simulate_with, start, sync};

mod deaths;

const PLAN: &str = "Harbour & Sons";

/// A world with one plan of two machines, whose time passes as fast as the tests look.
fn world(seed: u64) -> World {
    let mut world = World::empty(seed);
    world.add_server("vbr-ber-01.corp.example", None);
    world.add_plan(0, PLAN, &["fs01", "db01"]);
    world
}

async fn simulator() -> Simulator {
    simulator_of(7).await
}

async fn simulator_of(seed: u64) -> Simulator {
    let options = SimulatorOptions { clock: SimulatorClock::Running(start()), ..SimulatorOptions::frozen(start()) };
    let simulator = simulate_with(world(seed), options).await;
    simulator.set_failovers(Ending::Success, 6);
    simulator
}

const PATIENCE: Patience = Patience {
    poll: Duration::from_millis(10),
    unknown: Duration::from_millis(60),
    accepted: Duration::from_millis(300),
    turn: Duration::from_secs(10),
};

/// Lets the simulated time run while it is looked at.
struct Hurry<'a>(&'a Simulator);

impl Watch for Hurry<'_> {
    fn step(&mut self, _: &Operation, _: &str) {
        self.0.advance(TimeDelta::seconds(1));
    }

    fn session(&mut self, _: &Session) {
        self.0.advance(TimeDelta::seconds(1));
    }
}

async fn ledger(database: &Database) -> Arc<SqlStore> {
    Arc::new(SqlStore::connect(&database.url, Schema::Migrate).await.expect("a database"))
}

async fn operator(simulator: &Simulator, store: &Arc<SqlStore>) -> Operator {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let settings = manager(simulator);
    let client = Client::new(&settings, limits(), clock.clone()).expect("a client");
    let actor = Client::for_actions(&settings, limits(), clock.clone()).expect("a client");
    let em_id = store.manager("default", client.base().as_str(), None, clock.now()).await.expect("an id");
    client.log_on().await.expect("a logon");
    let cancel = CancellationToken::new();
    Operator { source: Source { client }, actor, ledger: store.clone(), store: store.clone(), clock, em_id, cancel }
}

fn request(action: Action) -> Request {
    Request { action, reason: "drill".to_owned(), user: "op".to_owned(), host: "ops-01".to_owned() }
}

async fn plan(operator: &Operator) -> Plan {
    let plans: Vec<((), Plan)> =
        operator.source.plans().await.expect("plans").into_iter().map(|plan| ((), plan)).collect();
    choose(PLAN, &plans).expect("one plan").1.clone()
}

/// Prepares and sends.
async fn send(operator: &Operator, action: Action) -> Result<Outcome, Error> {
    let plan = plan(operator).await;
    let id = operator.prepare(&plan, &request(action)).await?;
    operator.send(id, &plan, action).await
}

/// The actions that arrived.
fn posts(simulator: &Simulator) -> Vec<String> {
    let records = simulator.requests();
    let is_action = |path: &str| path.contains("cloudFailoverPlans");
    records.into_iter().filter(|r| r.method == "POST" && is_action(&r.path)).map(|r| r.sent).collect()
}

fn states(events: &[Event]) -> Vec<State> {
    let mut states: Vec<State> = events.iter().map(|event| event.state).collect();
    states.dedup();
    states
}

#[tokio::test]
async fn a_start_is_sent_once_and_followed_to_its_end() {
    use State::{Accepted, Confirmed, Finished, Prepared, Running, Sending};
    for database in both().await {
        let simulator = simulator().await;
        let store = ledger(&database).await;
        let operator = operator(&simulator, &store).await;
        let before = start() - TimeDelta::days(1) + TimeDelta::nanoseconds(100);
        let sent = send(&operator, Action::StartBefore(before)).await.expect("sent").operation;
        assert_eq!(sent.state, Accepted);
        let done = operator.follow(sent.id, true, PATIENCE, &mut Hurry(&simulator)).await.expect("followed");
        assert_eq!((done.state, done.result.as_deref()), (Finished, Some("Success")), "{done:?}");
        let events = store.events(done.id).await.expect("events");
        assert_eq!(states(&events), [Prepared, Confirmed, Sending, Accepted, Running, Finished], "{events:#?}");
        assert!(events.iter().any(|event| event.what.contains("has not collected it yet")), "{events:#?}");
        assert_eq!(posts(&simulator).len(), 1);
        let date = before.format("<StartDate>%Y-%m-%dT%H:%M:%S.0000001Z</StartDate>").to_string();
        assert!(posts(&simulator)[0].contains(&date), "{:?}", posts(&simulator));
        assert!(!posts(&simulator)[0].contains("StartNow"));
        // The task is looked at, and never deleted.
        let tasks: Vec<_> = simulator.requests().into_iter().filter(|r| r.path.contains("/tasks/")).collect();
        assert!(tasks.iter().all(|request| request.method == "GET") && tasks.len() >= 3);
        let audit =
            "select vm_name, vm_result, action, requested_by, reason, result from failover_audit order by vm_name";
        let text = |text: &str| Some(text.to_owned());
        let row = |vm: &str| vec![text(vm), text("Success"), text("start"), text("op"), text("drill"), text("Success")];
        assert_eq!(database.query(audit).await, [row("db01"), row("fs01")]);
        let linked =
            format!("select count(*) from cloud_failover_sessions where cloud_failover_plan_uid = '{}'", done.plan_uid);
        assert_eq!(database.number(&linked).await, 1);
        // What a pass reads is what is here already.
        sync(&simulator, &database).await;
        assert_eq!(database.number("select count(*) from cloud_failover_sessions").await, 1);
        assert_eq!(database.number("select count(*) from failover_audit").await, 2);
        store.close().await;
    }
}

#[tokio::test]
async fn a_test_and_an_undo_are_followed_likewise() {
    for database in both().await {
        let simulator = simulator().await;
        let store = ledger(&database).await;
        simulator.set_failovers(Ending::Failed, 4);
        for (action, result, has_session) in [(Action::Test, "Failed", true), (Action::Undo, "Success", false)] {
            let operator = operator(&simulator, &store).await;
            let sent = send(&operator, action).await.expect("sent").operation;
            let done = operator.follow(sent.id, true, PATIENCE, &mut Hurry(&simulator)).await.expect("followed");
            assert_eq!((done.state, done.result.as_deref()), (State::Finished, Some(result)), "{done:?}");
            assert_eq!(done.session_uid.is_some(), has_session);
        }
        assert_eq!(posts(&simulator), ["", ""]);
        store.close().await;
    }
}

#[tokio::test]
async fn what_is_refused_is_rejected_and_what_nobody_knows_is_unknown() {
    use Fault::{Done, Forbidden, NotFound, Reset, ServerError};
    let done = |fault| Done(Box::new(fault));
    for database in both().await {
        let cases = [
            (Forbidden, State::Rejected, Some(403), false),
            (NotFound, State::Rejected, Some(404), false),
            (Fault::SessionLost, State::Rejected, Some(401), false),
            (ServerError, State::Unknown, None, false),
            (Reset, State::Unknown, None, false),
            (Fault::LoginPage, State::Unknown, None, false),
            (done(ServerError), State::Unknown, None, true),
            (done(Reset), State::Unknown, None, true),
            (done(Fault::EmptyBody), State::Unknown, None, true),
            (done(Fault::TruncatedBody), State::Unknown, None, true),
        ];
        for (seed, (fault, state, status, adopted)) in (0..).zip(cases) {
            let simulator = simulator_of(seed).await;
            let store = ledger(&database).await;
            let operator = operator(&simulator, &store).await;
            simulator.fail_next("action=start", 9, fault.clone());
            let outcome = send(&operator, Action::StartNow).await.expect("an outcome");
            assert_eq!((outcome.operation.state, outcome.refused_with), (state, status), "{fault:?}: {outcome:?}");
            let id = outcome.operation.id;
            if state == State::Unknown {
                let patience = Patience { unknown: Duration::from_secs(if adopted { 5 } else { 0 }), ..PATIENCE };
                simulator.advance(TimeDelta::seconds(6));
                let after = operator.follow(id, true, patience, &mut Hurry(&simulator)).await.expect("followed");
                let expected = if adopted { State::Finished } else { State::Unknown };
                assert_eq!(after.state, expected, "{fault:?}: {after:?}");
                // As long as it is not known, nothing else is sent to that plan.
                if !adopted {
                    let error = send(&operator, Action::StartNow).await.expect_err("an open operation");
                    assert!(error.to_string().contains("is open"), "{error}");
                }
            }
            assert_eq!(posts(&simulator).len(), 1, "{fault:?}");
            let open = "update failover_operations set state = 'rejected' where state = 'unknown'";
            database.execute(open).await;
            store.close().await;
        }
    }
}

#[tokio::test]
async fn a_lost_task_and_two_sessions_at_once() {
    for database in both().await {
        let simulator = simulator().await;
        let store = ledger(&database).await;
        let operator = operator(&simulator, &store).await;
        simulator.fail_next("/tasks/", 1, Fault::NotFound);
        let sent = send(&operator, Action::StartNow).await.expect("sent").operation;
        simulator.advance(TimeDelta::seconds(6));
        let done = operator.follow(sent.id, true, PATIENCE, &mut Hurry(&simulator)).await.expect("followed");
        assert_eq!(done.state, State::Finished, "{done:?}");
        // Two sessions of one name: which is ours, nobody can know.
        simulator.advance(TimeDelta::minutes(10));
        simulator.fail_next("action=start", 1, Fault::Twice);
        simulator.fail_next("/tasks/", 1, Fault::NotFound);
        let sent = send(&operator, Action::StartNow).await.expect("sent").operation;
        simulator.advance(TimeDelta::seconds(6));
        let open = operator.follow(sent.id, true, PATIENCE, &mut Hurry(&simulator)).await.expect("followed");
        assert_eq!(open.state, State::Accepted, "{open:?}");
        assert_eq!(operator.candidates(&open).await.expect("sessions").len(), 2);
        store.close().await;
    }
}

#[tokio::test]
async fn nothing_is_sent_to_a_plan_that_changed_runs_or_is_empty() {
    for database in both().await {
        let simulator = simulator().await;
        let store = ledger(&database).await;
        let operator = operator(&simulator, &store).await;
        let shown = plan(&operator).await;
        let id = operator.prepare(&shown, &request(Action::StartNow)).await.expect("prepared");
        simulator.with_world(|world| world.add_plan_vm(shown.uid, "late01"));
        let error = operator.send(id, &shown, Action::StartNow).await.expect_err("another plan");
        assert!(matches!(&error, Error::Usage(what) if what.contains("was changed")), "{error}");
        assert_eq!(operator.current(id).await.expect("an operation").state, State::Rejected);
        assert_ne!(plan(&operator).await.fingerprint(), shown.fingerprint());

        let empty = simulator.with_world(|world| world.add_plan(0, "Empty", &[]));
        let plans = operator.source.plans().await.expect("plans");
        let empty = plans.iter().find(|plan| plan.uid == empty).expect("the plan");
        let error = operator.prepare(empty, &request(Action::Test)).await.expect_err("no machines");
        assert!(error.to_string().contains("has no machines"), "{error}");
        assert_eq!(posts(&simulator).len(), 0);

        let sent = send(&operator, Action::StartNow).await.expect("sent").operation;
        let error = send(&operator, Action::Undo).await.expect_err("an open operation");
        assert!(error.to_string().contains(&format!("operation {} on this plan is open", sent.id)), "{error}");
        operator.follow(sent.id, true, PATIENCE, &mut Hurry(&simulator)).await.expect("followed");
        // Somebody else starts it in the console.
        let other = self::operator(&simulator, &store).await;
        other.actor.log_on().await.expect("a logon");
        other.actor.act(shown.uid, Action::StartNow).await.expect("an answer");
        simulator.advance(TimeDelta::seconds(6));
        let error = send(&operator, Action::StartNow).await.expect_err("it runs");
        assert!(error.to_string().contains("is running already"), "{error}");
        assert_eq!(posts(&simulator).len(), 2);
        store.close().await;
    }
}

#[tokio::test]
async fn of_two_operators_at_once_one_is_told() {
    for database in both().await {
        let simulator = simulator().await;
        let store = ledger(&database).await;
        let (one, two) = (operator(&simulator, &store).await, operator(&simulator, &store).await);
        let (first, second) = tokio::join!(send(&one, Action::StartNow), send(&two, Action::StartNow));
        let told: Vec<String> =
            [&first, &second].iter().filter_map(|r| r.as_ref().err().map(ToString::to_string)).collect();
        assert_eq!(told.len(), 1, "{first:?} {second:?}");
        assert!(told[0].contains("is open") || told[0].contains("is running already"), "{told:?}");
        assert_eq!(posts(&simulator).len(), 1);
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_asks_before_it_sends_and_says_how_it_ended() {
    let simulator = simulator().await;
    simulator.set_failovers(Ending::Success, 2);
    let database = Database::sqlite();
    let place = Place::new("demo");
    let run_with = async |arguments: &[&str]| {
        let mut command = place.against(simulator.url(), &database, arguments);
        command.env("VEMSYNC_FAILOVER_ENABLED", "true");
        run(command).await
    };
    let shown = run_with(&["failover", "show", PLAN, "--json"]).await;
    assert_eq!(shown.status, Some(0), "{shown:?}");
    let shown: serde_json::Value = serde_json::from_str(&shown.out).expect("JSON");
    let fingerprint = shown["fingerprint"].as_str().expect("a fingerprint").to_owned();
    let dry = run_with(&["failover", "start", PLAN, "--now", "--reason", "drill", "--dry-run"]).await;
    assert_eq!(dry.status, Some(0), "{dry:?}");
    assert!(dry.out.contains("<StartNow>true</StartNow>") && dry.out.contains("Nothing was sent"), "{}", dry.out);
    for (arguments, told) in [
        (vec!["start", PLAN, "--now"], "--reason"),
        (vec!["start", PLAN, "--reason", "x"], "--now"),
        (vec!["start", PLAN, "--now", "--reason", " "], "the reason is empty"),
        (vec!["start", PLAN, "--now", "--reason", "x"], "no terminal"),
        (vec!["start", PLAN, "--now", "--reason", "x", "--plan-fingerprint", "00"], "fingerprint is not that"),
        (
            vec!["start", "Harbour", "--now", "--reason", "x", "--plan-fingerprint", "00"],
            "there is no cloud failover plan",
        ),
        (vec!["start", PLAN, "--restore-point-before", "2025-05-01", "--reason", "x"], "time with its zone"),
        (
            vec![
                "start",
                PLAN,
                "--restore-point-before",
                "2999-05-01T00:00:00Z",
                "--reason",
                "x",
                "--plan-fingerprint",
                "0",
            ],
            "lies in the future",
        ),
        (vec!["test", PLAN, "--reason", "x", "--plan-fingerprint", "0", "--insecure"], "not checked"),
        (vec!["status", "99"], "there is no operation 99"),
    ] {
        let ended = run_with(&[&["failover"], arguments.as_slice()].concat()).await;
        assert_eq!(ended.status, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.err.contains(told), "{arguments:?}: {}", ended.err);
    }
    let off = run(place.against(
        simulator.url(),
        &database,
        &["failover", "test", PLAN, "--reason", "x", "--plan-fingerprint", &fingerprint],
    ))
    .await;
    assert_eq!(off.status, Some(2), "{off:?}");
    assert!(off.err.contains("failover actions are off"), "{}", off.err);
    assert_eq!(posts(&simulator).len(), 0);
    let given = ["failover", "start", PLAN, "--now", "--reason", "drill", "--plan-fingerprint", &fingerprint];
    let started = run_with(&[&given[..], &["--json"]].concat()).await;
    assert_eq!(started.status, Some(0), "{started:?}");
    let report: serde_json::Value = serde_json::from_str(&started.out).expect("JSON");
    assert_eq!((report["state"].as_str(), report["result"].as_str()), (Some("finished"), Some("Success")));
    assert_eq!(report["session"]["vms"].as_array().map(Vec::len), Some(2));
    simulator.fail_next("action=start", 1, Fault::Forbidden);
    let refused = run_with(&given).await;
    assert_eq!(refused.status, Some(3), "{refused:?}");
    simulator.set_failovers(Ending::Failed, 1);
    let failed = run_with(&given).await;
    assert_eq!(failed.status, Some(1), "{failed:?}");
    assert_eq!(posts(&simulator).len(), 3);
    // An undo that nobody followed is for a person to say.
    let undo =
        run_with(&["failover", "undo", PLAN, "--reason", "x", "--plan-fingerprint", &fingerprint, "--no-wait"]).await;
    assert_eq!(undo.status, Some(0), "{undo:?}");
    assert!(undo.out.contains("failover resolve 5 --done"), "{}", undo.out);
    for (arguments, status) in [
        (&["failover", "resolve", "5", "--reason", "looked"][..], 2),
        (&["failover", "resolve", "5", "--done", "--not-done", "--reason", "looked"], 2),
        (&["failover", "resolve", "5", "--done", "--reason", "looked"], 0),
        (&["failover", "resolve", "5", "--done", "--reason", "looked"], 2),
        (&["failover", "status", "5"], 0),
    ] {
        let ended = run_with(arguments).await;
        assert_eq!(ended.status, Some(status), "{arguments:?}: {ended:?}");
    }
    let listed = run_with(&["failover", "status"]).await;
    assert_eq!((listed.status, listed.out.matches("finished").count()), (Some(0), 3), "{listed:?}");
}
