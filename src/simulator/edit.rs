//! Edits that a test makes to a world while it is being served: bursts, outages, late rows, rows that vanish.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::text;
use super::ticks::Ticks;
use super::types::Kind;
use super::world::{
    Broken, COLLECTION_SECS, InnerTask, Job, Oddities, Outcome, Plan, Policy, Server, Session, Vm, World,
};

impl World {
    /// Adds a backup server that Enterprise Manager knows from `since` on. Returns its position.
    pub fn add_server(&mut self, name: &str, since: Option<DateTime<Utc>>) -> usize {
        let uid = self.new_uid();
        let phase_secs = self.rng.i64(0..COLLECTION_SECS);
        self.servers.push(Server {
            uid,
            name: name.into(),
            description: String::new(),
            port: 9392,
            version: "13.0.1.180".to_owned(),
            interval_secs: COLLECTION_SECS,
            ahead_secs: 0,
            phase_secs,
            outages: Vec::new(),
            since: since.map(Ticks::from_utc),
        });
        self.version += 1;
        self.servers.len() - 1
    }

    /// Sets the seconds between two collections of a server; 0 is always up to date.
    pub fn set_collection_secs(&mut self, server: usize, interval_secs: i64) {
        self.servers[server].interval_secs = interval_secs;
        self.version += 1;
    }

    /// Sets since when Enterprise Manager knows a server.
    pub fn set_since(&mut self, server: usize, since: Option<DateTime<Utc>>) {
        self.servers[server].since = since.map(Ticks::from_utc);
        self.version += 1;
    }

    /// The server is not collected in `from..to`.
    pub fn add_outage(&mut self, server: usize, from: DateTime<Utc>, to: DateTime<Utc>) {
        self.servers[server].outages.push((Ticks::from_utc(from), Ticks::from_utc(to)));
        self.version += 1;
    }

    /// Sessions older than this vanish.
    pub fn set_retention_days(&mut self, days: Option<i64>) {
        self.retention_days = days;
        self.version += 1;
    }

    /// Adds a session of no special kind, with whatever parents it needs. Returns its UID.
    pub fn add_session(&mut self, kind: Kind, server: usize, creation: DateTime<Utc>, length: TimeDelta) -> Uuid {
        let parent = kind.parent().map(|parent| self.plain(parent, server, creation, length, None));
        let uid = self.plain(kind, server, creation, length, parent);
        self.index();
        uid
    }

    /// Adds a session that cannot be collected before `creation + delay`. Returns its UID.
    pub fn add_late(&mut self, kind: Kind, server: usize, creation: DateTime<Utc>, delay: TimeDelta) -> Uuid {
        let uid = self.add_session(kind, server, creation, TimeDelta::minutes(5));
        self.edit(uid, |session| session.delay_secs = delay.num_seconds());
        uid
    }

    /// Adds `n` sessions that were all created in one second, tasks below one parent.
    pub fn add_burst(&mut self, kind: Kind, server: usize, second: DateTime<Utc>, n: usize) -> Vec<Uuid> {
        let start = Ticks::from_utc(second).whole_second();
        let length = TimeDelta::minutes(3);
        let parent = kind.parent().map(|parent| self.plain(parent, server, start.utc(), length, None));
        let uids = (0..n)
            .map(|_| {
                let creation = start.plus(self.rng.i64(0..1000) * 10_000);
                self.plain(kind, server, creation.utc(), length, parent)
            })
            .collect();
        self.index();
        uids
    }

    /// Adds a record that is not fit to be stored. Returns the UID that it has in truth.
    pub fn add_broken(&mut self, kind: Kind, server: usize, creation: DateTime<Utc>, broken: Broken) -> Uuid {
        let uid = self.add_session(kind, server, creation, TimeDelta::minutes(5));
        self.edit(uid, |session| session.more.get_or_insert_default().broken = Some(broken));
        uid
    }

    /// Changes the session of that UID, if there is one. Neither its type nor its UID may change.
    pub fn edit(&mut self, uid: Uuid, change: impl FnOnce(&mut Session)) -> bool {
        for table in &mut self.tables {
            let Some(&id) = table.by_uid.get(&uid) else { continue };
            let Some(row) = table.rows[id as usize].as_mut() else { continue };
            change(row);
            table.max_delay_secs = table.max_delay_secs.max(row.delay_secs);
            table.edited.insert(id);
            table.sort();
            self.version += 1;
            return true;
        }
        false
    }

    /// Takes the sessions away, as if they had never been.
    pub fn remove(&mut self, uids: &[Uuid]) {
        for table in &mut self.tables {
            for uid in uids {
                if let Some(id) = table.by_uid.remove(uid) {
                    table.rows[id as usize] = None;
                }
            }
        }
        self.index();
    }

    /// Gives another name to a server.
    pub fn rename_server(&mut self, server: usize, name: &str) {
        self.servers[server].name = name.into();
        self.version += 1;
    }

    /// The backup servers, whose positions the other edits take.
    #[must_use]
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// Every session of that type, shown or not, in the order of creation.
    pub fn sessions(&self, kind: Kind) -> impl Iterator<Item = &Session> {
        let table = self.table(kind);
        table.by_creation.iter().filter_map(|id| table.row(*id))
    }

    pub(super) fn plain(
        &mut self,
        kind: Kind,
        server: usize,
        creation: DateTime<Utc>,
        length: TimeDelta,
        parent: Option<Uuid>,
    ) -> Uuid {
        let uid = self.new_uid();
        let creation = Ticks::from_utc(creation);
        let end = creation.plus_secs(length.num_seconds().max(1));
        let vm = (kind.is_task() || kind == Kind::RestoreSession).then(|| self.any_vm());
        let (label, job, job_type): (Arc<str>, _, _) = match (kind, vm) {
            (Kind::RestoreSession, Some(vm)) => (Arc::clone(&self.vms[vm].name), None, "RestoreVm"),
            (_, Some(vm)) => (Arc::clone(&self.vms[vm].name), None, ""),
            (Kind::CloudFailoverSession, None) => (self.any_plan(server), None, "FailoverPlan"),
            (Kind::CdpReplicaSession, None) => {
                let policy = self.any_policy(server);
                (Arc::clone(&self.policies[policy].name), Some(policy), "CdpReplica")
            }
            (_, None) => {
                let job_type = if kind == Kind::ReplicaJobSession { "Replica" } else { "Backup" };
                let job = self.any_job(server, job_type);
                (Arc::clone(&self.jobs[job].name), Some(job), job_type)
            }
        };
        let point = kind.is_task().then(|| self.new_uid());
        let more = (kind == Kind::CloudFailoverSession).then(|| {
            let inner = (0..2)
                .map(|n| InnerTask {
                    vm_name: text::vm_name(n).to_string(),
                    point: Some(self.new_uid()),
                    creation,
                    end,
                    outcome: Outcome::Success,
                    message: None,
                })
                .collect();
            Box::new(Oddities { inner, ..Oddities::default() })
        });
        self.add(Session {
            kind,
            uid,
            server,
            label,
            parent,
            job,
            job_type,
            vm,
            creation,
            end,
            delay_secs: 0,
            outcome: Outcome::Success,
            message: None,
            size_bytes: if kind.is_task() { 5 << 32 } else { 0 },
            is_retry: false,
            point,
            more,
        });
        uid
    }

    fn any_vm(&mut self) -> usize {
        if self.vms.is_empty() {
            let host = self.new_uid();
            self.vms.push(Vm {
                name: text::vm_name(0),
                reference: format!("urn:VMware:Vm:{host}.vm-1"),
                size_bytes: 1 << 34,
            });
        }
        self.rng.usize(..self.vms.len())
    }

    fn any_job(&mut self, server: usize, job_type: &'static str) -> usize {
        if let Some(at) = self.jobs.iter().position(|job| job.server == server && job.job_type == job_type) {
            return at;
        }
        let uid = self.new_uid();
        self.jobs.push(Job::plain(uid, server, format!("{job_type} of server {server}"), job_type));
        self.jobs.len() - 1
    }

    fn any_policy(&mut self, server: usize) -> usize {
        if let Some(at) = self.policies.iter().position(|policy| policy.server == server) {
            return at;
        }
        let uid = self.new_uid();
        let name = format!("Policy of server {server}").into();
        self.policies.push(Policy {
            uid,
            server,
            name,
            description: String::new(),
            schedule_enabled: true,
            next_run: None,
        });
        self.policies.len() - 1
    }

    fn any_plan(&mut self, server: usize) -> Arc<str> {
        if let Some(plan) = self.plans.iter().find(|plan| plan.server == server) {
            return Arc::clone(&plan.name);
        }
        let (uid, tenant_uid) = (self.new_uid(), self.new_uid());
        let name: Arc<str> = format!("Plan of server {server}").into();
        self.plans.push(Plan {
            uid,
            server,
            name: Arc::clone(&name),
            tenant_uid,
            tenant_name: "Tenant".to_owned(),
            description: String::new(),
            vms: Vec::new(),
        });
        name
    }
}
