//! What a look at the backups in the morning should find: a full datastore, a night that its retry repaired, a job that
//! has outgrown its window, one that hangs, a server that went silent, restores, and a failover after its rehearsal.
//!
//! All of it is told from the moment at which the history ends, and holds at any hour of the day. Where time goes on
//! after that, nobody mends anything: the datastore stays full and the silent server silent.

use std::sync::Arc;

use super::super::ticks::Ticks;
use super::super::types::Kind;
use super::super::world::{Job, Outcome, Vm};
use super::{DAY, Fleet, HOUR};

mod events;
#[cfg(test)]
mod tests;

pub use events::STORY_PLAN;

const MINUTE: i64 = 60;
const GIB: i64 = 1 << 30;

/// In the unit of [`Ticks::since`].
const DAY_TICKS: i64 = DAY * 10_000_000;

const NO_SPACE: &str = "Cannot open the snapshot: there is not enough free space on datastore office-ssd-02: \
                        3.1 GB are free, 38.4 GB are needed";

const HOST_LOST: &str = "The connection to host esx-07.corp.example was lost: the host is restarting";

/// One machine's part of a run.
#[derive(Clone, Copy)]
struct Part {
    vm: usize,
    secs: i64,
    size_bytes: i64,
    failure: Option<&'static str>,
}

impl Fleet {
    pub(super) fn story(&mut self) {
        let ordinary = self.world.servers.len();
        self.full_datastore(0);
        self.repaired_night(1 % ordinary);
        self.outgrown_window(2 % ordinary);
        self.hanging_run(3 % ordinary);
        self.told_restores();
        self.rehearsed_failover(0);
        self.silent_server();
    }

    /// For five nights one machine of six has failed, each retry too.
    fn full_datastore(&mut self, server: usize) {
        const FULL: usize = 2;
        let start = self.start_at(20);
        let machines = [
            ("office-dc-01", 60),
            ("office-file-01", 1400),
            ("office-mail-01", 620),
            ("office-print-01", 45),
            ("office-sql-01", 380),
            ("office-web-01", 90),
        ];
        let (job, vms) = self.story_job(server, "Office servers", start, &machines);
        for (ago, at) in self.nights(start) {
            let mut parts = self.parts(&vms);
            if ago >= 5 {
                self.story_run(job, at, false, &parts);
                continue;
            }
            let full = &mut parts[FULL];
            (full.secs, full.failure) = (2 * MINUTE, Some(NO_SPACE));
            let full = [*full];
            let mut end = self.story_run(job, at, false, &parts);
            for _ in 0..3 {
                end = self.story_run(job, end.plus_secs(10 * MINUTE), true, &full);
            }
        }
    }

    /// Last night two machines failed, a week earlier too, and the retry saved them.
    fn repaired_night(&mut self, server: usize) {
        let start = self.start_at(22);
        let machines = [("shop-db-01", 510), ("shop-search-01", 240), ("shop-web-01", 80), ("shop-web-02", 80)];
        let (job, vms) = self.story_job(server, "Web shop", start, &machines);
        for (ago, at) in self.nights(start) {
            let mut parts = self.parts(&vms);
            if !matches!(ago, 0 | 7) {
                self.story_run(job, at, false, &parts);
                continue;
            }
            let again = [parts[2], parts[3]];
            for lost in &mut parts[2..] {
                (lost.secs, lost.failure) = (4 * MINUTE, Some(HOST_LOST));
            }
            let end = self.story_run(job, at, false, &parts);
            self.story_run(job, end.plus_secs(10 * MINUTE), true, &again);
        }
    }

    /// From an hour and a half to nine and a half within 30 days: it begins at 21:00, and no longer ends by six.
    fn outgrown_window(&mut self, server: usize) {
        let start = 21 * HOUR;
        let (job, vms) = self.story_job(server, "SAP production", start, &[("sap-app-01", 180), ("sap-db-01", 1024)]);
        for (ago, at) in self.nights(start) {
            let mut parts = self.parts(&vms);
            // Longer than this it does not get: the last runs all overrun.
            let grown = 29 - ago.clamp(2, 29);
            parts[1].secs = 90 * MINUTE + grown * 8 * HOUR / 27 + self.rng.i64(-3 * MINUTE..3 * MINUTE);
            parts[1].size_bytes += (29 - ago.min(29)) * 90 * GIB;
            self.story_run(job, at, false, &parts);
        }
    }

    /// Every four hours for half an hour; now one run has taken two to six hours already.
    fn hanging_run(&mut self, server: usize) {
        let (every, phase) = (4 * HOUR, 90 * MINUTE);
        let (job, vms) = self.story_job(server, "Mail journal", phase, &[("mail-journal-01", 310)]);
        self.world.jobs[job].next_run = Some(self.to.floor_to(every, phase).plus_secs(every));
        let hangs = self.now.plus_secs(-2 * HOUR).floor_to(every, phase);
        let mut at = self.from.floor_to(every, phase).plus_secs(every);
        while at < self.to {
            let mut part = self.parts(&vms)[0];
            part.secs = self.rng.i64(30 * MINUTE..38 * MINUTE);
            if at == hangs {
                part.secs = 13 * HOUR;
            }
            self.story_run(job, at, false, &[part]);
            // While it hangs, no other run begins.
            at = at.plus_secs(if at == hangs { 4 * every } else { every });
        }
    }

    /// A server of its own, of which nothing has come for three days.
    fn silent_server(&mut self) {
        let since = self.now.plus_secs(-3 * DAY);
        let server = self.world.add_server("vbr-branch-01.corp.example", None);
        self.world.servers[server].description = "Branch office".to_owned();
        self.world.servers[server].outages.push((since, self.to.plus_secs(3650 * DAY)));
        let start = self.start_at(23);
        let (job, vms) =
            self.story_job(server, "Branch office", start, &[("branch-dc-01", 60), ("branch-file-01", 700)]);
        // As it was told last.
        self.world.jobs[job].next_run = Some(since.floor_to(DAY, start).plus_secs(DAY));
        for (_, at) in self.nights(start) {
            let parts = self.parts(&vms);
            self.story_run(job, at, false, &parts);
        }
    }

    /// When a nightly job begins, in seconds of the day: at that hour, or earlier where it would be at work right now.
    fn start_at(&self, hour: i64) -> i64 {
        let is_at_work = self.now < self.now.floor_to(DAY, hour * HOUR).plus_secs(2 * HOUR);
        if is_at_work { (hour - 3) * HOUR } else { hour * HOUR }
    }

    /// Each start of a nightly job, and how many nights it lies before last night's, which is 0; what is to come lies below.
    fn nights(&self, start_secs: i64) -> Vec<(i64, Ticks)> {
        let last = self.now.floor_to(DAY, start_secs);
        let mut at = self.from.floor_to(DAY, start_secs).plus_secs(DAY);
        let mut nights = Vec::new();
        while at < self.to {
            nights.push((last.since(at) / DAY_TICKS, at));
            at = at.plus_secs(DAY);
        }
        nights
    }

    /// A job and its machines, with their sizes in GiB.
    fn story_job(
        &mut self,
        server: usize,
        name: &str,
        start_secs: i64,
        machines: &[(&str, i64)],
    ) -> (usize, Vec<usize>) {
        let job = self.add_job(Job {
            next_run: Some(self.to.floor_to(DAY, start_secs).plus_secs(DAY)),
            ..Job::plain(uuid::Uuid::nil(), server, name.to_owned(), "Backup")
        });
        let host = self.world.new_uid();
        let first = self.world.vms.len();
        for (name, size_gib) in machines {
            self.world.vms.push(Vm {
                name: (*name).into(),
                reference: format!("urn:VMware:Vm:{host}.vm-{}", 1000 + self.world.vms.len()),
                size_bytes: size_gib * GIB,
            });
        }
        (job, (first..self.world.vms.len()).collect())
    }

    /// Each machine's part of a good run.
    fn parts(&mut self, vms: &[usize]) -> Vec<Part> {
        let part = |vm: &usize| Part {
            vm: *vm,
            secs: self.rng.i64(8 * MINUTE..35 * MINUTE),
            size_bytes: self.world.vms[*vm].size_bytes,
            failure: None,
        };
        vms.iter().map(part).collect()
    }

    /// One run with its tasks. Returns its end.
    fn story_run(&mut self, job: usize, at: Ticks, is_retry: bool, parts: &[Part]) -> Ticks {
        let server = self.world.jobs[job].server;
        let at = at.plus_secs(self.rng.i64(2..20)).plus(self.fraction());
        let mut session = self.session(Kind::BackupJobSession, server, at, at);
        session.label = Arc::clone(&self.world.jobs[job].name);
        (session.job, session.job_type, session.is_retry) = (Some(job), "Backup", is_retry);
        for part in parts {
            let created = at.plus_secs(self.rng.i64(20..90)).plus(self.fraction());
            let ended = created.plus_secs(part.secs).plus(self.fraction());
            let mut task = self.session(Kind::BackupTaskSession, server, created, ended);
            task.label = Arc::clone(&self.world.vms[part.vm].name);
            (task.parent, task.vm) = (Some(session.uid), Some(part.vm));
            match part.failure {
                Some(reason) => (task.outcome, task.message) = (Outcome::Failed, Some(reason.into())),
                None => (task.point, task.size_bytes) = (Some(self.world.new_uid()), part.size_bytes),
            }
            session.end = session.end.max(task.end.plus_secs(15).plus(self.fraction()));
            self.world.add(task);
        }
        let failed = parts.iter().filter(|part| part.failure.is_some()).count();
        if failed > 0 {
            session.outcome = Outcome::Failed;
            session.message = Some(format!("{failed} of {} machines failed", parts.len()).into());
        }
        let end = session.end;
        self.world.add(session);
        end
    }
}
