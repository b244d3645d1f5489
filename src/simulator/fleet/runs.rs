//! What each sort of job does over the days.

use std::sync::Arc;

use uuid::Uuid;

use super::super::text;
use super::super::ticks::Ticks;
use super::super::types::Kind;
use super::super::world::{Family, InnerTask, Job, Oddities, Outcome, Session};
use super::{DAY, Fleet, HOUR};

/// One run of a job: what its session says, and the machines that it takes.
struct Run<'a> {
    kind: Kind,
    job: usize,
    job_type: &'static str,
    at: Ticks,
    is_retry: bool,
    vms: &'a [usize],
    /// Longest time that a machine takes, in seconds.
    task_secs: i64,
}

impl Fleet {
    /// Each moment of a daily (or more frequent) schedule inside the time that the fleet covers.
    fn schedule(&mut self, first_secs: i64, every_secs: i64) -> Vec<Ticks> {
        let mut at = self.from.floor_to(DAY, 0).plus_secs(first_secs);
        let mut times = Vec::new();
        while at < self.to {
            let started = at.plus_secs(self.rng.i64(0..40)).plus(self.fraction());
            if started >= self.from {
                times.push(started);
            }
            at = at.plus_secs(every_secs);
        }
        times
    }

    fn job_name(&self, job: usize) -> Arc<str> {
        Arc::clone(&self.world.jobs[job].name)
    }

    /// One run with its tasks. Returns its end and the machines that failed.
    fn run(&mut self, run: &Run<'_>) -> (Ticks, Vec<usize>) {
        let server = self.world.jobs[run.job].server;
        let label = self.job_name(run.job);
        let task_kind =
            if run.kind == Kind::ReplicaJobSession { Kind::ReplicaTaskSession } else { Kind::BackupTaskSession };
        let mut session = self.session(run.kind, server, run.at, run.at);
        let mut end = run.at.plus_secs(self.rng.i64(20..200));
        let mut worst = if run.vms.is_empty() { self.outcome() } else { Outcome::Success };
        let mut failed = Vec::new();
        let mut points = Vec::new();
        for &vm in run.vms {
            let created = run.at.plus_secs(self.rng.i64(5..180)).plus(self.fraction());
            let ended = created.plus_secs(self.rng.i64(15..run.task_secs)).plus(self.fraction());
            let mut outcome = self.outcome();
            if run.is_retry && self.rng.u32(..4) > 0 {
                outcome = Outcome::Success;
            }
            let mut task = self.session(task_kind, server, created, ended);
            task.label = Arc::clone(&self.world.vms[vm].name);
            (task.parent, task.vm, task.outcome) = (Some(session.uid), Some(vm), outcome);
            task.message = text::message(&mut self.rng, outcome);
            if outcome == Outcome::Failed {
                failed.push(vm);
            } else {
                task.size_bytes = self.world.vms[vm].size_bytes;
                let point = self.world.new_uid();
                task.point = Some(point);
                points.push(point);
            }
            worst = worst.max(outcome);
            end = end.max(task.end.plus_secs(3).plus(self.fraction()));
            self.world.add(task);
        }
        session.label = label;
        (session.job, session.job_type, session.is_retry) = (Some(run.job), run.job_type, run.is_retry);
        (session.end, session.outcome) = (end, worst);
        if worst != Outcome::Success && self.rng.bool() {
            session.message = text::message(&mut self.rng, worst);
        }
        if run.kind == Kind::BackupJobSession && self.rng.u32(..3) == 0 {
            session.more = Fleet::odd(|odd| odd.points = points);
        }
        self.world.add(session);
        (end, failed)
    }

    /// Runs, and runs again ten minutes later for what failed.
    fn run_with_retries(&mut self, mut run: Run<'_>) {
        let (mut end, mut failed) = self.run(&run);
        for _ in 0..3 {
            if failed.is_empty() || end.plus_secs(600) >= self.to {
                return;
            }
            let vms = std::mem::take(&mut failed);
            run.at = end.plus_secs(600).plus(self.fraction());
            run.is_retry = true;
            (end, failed) = self.run(&Run { vms: &vms, ..run });
        }
    }

    pub(super) fn nightly(&mut self, job: usize, n: usize, vms: &[usize]) {
        let job_type = self.world.jobs[job].job_type;
        let start = 18 * HOUR + i64::try_from(n % 24).expect("small") * 13 * 60;
        for at in self.schedule(start, DAY) {
            self.run_with_retries(Run {
                kind: Kind::BackupJobSession,
                job,
                job_type,
                at,
                is_retry: false,
                vms,
                task_secs: 2400,
            });
        }
    }

    pub(super) fn replicas(&mut self, job: usize, n: usize, vms: &[usize]) {
        let start = i64::try_from(n % 24).expect("small") * 9 * 60;
        for at in self.schedule(start, 4 * HOUR) {
            self.run_with_retries(Run {
                kind: Kind::ReplicaJobSession,
                job,
                job_type: "Replica",
                at,
                is_retry: false,
                vms,
                task_secs: 1500,
            });
        }
    }

    /// The container runs for two days at a time; below it a worker runs for each job that it copies.
    pub(super) fn copies_with_workers(&mut self, job: usize, n: usize, vms: &[usize]) {
        self.containers(job, "ImmediateBackupCopy", 2 * DAY);
        let parent = self.world.jobs[job].clone();
        let worker = self.add_job(Job {
            name: format!("{}\\{}", parent.name, text::job_name(n / 2, "backup")).into(),
            job_type: "ImmediateBackupCopyWorker",
            listed: false,
            ..parent
        });
        for at in self.schedule(5 * HOUR, DAY / 2) {
            self.run_with_retries(Run {
                kind: Kind::BackupJobSession,
                job: worker,
                job_type: "ImmediateBackupCopyWorker",
                at,
                is_retry: false,
                vms,
                task_secs: 3 * HOUR,
            });
        }
    }

    /// Runs of three days.
    pub(super) fn long_copies(&mut self, job: usize) {
        self.containers(job, "BackupCopy", 3 * DAY);
    }

    fn containers(&mut self, job: usize, job_type: &'static str, every_secs: i64) {
        let server = self.world.jobs[job].server;
        for at in self.schedule(HOUR, every_secs) {
            let end = at.plus_secs(every_secs - 120).plus(self.fraction());
            let mut session = self.session(Kind::BackupJobSession, server, at, end);
            (session.label, session.job, session.job_type) = (self.job_name(job), Some(job), job_type);
            session.outcome = self.outcome();
            session.message = text::message(&mut self.rng, session.outcome);
            self.world.add(session);
        }
    }

    /// A run of the agents' job, and a management run below it.
    pub(super) fn agents(&mut self, job: usize, n: usize, vms: &[usize]) {
        self.nightly(job, n, vms);
        let server = self.world.jobs[job].server;
        let manager = self.add_job(Job {
            name: format!("{} - rescan", self.job_name(job)).into(),
            job_type: "AgentManagement",
            family: Family::Agent,
            listed: false,
            ..self.world.jobs[job].clone()
        });
        for at in self.schedule(12 * HOUR, DAY) {
            let end = at.plus_secs(self.rng.i64(10..400)).plus(self.fraction());
            let mut session = self.session(Kind::BackupJobSession, server, at, end);
            (session.label, session.job, session.job_type) = (self.job_name(manager), Some(manager), "AgentManagement");
            self.world.add(session);
        }
    }

    /// A policy's session lasts a day, a machine's part of it eight hours.
    pub(super) fn continuous(&mut self, policy: usize) {
        let (server, label) = (self.world.policies[policy].server, Arc::clone(&self.world.policies[policy].name));
        let vms: Vec<usize> = (0..self.world.vms.len().min(4)).collect();
        for at in self.schedule(15 * HOUR, DAY) {
            let end = at.plus_secs(DAY - 40).plus(self.fraction());
            let mut session = self.session(Kind::CdpReplicaSession, server, at, end);
            (session.label, session.job, session.job_type) = (Arc::clone(&label), Some(policy), "CdpReplica");
            session.outcome = self.outcome();
            session.message = text::message(&mut self.rng, session.outcome);
            for part in 0..3 {
                for &vm in &vms {
                    let created = at.plus_secs(part * 8 * HOUR + self.rng.i64(0..4)).plus(self.fraction());
                    let ended = created.plus_secs(8 * HOUR - 30).plus(self.fraction());
                    let mut task = self.session(Kind::CdpReplicaTaskSession, server, created, ended);
                    task.label = Arc::clone(&self.world.vms[vm].name);
                    (task.parent, task.vm, task.outcome) = (Some(session.uid), Some(vm), self.outcome());
                    task.message = text::message(&mut self.rng, task.outcome);
                    task.size_bytes = self.world.vms[vm].size_bytes;
                    self.world.add(task);
                }
            }
            self.world.add(session);
        }
    }

    /// Files taken out of a mounted restore point, and whole machines.
    pub(super) fn restores(&mut self, server: usize) {
        let points: Vec<(usize, Uuid, Ticks)> = self
            .world
            .table(Kind::BackupTaskSession)
            .rows
            .iter()
            .flatten()
            .filter(|task| task.server == server)
            .filter_map(|task| Some((task.vm?, task.point?, task.end)))
            .collect();
        let start = i64::try_from(server % 9).expect("small") * 2 * HOUR;
        for at in self.schedule(start, 5 * HOUR * i64::from(self.calm)) {
            let vm = self.rng.usize(..self.world.vms.len());
            let files = self.rng.u32(..3) > 0;
            let secs = if files { self.rng.i64(1800..6 * HOUR) } else { self.rng.i64(12..2 * HOUR) };
            let end = at.plus_secs(secs).plus(self.fraction());
            let mut session = self.session(Kind::RestoreSession, server, at, end);
            let name = Arc::clone(&self.world.vms[vm].name);
            session.vm = Some(vm);
            session.label = if files { format!("FLR_[{name}]").into() } else { name };
            session.job_type = if files { "FileLevelRestore" } else { "RestoreVm" };
            session.outcome = self.outcome();
            session.message = text::message(&mut self.rng, session.outcome);
            let older: Vec<_> = points.iter().filter(|(of, _, made)| *of == vm && *made < at).collect();
            let no_progress = self.rng.u32(..6) == 0;
            let unnamed = self.rng.u32(..8) == 0;
            let mut odd = Oddities { no_progress, ..Oddities::default() };
            if let Some((_, point, made)) = older.last() {
                session.point = Some(*point);
                odd.point_name = Some(if unnamed {
                    String::new()
                } else {
                    format!("{}@{}", self.world.vms[vm].name, made.in_name(false))
                });
            }
            session.more = Some(Box::new(odd));
            self.world.add(session);
        }
    }

    pub(super) fn failover(&mut self, n: usize, at: Ticks) {
        let plan = self.world.plans[n % self.world.plans.len()].clone();
        let at = at.plus(self.fraction());
        let mut end = at.plus_secs(30);
        let mut worst = Outcome::Success;
        let mut inner = Vec::new();
        for i in 0..self.rng.usize(2..=6) {
            let creation = at.plus_secs(i64::try_from(i).expect("small") * 4).plus(self.fraction());
            let ended = creation.plus_secs(self.rng.i64(600..3 * HOUR)).plus(self.fraction());
            let outcome = self.outcome();
            let vm_name =
                plan.vms.get(i).map_or_else(|| text::vm_name(i * 7 + n).to_string(), |(_, name)| name.clone());
            let point = (self.rng.u32(..6) > 0).then(|| self.world.new_uid());
            let message = text::message(&mut self.rng, outcome).map(|text| text.to_string());
            inner.push(InnerTask { vm_name, point, creation, end: ended, outcome, message });
            (end, worst) = (end.max(ended.plus_secs(2)), worst.max(outcome));
        }
        let mut session: Session = self.session(Kind::CloudFailoverSession, plan.server, at, end);
        session.label = match n % 5 {
            // The plan was renamed since; the attribute, where there is one, is the plan's name of today.
            3 => "Old harbour plan".into(),
            _ => Arc::clone(&plan.name),
        };
        (session.job_type, session.outcome) = ("FailoverPlan", worst);
        if worst == Outcome::Warning {
            session.message = text::message(&mut self.rng, worst);
        }
        let plan_name = n.is_multiple_of(3).then(|| plan.name.to_string());
        session.more =
            Some(Box::new(Oddities { inner, plan_name, inner_vanishes: !n.is_multiple_of(2), ..Oddities::default() }));
        self.world.add(session);
    }
}
