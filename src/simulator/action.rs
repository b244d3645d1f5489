//! Actions on cloud failover plans: their tasks, which belong to a logon session, and the sessions that come of them.

use std::sync::Arc;

use uuid::Uuid;

use super::ticks::Ticks;
use super::types::Kind;
use super::world::{InnerTask, Oddities, Outcome, Plan, Session, World};

/// So long the backup server works on an action, in seconds.
const RUNS: i64 = 2;

/// After so many seconds Enterprise Manager has collected what came of it.
const COLLECTED: i64 = 5;

/// Between two machines of a plan, in seconds.
const STAGGER: i64 = 2;

/// What a client may ask of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Start,
    Test,
    Undo,
}

impl Verb {
    pub(super) fn named(name: &str) -> Option<Verb> {
        match name {
            "start" => Some(Verb::Start),
            "test" => Some(Verb::Test),
            "undo" => Some(Verb::Undo),
            _ => None,
        }
    }
}

/// An action that was taken.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) id: String,
    /// The logon session that it belongs to.
    token: String,
    pub(super) operation: &'static str,
    began: Ticks,
    session: Option<(Uuid, Arc<str>)>,
}

/// A task as it looks at a moment.
pub(super) struct TaskView<'a> {
    pub(super) state: &'static str,
    /// Whether it was done, and what the backup server says of that.
    pub(super) result: Option<(bool, &'static str)>,
    pub(super) session: Option<&'a (Uuid, Arc<str>)>,
}

impl Task {
    pub(super) fn view(&self, now: Ticks) -> TaskView<'_> {
        if now < self.began.plus_secs(RUNS) {
            TaskView { state: "Running", result: None, session: None }
        } else if now < self.began.plus_secs(COLLECTED) {
            TaskView { state: "OperationFinished", result: Some((true, "OperationFinished")), session: None }
        } else {
            TaskView { state: "Finished", result: Some((true, "Ok")), session: self.session.as_ref() }
        }
    }
}

/// All tasks, and how failovers go.
#[derive(Debug)]
pub(super) struct Actions {
    tasks: Vec<Task>,
    /// How machines end.
    pub(super) outcome: Outcome,
    /// How long a machine takes, in seconds.
    pub(super) machine_secs: i64,
}

impl Actions {
    pub(super) fn new() -> Actions {
        Actions { tasks: Vec::new(), outcome: Outcome::Success, machine_secs: 20 }
    }

    /// Takes an action on the plan of that position. With `twice` it makes two sessions, as a second operator would.
    pub(super) fn take(
        &mut self,
        world: &mut World,
        plan: usize,
        verb: Verb,
        token: &str,
        now: Ticks,
        twice: bool,
    ) -> Result<Task, &'static str> {
        let session = if verb == Verb::Undo {
            None
        } else {
            if world.runs(plan, now) {
                return Err("The failover plan is already running");
            }
            for _ in 0..usize::from(twice) {
                world.fail_over(plan, now, self.outcome, self.machine_secs);
            }
            Some((world.fail_over(plan, now, self.outcome, self.machine_secs), Arc::clone(&world.plans[plan].name)))
        };
        let task = Task {
            id: format!("task-{}", self.tasks.len() + 1),
            token: token.to_owned(),
            operation: if verb == Verb::Undo { "UndoCloudFailoverPlan" } else { "StartCloudFailoverPlan" },
            began: now,
            session,
        };
        self.tasks.push(task.clone());
        Ok(task)
    }

    /// The task of that name, if it belongs to this logon session.
    pub(super) fn find(&self, id: &str, token: &str) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == id && task.token == token)
    }

    /// Stops and forgets a task.
    pub(super) fn delete(&mut self, id: &str, token: &str) -> bool {
        let before = self.tasks.len();
        self.tasks.retain(|task| task.id != id || task.token != token);
        self.tasks.len() < before
    }
}

impl World {
    /// Adds a cloud failover plan with these machines. Returns its UID.
    pub fn add_plan(&mut self, server: usize, name: &str, vms: &[&str]) -> Uuid {
        let (uid, tenant_uid) = (self.new_uid(), self.new_uid());
        let vms = vms.iter().map(|vm| (self.new_uid(), (*vm).to_owned())).collect();
        self.plans.push(Plan {
            uid,
            server,
            name: name.into(),
            tenant_uid,
            tenant_name: "Tenant".to_owned(),
            description: String::new(),
            vms,
        });
        self.index();
        uid
    }

    /// Adds a machine to a plan.
    pub fn add_plan_vm(&mut self, plan: Uuid, vm: &str) {
        let uid = self.new_uid();
        if let Some(plan) = self.plans.iter_mut().find(|known| known.uid == plan) {
            plan.vms.push((uid, vm.to_owned()));
        }
        self.version += 1;
    }

    /// Whether a failover of that plan is under way.
    fn runs(&self, plan: usize, now: Ticks) -> bool {
        let plan = &self.plans[plan];
        let by = now.plus_secs(self.servers[plan.server].ahead_secs);
        self.sessions(Kind::CloudFailoverSession).any(|session| {
            session.server == plan.server && session.label == plan.name && session.creation <= by && by < session.end
        })
    }

    /// The failover of a plan begins. Enterprise Manager follows it from when it has collected it first.
    fn fail_over(&mut self, plan: usize, now: Ticks, outcome: Outcome, machine_secs: i64) -> Uuid {
        let (uid, plan) = (self.new_uid(), self.plans[plan].clone());
        let creation = now.plus_secs(self.servers[plan.server].ahead_secs).plus(1_230_000);
        let mut end = creation.plus_secs(3);
        let mut inner = Vec::new();
        for (n, (_, name)) in (0..).zip(&plan.vms) {
            let begins = creation.plus_secs(1 + n * STAGGER);
            let ends = begins.plus_secs(machine_secs);
            let message = (outcome == Outcome::Failed).then(|| "The replica has no restore point".to_owned());
            let point = Some(self.new_uid());
            inner.push(InnerTask { vm_name: name.clone(), point, creation: begins, end: ends, outcome, message });
            end = end.max(ends.plus_secs(1));
        }
        self.add(Session {
            kind: Kind::CloudFailoverSession,
            uid,
            server: plan.server,
            label: Arc::clone(&plan.name),
            parent: None,
            job: None,
            job_type: "FailoverPlan",
            vm: None,
            creation,
            end,
            delay_secs: 0,
            outcome,
            message: (outcome == Outcome::Failed).then(|| "Some machines failed".into()),
            size_bytes: 0,
            is_retry: false,
            point: None,
            more: Some(Box::new(Oddities {
                inner,
                followed_from: Some(now.plus_secs(COLLECTED)),
                ..Oddities::default()
            })),
        });
        self.index();
        uid
    }
}
