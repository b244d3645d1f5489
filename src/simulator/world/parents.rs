//! What sessions hang below: servers, jobs, policies, plans, and the machines.

use std::sync::Arc;

use uuid::Uuid;

use super::{Moment, Session, World};
use crate::simulator::ticks::Ticks;
use crate::simulator::types::{Kind, ParentType};

/// A backup server.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its identity.
    pub uid: Uuid,
    /// A DNS name or an address.
    pub name: Arc<str>,
    /// May be empty.
    pub description: String,
    /// 9392 as a rule.
    pub port: i64,
    /// The version of Backup & Replication.
    pub version: String,
    /// Seconds between two collections; 0 is always up to date.
    pub interval_secs: i64,
    /// Seconds that its clock is ahead of Enterprise Manager's.
    pub ahead_secs: i64,
    /// Its own beat.
    pub phase_secs: i64,
    /// Times in which it is not collected.
    pub outages: Vec<(Ticks, Ticks)>,
    /// Unknown to Enterprise Manager before.
    pub since: Option<Ticks>,
}

impl Server {
    /// The last collection at or before `now`, if there was one since it was added.
    #[must_use]
    pub fn collected(&self, now: Ticks) -> Option<Ticks> {
        let mut last = if self.interval_secs == 0 { now } else { now.floor_to(self.interval_secs, self.phase_secs) };
        while let Some((from, _)) = self.outages.iter().find(|(from, to)| (*from..*to).contains(&last)) {
            let before = from.plus(-1);
            last = if self.interval_secs == 0 { before } else { before.floor_to(self.interval_secs, self.phase_secs) };
        }
        self.since.is_none_or(|since| last >= since).then_some(last)
    }

    /// Whether a collection at that moment finds nobody there.
    pub(in crate::simulator) fn is_away(&self, at: Ticks) -> bool {
        self.outages.iter().any(|(from, to)| (*from..*to).contains(&at))
    }
}

/// Which list a job stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::simulator) enum Family {
    /// `/jobs`
    Job,
    /// `/agents/jobs`
    Agent,
    /// `/nas/jobs`
    Nas,
}

/// A job.
#[derive(Debug, Clone)]
pub(in crate::simulator) struct Job {
    pub uid: Uuid,
    pub family: Family,
    pub server: usize,
    pub name: Arc<str>,
    pub job_type: &'static str,
    pub platform: &'static str,
    pub description: String,
    pub schedule_configured: bool,
    pub schedule_enabled: bool,
    pub next_run: Option<Ticks>,
    /// False for a job that was deleted while its sessions stay, and for the workers of a copy job.
    pub listed: bool,
}

impl Job {
    /// A listed job with a schedule and nothing special.
    pub(in crate::simulator) fn plain(uid: Uuid, server: usize, name: String, job_type: &'static str) -> Job {
        Job {
            uid,
            family: Family::Job,
            server,
            name: name.into(),
            job_type,
            platform: "VMware",
            description: String::new(),
            schedule_configured: true,
            schedule_enabled: true,
            next_run: None,
            listed: true,
        }
    }
}

/// A CDP policy.
#[derive(Debug, Clone)]
pub(in crate::simulator) struct Policy {
    pub uid: Uuid,
    pub server: usize,
    pub name: Arc<str>,
    pub description: String,
    pub schedule_enabled: bool,
    pub next_run: Option<Ticks>,
}

/// A cloud failover plan.
#[derive(Debug, Clone)]
pub(in crate::simulator) struct Plan {
    pub uid: Uuid,
    pub server: usize,
    pub name: Arc<str>,
    pub tenant_uid: Uuid,
    pub tenant_name: String,
    pub description: String,
    pub vms: Vec<(Uuid, String)>,
}

/// A machine that is protected.
#[derive(Debug, Clone)]
pub(in crate::simulator) struct Vm {
    pub name: Arc<str>,
    /// `urn:VMware:Vm:<guid>.vm-<n>`
    pub reference: String,
    pub size_bytes: i64,
}

impl World {
    /// UID and name of the job or policy of a job or policy session.
    pub(in crate::simulator) fn job_of(&self, row: &Session) -> Option<(uuid::Uuid, &str)> {
        let at = row.job?;
        Some(match row.kind {
            Kind::CdpReplicaSession => (self.policies[at].uid, &self.policies[at].name),
            _ => (self.jobs[at].uid, &self.jobs[at].name),
        })
    }

    pub(in crate::simulator) fn parent_uid(&self, kind: ParentType, at: usize) -> uuid::Uuid {
        match kind {
            ParentType::BackupServer => self.servers[at].uid,
            ParentType::Job | ParentType::AgentBackupJob | ParentType::NasJob => self.jobs[at].uid,
            ParentType::CdpPolicy => self.policies[at].uid,
            ParentType::CloudFailoverPlan => self.plans[at].uid,
        }
    }

    /// Positions of the parents of that type that Enterprise Manager knows.
    pub(in crate::simulator) fn parents(&self, moment: &Moment, kind: ParentType) -> Vec<usize> {
        let known = |server: usize| moment.knows_server(server);
        let jobs = |family: Family| {
            let listed =
                |(at, job): (usize, &Job)| (job.listed && job.family == family && known(job.server)).then_some(at);
            self.jobs.iter().enumerate().filter_map(listed).collect()
        };
        match kind {
            ParentType::BackupServer => (0..self.servers.len()).filter(|at| known(*at)).collect(),
            ParentType::Job => jobs(Family::Job),
            ParentType::AgentBackupJob => jobs(Family::Agent),
            ParentType::NasJob => jobs(Family::Nas),
            ParentType::CdpPolicy => (0..self.policies.len()).filter(|at| known(self.policies[*at].server)).collect(),
            ParentType::CloudFailoverPlan => (0..self.plans.len()).filter(|at| known(self.plans[*at].server)).collect(),
        }
    }
}
