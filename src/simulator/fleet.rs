//! A believable fleet: what a few backup servers do in some weeks, with all that goes wrong in that time.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::text;
use super::ticks::Ticks;
use super::types::Kind;
use super::world::{COLLECTION_SECS, Family, Job, Oddities, Outcome, Plan, Policy, Server, Session, Vm, World};

mod runs;
mod story;

pub use story::STORY_PLAN;

/// How large the fleet is and what time it covers.
#[derive(Debug, Clone)]
pub struct FleetOptions {
    /// Backup servers.
    pub servers: usize,
    /// Jobs of all sorts, spread over the servers.
    pub jobs: usize,
    /// Machines, spread over the servers.
    pub vms: usize,
    /// Days of history before `end`.
    pub days: i64,
    /// Now, as far as the history goes.
    pub end: DateTime<Utc>,
    /// Hours after `end` for which sessions exist already, so that time can move on.
    pub future_hours: i64,
    /// A story for people runs through it, about the days before `end`, and by chance less happens than a test wants.
    pub story: bool,
}

impl FleetOptions {
    /// A fleet large enough to hold everything that is odd, and small enough for a test.
    #[must_use]
    pub fn small(end: DateTime<Utc>) -> FleetOptions {
        FleetOptions { servers: 3, jobs: 18, vms: 40, days: 7, end, future_hours: 48, story: false }
    }
}

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// What sort of job comes when: every fleet of twelve or more has all of them.
const SORTS: [Sort; 12] = [
    Sort::Backup,
    Sort::Replica,
    Sort::Backup,
    Sort::ImmediateCopy,
    Sort::Agent,
    Sort::Backup,
    Sort::Nas,
    Sort::Copy,
    Sort::Replica,
    Sort::Backup,
    Sort::Backup,
    Sort::Backup,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Backup,
    Replica,
    ImmediateCopy,
    Copy,
    Agent,
    Nas,
}

/// The world while it is being filled.
struct Fleet {
    world: World,
    rng: fastrand::Rng,
    from: Ticks,
    now: Ticks,
    to: Ticks,
    /// Failures, restores and failovers by chance are so many times rarer than a test wants them.
    calm: u32,
}

impl World {
    /// A fleet that is the same for the same seed and options.
    #[must_use]
    pub fn fleet(seed: u64, options: &FleetOptions) -> World {
        let end = Ticks::from_utc(options.end);
        let mut fleet = Fleet {
            world: World::empty(seed),
            rng: fastrand::Rng::with_seed(seed ^ 0x5eed),
            from: end.plus_secs(-options.days * DAY),
            now: end,
            to: end.plus_secs(options.future_hours * HOUR),
            calm: if options.story { 5 } else { 1 },
        };
        fleet.servers(options.servers.max(1));
        fleet.vms(options.vms.max(1));
        for n in 0..options.jobs {
            fleet.job(n);
        }
        for server in 0..options.servers.max(1) {
            if server.is_multiple_of(2) {
                fleet.policy(server);
            }
            fleet.restores(server);
        }
        fleet.failovers();
        fleet.spice();
        if options.story {
            // After the spice, which would blur it.
            fleet.story();
        }
        fleet.world.index();
        fleet.world
    }
}

impl Fleet {
    fn servers(&mut self, count: usize) {
        for n in 0..count {
            let uid = self.world.new_uid();
            self.world.servers.push(Server {
                uid,
                // One is known by its address, as the last in a fleet of several often is.
                name: if n > 0 && n + 1 == count { "10.20.30.41".into() } else { text::server_name(n) },
                description: if n.is_multiple_of(2) { String::new() } else { format!("Site {n}: racks <A> & \"B\"") },
                port: 9392,
                version: ["13.0.1.180", "12.3.2.3617", "11.0.1.1261"][n % 3].to_owned(),
                interval_secs: COLLECTION_SECS,
                ahead_secs: 0,
                phase_secs: self.rng.i64(0..COLLECTION_SECS),
                outages: Vec::new(),
                since: None,
            });
        }
    }

    fn vms(&mut self, count: usize) {
        let host = self.world.new_uid();
        for n in 0..count {
            self.world.vms.push(Vm {
                name: text::vm_name(n),
                reference: format!("urn:VMware:Vm:{host}.vm-{}", 1000 + n),
                size_bytes: self.rng.i64(20 << 30..4 << 40),
            });
        }
    }

    fn job(&mut self, n: usize) {
        let server = n % self.world.servers.len();
        let sort = SORTS[n % SORTS.len()];
        let (what, job_type, family, platform) = match sort {
            Sort::Backup => ("backup", "Backup", Family::Job, "VMware"),
            Sort::Replica => ("replication", "Replica", Family::Job, "VMware"),
            Sort::ImmediateCopy => ("copy", "ImmediateBackupCopy", Family::Job, "VMware"),
            Sort::Copy => ("archive", "BackupCopy", Family::Job, "Hyperv"),
            Sort::Agent => ("agents", "AgentBackup", Family::Agent, "VMware"),
            Sort::Nas => ("shares", "NasBackup", Family::Nas, "VMware"),
        };
        let name = text::job_name(n, what);
        let next_run = (!n.is_multiple_of(5)).then(|| self.to.plus_secs(self.rng.i64(0..DAY)));
        // Every seventh was deleted: its sessions point to a job that is no more.
        let listed = n % 7 != 5;
        let job = self.add_job(Job {
            uid: uuid::Uuid::nil(),
            family,
            server,
            name: Arc::clone(&name),
            job_type,
            platform,
            description: if n.is_multiple_of(3) { String::new() } else { format!("Made by CORP\\admin{n} & reviewed") },
            schedule_configured: !n.is_multiple_of(5),
            schedule_enabled: !n.is_multiple_of(5) && n % 8 != 3,
            next_run,
            listed,
        });
        let vms: Vec<usize> = {
            let all = self.world.vms.len();
            let count = self.rng.usize(2..=8).min(all);
            (0..count).map(|i| (n * 5 + i) % all).collect()
        };
        match sort {
            Sort::Backup => self.nightly(job, n, &vms),
            Sort::Replica => self.replicas(job, n, &vms),
            Sort::ImmediateCopy => self.copies_with_workers(job, n, &vms),
            Sort::Copy => self.long_copies(job),
            Sort::Agent => self.agents(job, n, &vms),
            Sort::Nas => self.nightly(job, n, &[]),
        }
    }

    fn add_job(&mut self, mut job: Job) -> usize {
        job.uid = self.world.new_uid();
        self.world.jobs.push(job);
        self.world.jobs.len() - 1
    }

    fn policy(&mut self, server: usize) {
        let uid = self.world.new_uid();
        let next_run = Some(self.to.plus_secs(HOUR));
        self.world.policies.push(Policy {
            uid,
            server,
            name: format!("Continuous – tier {}", server + 1).into(),
            description: String::new(),
            schedule_enabled: true,
            next_run,
        });
        let policy = self.world.policies.len() - 1;
        self.continuous(policy);
    }

    fn failovers(&mut self) {
        // Two plans of one name on the first server: a session there names neither of them for sure.
        let last = self.world.servers.len() - 1;
        let places = [
            (0, "Harbour site failover"),
            (0, "Harbour site failover"),
            (last, "Harbour site failover"),
            (0, "Quarry & Sons <DR>"),
        ];
        for (n, (server, name)) in places.into_iter().enumerate() {
            if last == 0 && n == 2 {
                continue;
            }
            let (uid, tenant_uid) = (self.world.new_uid(), self.world.new_uid());
            let vms = (0..2 + n).map(|i| (self.world.new_uid(), text::vm_name(i * 3 + n).to_string())).collect();
            self.world.plans.push(Plan {
                uid,
                server,
                name: name.into(),
                tenant_uid,
                tenant_name: format!("Tenant \"{n}\" GmbH"),
                description: if n == 1 { String::new() } else { "Whole site, then DNS".to_owned() },
                vms,
            });
        }
        let mut at = self.from.plus_secs(5 * HOUR);
        // Somebody is at it right now.
        self.failover(0, self.now.plus_secs(-HOUR / 2));
        let mut n = 1;
        while at < self.to {
            self.failover(n, at);
            n += 1;
            at = at.plus_secs(self.rng.i64(7 * HOUR..30 * HOUR) * i64::from(self.calm));
        }
    }

    /// Rare things, strewn over what is there.
    fn spice(&mut self) {
        for table in &mut self.world.tables {
            let mut messages = 0;
            for row in table.rows.iter_mut().flatten() {
                let roll = self.rng.u32(..1000);
                if roll < 70 {
                    let odd = row.more.get_or_insert_default();
                    match roll {
                        0..12 => text::unknown_parts(&mut self.rng, odd),
                        12..22 => odd.late_end = self.rng.i64(1..=2),
                        22..32 => odd.no_job_link = true,
                        32..42 => odd.no_job_uid = true,
                        42..46 => (odd.no_job_link, odd.no_job_uid) = (true, true),
                        // A machine without a server looks like another machine, which a story cannot do with.
                        46..49 => odd.no_server_link = self.calm == 1 || !row.kind.is_task(),
                        49..55 => row.delay_secs = self.rng.i64(HOUR..6 * HOUR),
                        _ => odd.early_failure = row.outcome == Outcome::Failed,
                    }
                }
                if row.message.is_some() {
                    if messages % 7 == 3 {
                        let (truth, raw) = text::odd_message(messages / 7);
                        row.message = Some(truth);
                        row.more.get_or_insert_default().raw_message = Some(raw);
                    }
                    messages += 1;
                }
            }
            table.max_delay_secs = table.rows.iter().flatten().map(|row| row.delay_secs).max().unwrap_or(0);
        }
    }

    /// A session that is like most: nothing odd about it. The caller says what differs.
    fn session(&mut self, kind: Kind, server: usize, creation: Ticks, end: Ticks) -> Session {
        Session {
            kind,
            uid: self.world.new_uid(),
            server,
            label: "".into(),
            parent: None,
            job: None,
            job_type: "",
            vm: None,
            creation,
            end: end.max(creation.plus(1)),
            delay_secs: 0,
            outcome: Outcome::Success,
            message: None,
            size_bytes: 0,
            is_retry: false,
            point: None,
            more: None,
        }
    }

    fn outcome(&mut self) -> Outcome {
        match self.rng.u32(..100 * self.calm) {
            0..3 => Outcome::Failed,
            3..7 => Outcome::Warning,
            _ => Outcome::Success,
        }
    }

    /// A fraction of a second of no, three, up to six or all seven digits.
    fn fraction(&mut self) -> i64 {
        match self.rng.u32(..10) {
            0 => 0,
            1..4 => self.rng.i64(0..1000) * 10_000,
            4..9 => self.rng.i64(0..1_000_000) * 10,
            _ => self.rng.i64(0..10_000_000),
        }
    }

    fn odd(set: impl FnOnce(&mut Oddities)) -> Option<Box<Oddities>> {
        let mut odd = Oddities::default();
        set(&mut odd);
        Some(Box::new(odd))
    }
}
