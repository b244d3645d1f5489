//! The process dies at any call of the record or at any request; the next one finds out what is true.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use reqwest::header::HeaderMap;
use reqwest::{Method, Url};
use tokio::sync::Notify;
use uuid::Uuid;
use vemsync::clock::SystemClock;
use vemsync::em::{Action, Answer, Client, Failure, Transport};
use vemsync::simulator::Fault;
use vemsync::store::{Event, Ledger, NewOperation, Operation, SqlStore, State, Step, Store as _, Taken};

use super::{Hurry, PATIENCE, ledger, operator, posts, send, simulator};
use crate::support::database::Database;
use crate::support::world::{limits, manager, start};

/// Counts down the points at which a process can die, and tells when it does.
struct Mortality {
    left: AtomicI64,
    is_before: bool,
    died: Notify,
}

impl Mortality {
    /// Lets a call happen, unless the process dies before it or after it.
    async fn risk<T>(&self, call: impl Future<Output = T>) -> T {
        let dies = self.left.fetch_sub(1, Ordering::SeqCst) == 0;
        if dies && self.is_before {
            self.die().await;
        }
        let value = call.await;
        if dies {
            self.die().await;
        }
        value
    }

    async fn die(&self) {
        self.died.notify_one();
        std::future::pending::<()>().await;
    }
}

struct MortalLedger(Arc<SqlStore>, Arc<Mortality>);

#[async_trait]
impl Ledger for MortalLedger {
    async fn enter(&self, new: &NewOperation, now: DateTime<Utc>) -> vemsync::store::Result<i64> {
        self.1.risk(self.0.enter(new, now)).await
    }

    async fn step(&self, id: i64, step: &Step, now: DateTime<Utc>) -> vemsync::store::Result<Taken> {
        self.1.risk(self.0.step(id, step, now)).await
    }

    async fn operation(&self, id: i64) -> vemsync::store::Result<Option<Operation>> {
        self.0.operation(id).await
    }

    async fn open_operation(&self, plan: Uuid) -> vemsync::store::Result<Option<Operation>> {
        self.0.open_operation(plan).await
    }

    async fn operations(&self, limit: u32) -> vemsync::store::Result<Vec<Operation>> {
        self.0.operations(limit).await
    }

    async fn events(&self, id: i64) -> vemsync::store::Result<Vec<Event>> {
        self.0.events(id).await
    }
}

struct MortalWire(Arc<dyn Transport>, Arc<Mortality>);

#[async_trait]
impl Transport for MortalWire {
    async fn send(&self, method: Method, url: &Url, headers: HeaderMap, body: Bytes) -> Result<Answer, Failure> {
        self.1.risk(self.0.send(method, url, headers, body)).await
    }
}

/// What befalls the answer to the action.
fn any_fault() -> impl Strategy<Value = Option<Fault>> {
    let harms =
        [Fault::ServerError, Fault::Reset, Fault::Forbidden, Fault::EmptyBody, Fault::TruncatedBody, Fault::LoginPage];
    let spoiled = (0..harms.len(), any::<bool>()).prop_map(move |(n, is_done)| {
        let harm = harms[n].clone();
        Some(if is_done { Fault::Done(Box::new(harm)) } else { harm })
    });
    prop_oneof![Just(None), Just(Some(Fault::Twice)), spoiled]
}

/// One operation through the death of its process, and what the next process makes of it.
async fn outlive(
    database: &Database,
    action: Action,
    fault: Option<Fault>,
    dies_at: i64,
    is_before: bool,
) -> Result<(), TestCaseError> {
    let simulator = simulator().await;
    if let Some(fault) = &fault {
        simulator.fail_next("action=", 1, fault.clone());
    }
    let store = ledger(database).await;
    let mortality = Arc::new(Mortality { left: AtomicI64::new(dies_at), is_before, died: Notify::new() });
    let mut mortal = operator(&simulator, &store).await;
    mortal.ledger = Arc::new(MortalLedger(store.clone(), mortality.clone()));
    let wire = Arc::new(MortalWire(simulator.transport(), mortality.clone()));
    mortal.actor = Client::over(wire, &manager(&simulator), limits(), Arc::new(SystemClock));
    let seen = Mutex::new(None);
    let live = async {
        let outcome = send(&mortal, action).await?;
        *seen.lock().expect("no panic") = Some(outcome.operation.id);
        mortal.follow(outcome.operation.id, true, PATIENCE, &mut Hurry(&simulator)).await
    };
    tokio::select! {
        _ = live => {}
        () = mortality.died.notified() => {}
    }
    drop(mortal);
    let operations = store.operations(10).await.expect("operations");
    prop_assert!(operations.len() <= 1);
    prop_assert!(posts(&simulator).len() <= 1, "{:?}", posts(&simulator));
    let Some(operation) = operations.first() else {
        prop_assert!(posts(&simulator).is_empty(), "nothing is sent that was not recorded");
        return Ok(());
    };
    let was_sent = !posts(&simulator).is_empty();
    prop_assert!(!was_sent || operation.sent_at.is_some(), "it was sent before that was recorded: {operation:?}");
    // The next process looks at what is there.
    simulator.advance(TimeDelta::seconds(30));
    let next = operator(&simulator, &store).await;
    let after = next.follow(operation.id, false, PATIENCE, &mut Hurry(&simulator)).await.expect("followed");
    prop_assert_eq!(posts(&simulator).len(), usize::from(was_sent), "looking sends nothing");
    let made = next.source.sessions(start()).await.expect("sessions");
    match after.state {
        State::Finished if action.makes_session() => {
            prop_assert_eq!(made.iter().filter(|session| Some(session.uid) == after.session_uid).count(), 1);
        }
        State::Finished => prop_assert!(was_sent),
        // Nothing was done that is said not to have been done.
        State::Rejected | State::Prepared | State::Confirmed => {
            let is_refused_though_done = matches!(&fault, Some(Fault::Done(harm)) if **harm == Fault::Forbidden);
            prop_assert!(made.is_empty() || is_refused_though_done, "{after:?}");
        }
        State::Unknown | State::Accepted => {
            let is_told = made.len() != 1 || fault == Some(Fault::Twice);
            prop_assert!(is_told, "one session, and it was not adopted: {after:?}");
        }
        state => prop_assert!(false, "{state:?} is no end"),
    }
    // Whatever may have been done keeps the plan from a second one.
    if after.state.is_open() && after.state != State::Confirmed {
        let error = send(&next, action).await.expect_err("an open operation");
        prop_assert!(error.to_string().contains("is open"), "{error}");
    }
    store.close().await;
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn whenever_it_dies_it_was_sent_at_most_once_and_the_record_is_true(
        fault in any_fault(),
        dies_at in 0_i64..14,
        is_before: bool,
        action in prop_oneof![Just(Action::StartNow), Just(Action::Test), Just(Action::Undo)],
        is_postgres: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let database = if is_postgres { Database::postgres().await } else { Database::sqlite() };
            outlive(&database, action, fault, dies_at, is_before).await
        })?;
    }
}
