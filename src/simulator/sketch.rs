//! A small world for a test that runs many: a few servers, the types that it asks for, a few hundred sessions.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::ticks::Ticks;
use super::types::Kind;
use super::world::{Outcome, Server, World};

/// What is in it.
#[derive(Debug, Clone)]
pub struct SketchOptions {
    /// Backup servers.
    pub servers: usize,
    /// Types of sessions. Tasks bring the type of their parents along.
    pub kinds: Vec<Kind>,
    /// Sessions, about.
    pub sessions: usize,
    /// When the first one starts.
    pub from: DateTime<Utc>,
    /// When the last one starts.
    pub to: DateTime<Utc>,
    /// Before each of these moments, the last collection of every server takes a part of a second: what starts in the
    /// rest of it comes with the next one.
    pub splits: Vec<DateTime<Utc>>,
}

impl World {
    /// A world that is the same for the same seed and options. Nothing befalls it.
    #[must_use]
    pub fn sketch(seed: u64, options: &SketchOptions) -> World {
        let mut world = World::empty(seed);
        for n in 0..options.servers {
            world.add_server(&format!("vbr-{n}.corp.example"), None);
        }
        let whole = (options.to - options.from).num_milliseconds().max(1);
        let mut sessions = 0;
        while sessions < options.sessions {
            // Some servers do much, some little.
            let server = world.rng.usize(..options.servers).min(world.rng.usize(..options.servers));
            let kind = options.kinds[world.rng.usize(..options.kinds.len())];
            let mut at = options.from + TimeDelta::milliseconds(world.rng.i64(0..whole));
            if world.rng.u32(..6) == 0 {
                // In the very second of a collection, which then takes a part of that second.
                let server = &world.servers[server];
                at = Ticks::from_utc(at).floor_to(server.interval_secs, server.phase_secs).utc();
            }
            sessions += world.sketch_run(kind, server, at);
        }
        for split in &options.splits {
            for server in 0..options.servers {
                let kind = options.kinds[world.rng.usize(..options.kinds.len())];
                world.sketch_split(kind, server, *split);
            }
        }
        world.index();
        world
    }

    /// A session, or a few tasks below their parent. Returns how many that made.
    fn sketch_run(&mut self, kind: Kind, server: usize, at: DateTime<Utc>) -> usize {
        let minutes = match self.rng.u32(..20) {
            // Some are over before anyone sees them run, some run for days.
            0..4 => self.rng.i64(1..10),
            19 => self.rng.i64(600..4000),
            _ => self.rng.i64(10..200),
        };
        let length = TimeDelta::minutes(minutes) + TimeDelta::milliseconds(self.rng.i64(0..60_000));
        let Some(parent) = kind.parent() else {
            self.sketch_session(kind, server, at, length, None);
            return 1;
        };
        let parent = self.sketch_session(parent, server, at, length + TimeDelta::seconds(20), None);
        let tasks = self.rng.usize(1..6);
        let is_burst = self.rng.u32(..5) == 0;
        for _ in 0..tasks {
            let wait = match self.rng.u32(..4) {
                0 if is_burst => TimeDelta::zero(),
                _ if is_burst => TimeDelta::milliseconds(self.rng.i64(0..1000)),
                _ => TimeDelta::milliseconds(self.rng.i64(0..300_000)),
            };
            let length = TimeDelta::milliseconds(self.rng.i64(1000..length.num_milliseconds().max(1001)));
            self.sketch_session(kind, server, at + wait, length, Some(parent));
        }
        1 + tasks
    }

    /// Two sessions in the second of the last collection before `at`, one in time for it and one too late.
    fn sketch_split(&mut self, kind: Kind, server: usize, at: DateTime<Utc>) {
        let Server { interval_secs, phase_secs, .. } = self.servers[server];
        let collected = Ticks::from_utc(at).floor_to(interval_secs, phase_secs).utc();
        let length = TimeDelta::minutes(self.rng.i64(1..60));
        let early = collected - TimeDelta::seconds(self.rng.i64(1..60));
        let parent = kind.parent().map(|parent| self.sketch_session(parent, server, early, length, None));
        let late = TimeDelta::milliseconds(self.rng.i64(1..1000));
        for wait in [TimeDelta::zero(), late] {
            self.sketch_session(kind, server, collected + wait, length, parent);
        }
    }

    fn sketch_session(
        &mut self,
        kind: Kind,
        server: usize,
        at: DateTime<Utc>,
        length: TimeDelta,
        parent: Option<Uuid>,
    ) -> Uuid {
        let uid = self.plain(kind, server, at, length, parent);
        let (outcome, late_end) = match self.rng.u32(..30) {
            0 => (Outcome::Failed, 0),
            1 => (Outcome::Warning, 0),
            2 => (Outcome::Success, self.rng.i64(1..4)),
            _ => (Outcome::Success, 0),
        };
        if let Some(row) = self.tables[kind.index()].rows.last_mut().and_then(Option::as_mut) {
            row.outcome = outcome;
            if late_end > 0 {
                row.more.get_or_insert_default().late_end = late_end;
            }
        }
        uid
    }
}
