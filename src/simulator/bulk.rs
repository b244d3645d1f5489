//! A long plain history, for measuring: tasks with their job sessions, rendered ahead so that the answer costs a copy.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::render;
use super::ticks::Ticks;
use super::types::{Kind, QueryType};
use super::world::{Arena, Job, Outcome, Server, Session, Vm, World};

/// Tasks below one job session.
const TASKS_PER_SESSION: usize = 25;

/// How long the history is.
#[derive(Debug, Clone)]
pub struct BulkOptions {
    /// Task sessions; a twenty-fifth as many job sessions come on top.
    pub tasks: usize,
    /// Tasks created in an hour, from which the length of the history follows.
    pub rows_per_hour: usize,
    /// Backup servers.
    pub servers: usize,
    /// All has ended by then.
    pub end: DateTime<Utc>,
}

impl World {
    /// A history of many finished tasks that are all visible at `end`.
    #[must_use]
    pub fn bulk(seed: u64, options: &BulkOptions) -> World {
        let mut world = World::empty(seed);
        let servers = options.servers.max(1);
        let vms = 5000.min(options.tasks.max(1));
        let jobs = servers * 20;
        plain_parents(&mut world, servers, jobs, vms);
        let mut rng = fastrand::Rng::with_seed(seed ^ 0xb01d);
        let step = 3600 * 10_000_000 / i64::try_from(options.rows_per_hour.max(1)).expect("a sane rate");
        let last = Ticks::from_utc(options.end).plus_secs(-2 * 3600);
        let tasks = i64::try_from(options.tasks).expect("a sane number of rows");
        let mut at = last.plus(-step * tasks);
        for first in (0..options.tasks).step_by(TASKS_PER_SESSION) {
            let count = TASKS_PER_SESSION.min(options.tasks - first);
            let job = first / TASKS_PER_SESSION % jobs;
            let server = world.jobs[job].server;
            let session_uid = world.new_uid();
            let created = at;
            let mut end = at;
            let mut worst = Outcome::Success;
            for n in first..first + count {
                at = at.plus(step);
                // Two digits of noise below the step, so that not every fraction looks alike.
                let creation = at.plus(rng.i64(0..step.clamp(1, 9_000_000)) / 10 * 10);
                let ended = creation.plus_secs(rng.i64(20..3600)).plus(rng.i64(0..1_000_000) * 10);
                let outcome = match rng.u32(..100) {
                    0..3 => Outcome::Failed,
                    3..7 => Outcome::Warning,
                    _ => Outcome::Success,
                };
                let vm = n % vms;
                let uid = world.new_uid();
                let point = (outcome != Outcome::Failed).then(|| world.new_uid());
                worst = worst.max(outcome);
                end = end.max(ended);
                world.add(Session {
                    kind: Kind::BackupTaskSession,
                    uid,
                    server,
                    label: Arc::clone(&world.vms[vm].name),
                    parent: Some(session_uid),
                    job: None,
                    job_type: "",
                    vm: Some(vm),
                    creation,
                    end: ended,
                    delay_secs: 0,
                    outcome,
                    message: super::text::message(&mut rng, outcome),
                    size_bytes: if outcome == Outcome::Failed { 0 } else { world.vms[vm].size_bytes },
                    is_retry: false,
                    point,
                    more: None,
                });
            }
            let label = Arc::clone(&world.jobs[job].name);
            world.add(Session {
                kind: Kind::BackupJobSession,
                uid: session_uid,
                server,
                label,
                parent: None,
                job: Some(job),
                job_type: "Backup",
                vm: None,
                creation: created,
                end: end.plus_secs(5),
                delay_secs: 0,
                outcome: worst,
                message: None,
                size_bytes: 0,
                is_retry: false,
                point: None,
                more: None,
            });
        }
        world.index();
        for kind in [Kind::BackupTaskSession, Kind::BackupJobSession] {
            let arena = render_ahead(&world, kind);
            world.tables[kind.index()].arena = arena;
        }
        world
    }
}

fn plain_parents(world: &mut World, servers: usize, jobs: usize, vms: usize) {
    for n in 0..servers {
        let uid = world.new_uid();
        world.servers.push(Server {
            uid,
            name: super::text::server_name(n),
            description: String::new(),
            port: 9392,
            version: "13.0.1.180".to_owned(),
            interval_secs: 0,
            ahead_secs: 0,
            phase_secs: 0,
            outages: Vec::new(),
            since: None,
        });
    }
    for n in 0..jobs {
        let uid = world.new_uid();
        world.jobs.push(Job::plain(uid, n % servers, format!("Bulk job {n:04}"), "Backup"));
    }
    let host = world.new_uid();
    for n in 0..vms {
        world.vms.push(Vm {
            name: format!("bulk-vm-{n:05}").into(),
            reference: format!("urn:VMware:Vm:{host}.vm-{n}"),
            size_bytes: world.rng.i64(8 << 30..2 << 40),
        });
    }
}

fn render_ahead(world: &World, kind: Kind) -> Arena {
    let rows = &world.table(kind).rows;
    let mut xml = render::Xml::compact(rows.len() * 1500);
    let mut offsets = Vec::with_capacity(rows.len() + 1);
    for row in rows.iter().flatten() {
        offsets.push(xml.len());
        let tag = QueryType::Session(kind).row_tag();
        render::session(&mut xml, world, row, row.view(row.end), tag, false);
    }
    offsets.push(xml.len());
    Arena { text: xml.into_string(), offsets }
}
