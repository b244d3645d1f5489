//! What befalls Enterprise Manager itself: it is restored from a backup, it warms up, it shows an account less for a
//! while, it takes only a part of what a server has. All of it is laid down beforehand, so that what is shown remains
//! a pure function of world and time.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::ticks::Ticks;
use super::types::Kind;
use super::world::{Moment, Session, World};

/// What becomes of the sessions that a restored Enterprise Manager had collected after its backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterRestore {
    /// They are collected again as they were.
    SameUids,
    /// They are collected again and get new identities.
    NewUids,
    /// They are not collected again.
    Nothing,
}

/// What a session's row looked like from outside, over time. Stretches begin with their first moment and end before
/// their second.
#[derive(Debug, Clone)]
pub struct Visibility {
    /// The session.
    pub uid: Uuid,
    /// Its backup server.
    pub server: Uuid,
    /// When it was created, by its server's clock.
    pub creation: DateTime<Utc>,
    /// When it ends, by its server's clock.
    pub end: DateTime<Utc>,
    /// When the account sees it.
    pub shown: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    /// When the account sees it with its end.
    pub ended: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    /// When Enterprise Manager has it, whether or not the account sees it.
    pub had: Vec<(DateTime<Utc>, DateTime<Utc>)>,
}

/// Everything that befalls it.
#[derive(Debug, Default)]
pub(super) struct Mishaps {
    restores: Vec<Restore>,
    blind: Vec<Blind>,
}

/// In `at..until` the world is shown as of `to`, and then it is collected again.
#[derive(Debug)]
struct Restore {
    to: Ticks,
    at: Ticks,
    until: Ticks,
}

/// What the account does not see in `from..to`.
#[derive(Debug)]
struct Blind {
    from: Ticks,
    to: Ticks,
    hidden: Hidden,
}

#[derive(Debug)]
enum Hidden {
    All,
    Servers(Vec<usize>),
    Sessions(Arc<HashSet<Uuid>>),
}

impl Mishaps {
    pub(super) fn is_empty(&self) -> bool {
        self.restores.is_empty() && self.blind.is_empty()
    }

    fn blind(&self, now: Ticks) -> impl Iterator<Item = &Hidden> {
        self.blind.iter().filter(move |blind| (blind.from..blind.to).contains(&now)).map(|blind| &blind.hidden)
    }

    /// The sessions that are hidden now, one by one.
    pub(super) fn hidden_sessions(&self, now: Ticks) -> Vec<Arc<HashSet<Uuid>>> {
        let sessions = |hidden: &Hidden| match hidden {
            Hidden::Sessions(uids) => Some(Arc::clone(uids)),
            Hidden::All | Hidden::Servers(_) => None,
        };
        self.blind(now).filter_map(sessions).collect()
    }

    pub(super) fn hides_server(&self, server: usize, now: Ticks) -> bool {
        self.blind(now).any(|hidden| match hidden {
            Hidden::All => true,
            Hidden::Servers(servers) => servers.contains(&server),
            Hidden::Sessions(_) => false,
        })
    }
}

impl World {
    /// The collection of a server that decides what is known of it now, by its own clock.
    pub(super) fn collected(&self, server: usize, now: Ticks) -> Option<Ticks> {
        let server = &self.servers[server];
        let mut last = server.collected(now)?;
        for restore in &self.mishaps.restores {
            if restore.at <= now && last < restore.until {
                last = server.collected(restore.to)?;
            }
        }
        Some(last.plus_secs(server.ahead_secs))
    }

    /// From now on the server's clock is so many seconds ahead of what it was: the times of all its sessions shift.
    pub fn shift_clock(&mut self, server: usize, secs: i64) {
        self.servers[server].ahead_secs += secs;
        for row in self.tables.iter_mut().flat_map(|table| &mut table.rows).flatten() {
            if row.server == server {
                (row.creation, row.end) = (row.creation.plus_secs(secs), row.end.plus_secs(secs));
            }
        }
        self.index();
    }

    /// The collection of the server that is next at or after `at` takes only a part of what is new: each session stays
    /// behind with this chance, and is taken one to eight collections later.
    pub fn collect_partly(&mut self, server: usize, at: DateTime<Utc>, chance: f64) {
        let (interval, ahead) = (self.servers[server].interval_secs, self.servers[server].ahead_secs);
        let Some(at) = self.first_collection(server, Ticks::from_utc(at)) else { return };
        for kind in Kind::ALL {
            for id in 0..self.table(kind).rows.len() {
                let table = self.table(kind);
                let Some(row) = table.rows[id].as_ref().filter(|row| row.server == server) else { continue };
                if self.first_shown(row) != Some(at) || self.rng.f64() >= chance {
                    continue;
                }
                let later = at.plus_secs(self.rng.i64(1..=8) * interval + ahead);
                let table = &mut self.tables[kind.index()];
                if let Some(row) = &mut table.rows[id] {
                    row.delay_secs = later.since(row.creation).div_euclid(10_000_000);
                    table.max_delay_secs = table.max_delay_secs.max(row.delay_secs);
                }
            }
        }
        self.version += 1;
    }

    /// Whether the account sees a backup server.
    #[must_use]
    pub fn sees_server(&self, uid: Uuid, at: DateTime<Utc>) -> bool {
        let server = self.servers.iter().position(|server| server.uid == uid);
        server.is_some_and(|server| !self.mishaps.hides_server(server, Ticks::from_utc(at)))
    }

    /// Nothing is shown at all, as after a start of the service.
    pub fn warm_up(&mut self, from: DateTime<Utc>, to: DateTime<Utc>) {
        self.blind(from, to, Hidden::All);
    }

    /// The account sees nothing of these servers, nor the servers themselves.
    pub fn hide_servers(&mut self, servers: &[usize], from: DateTime<Utc>, to: DateTime<Utc>) {
        self.blind(from, to, Hidden::Servers(servers.to_vec()));
    }

    /// The account does not see the sessions of some of the server's jobs: so many that at least this share of the
    /// server's sessions is hidden, but never those of all jobs. The jobs and the server stay listed.
    pub fn hide_sessions(&mut self, server: usize, share: f64, from: DateTime<Utc>, to: DateTime<Utc>) {
        let rows = || self.tables.iter().flat_map(|table| &table.rows).flatten().filter(|row| row.server == server);
        let mut groups: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
        for row in rows() {
            let parent = row.kind.parent().zip(row.parent).and_then(|(kind, uid)| self.table(kind).get(uid));
            let holder = parent.unwrap_or(row);
            let group = self.job_of(holder).map_or(holder.uid, |(job, _)| job);
            groups.entry(group).or_default().push(row.uid);
        }
        let mut groups: Vec<(Uuid, Vec<Uuid>)> = groups.into_iter().collect();
        groups.sort_unstable();
        groups.pop();
        let enough = share * f64::from(u32::try_from(rows().count()).unwrap_or(u32::MAX));
        let mut hidden = HashSet::new();
        for (_, uids) in groups {
            if f64::from(u32::try_from(hidden.len()).unwrap_or(u32::MAX)) < enough {
                hidden.extend(uids);
            }
        }
        self.blind(from, to, Hidden::Sessions(Arc::new(hidden)));
    }

    fn blind(&mut self, from: DateTime<Utc>, to: DateTime<Utc>, hidden: Hidden) {
        self.mishaps.blind.push(Blind { from: Ticks::from_utc(from), to: Ticks::from_utc(to), hidden });
        self.version += 1;
    }

    /// At `at` Enterprise Manager is restored from a backup that was made at `to`. Until `until` it shows what it knew
    /// then; after that it collects again. Comes after all other edits, and once in the life of a world.
    pub fn restore(&mut self, to: DateTime<Utc>, at: DateTime<Utc>, until: DateTime<Utc>, after: AfterRestore) {
        let (to, at, until) = (Ticks::from_utc(to), Ticks::from_utc(at), Ticks::from_utc(until));
        let is_lost = |world: &World, row: &Session| world.first_shown(row).is_some_and(|at_| at_ > to && at_ <= at);
        let mut lost: Vec<Session> = Vec::new();
        if after != AfterRestore::SameUids {
            let rows = self.tables.iter().flat_map(|table| &table.rows).flatten();
            lost.extend(rows.filter(|row| is_lost(self, row)).cloned());
        }
        for row in &lost {
            self.edit(row.uid, |row| row.more.get_or_insert_default().gone_at = Some(at));
        }
        if after == AfterRestore::NewUids {
            let renamed: HashMap<Uuid, Uuid> = lost.iter().map(|row| (row.uid, self.new_uid())).collect();
            for mut row in lost {
                row.uid = renamed[&row.uid];
                row.parent = row.parent.map(|parent| renamed.get(&parent).copied().unwrap_or(parent));
                let back_at = until.plus_secs(self.servers[row.server].ahead_secs);
                row.more.get_or_insert_default().back_at = Some(back_at);
                self.add(row);
            }
        }
        self.mishaps.restores.push(Restore { to, at, until });
        self.index();
    }

    /// The first collection of a server at or after a moment, by Enterprise Manager's clock.
    fn first_collection(&self, server: usize, at: Ticks) -> Option<Ticks> {
        let server = &self.servers[server];
        let mut at = server.since.map_or(at, |since| at.max(since));
        // Each outage can put it off once.
        for _ in 0..=server.outages.len() {
            if server.interval_secs > 0 {
                let before = at.floor_to(server.interval_secs, server.phase_secs);
                at = if before < at { before.plus_secs(server.interval_secs) } else { at };
            }
            match server.outages.iter().find(|(from, to)| (*from..*to).contains(&at)) {
                Some((_, to)) => at = *to,
                None => return Some(at),
            }
        }
        None
    }

    /// When a session is first shown, whatever befalls Enterprise Manager later.
    fn first_shown(&self, row: &Session) -> Option<Ticks> {
        let known = row.creation.plus_secs(row.delay_secs - self.servers[row.server].ahead_secs);
        self.first_collection(row.server, known)
    }

    /// When each session of a type was to be seen. Those that are not fit to be stored are left out.
    #[must_use]
    pub fn visibility(&self, kind: Kind) -> Vec<Visibility> {
        let fit = |row: &&Session| row.more.as_deref().is_none_or(|odd| odd.broken.is_none());
        self.sessions(kind).filter(fit).map(|row| self.visibility_of(row)).collect()
    }

    fn visibility_of(&self, row: &Session) -> Visibility {
        let odd = row.more.as_deref();
        let ahead = self.servers[row.server].ahead_secs;
        let late_end = odd.map_or(0, |odd| odd.late_end) * super::COLLECTION_SECS;
        let mut moments = vec![
            row.creation.plus_secs(row.delay_secs - ahead),
            row.end.plus_secs(late_end - ahead),
            odd.and_then(|odd| odd.back_at).unwrap_or(row.creation).plus_secs(-ahead),
        ];
        moments.extend(self.mishaps.restores.iter().flat_map(|restore| [restore.at, restore.until]));
        moments.extend(self.mishaps.blind.iter().flat_map(|blind| [blind.from, blind.to]));
        moments.extend(odd.and_then(|odd| odd.gone_at));
        moments.extend(self.retention_days.map(|days| row.creation.plus_secs(days * 86_400).plus(1)));
        // Things change at such a moment, or with the first collection after it.
        let collections: Vec<Ticks> = moments.iter().filter_map(|at| self.first_collection(row.server, *at)).collect();
        moments.extend(collections);
        moments.sort_unstable();
        moments.dedup();
        let (mut shown, mut ended, mut had) = (Stretches::default(), Stretches::default(), Stretches::default());
        for at in moments {
            let moment = self.at(at);
            let collected = moment.shows(row);
            shown.note(at, collected.is_some());
            ended.note(at, collected.is_some_and(|collected| row.view(collected).end.is_some()));
            had.note(at, self.has(row, at));
        }
        let uid = self.servers[row.server].uid;
        let (creation, end) = (row.creation.utc(), row.end.utc());
        Visibility { uid: row.uid, server: uid, creation, end, shown: shown.0, ended: ended.0, had: had.0 }
    }

    /// Whether Enterprise Manager has a session, whether or not the account sees it.
    fn has(&self, row: &Session, now: Ticks) -> bool {
        let collected = (0..self.servers.len()).map(|server| self.collected(server, now)).collect();
        Moment { collected, hidden: Vec::new(), is_plain: false, ..self.at(now) }.shows(row).is_some()
    }
}

#[derive(Debug, Default)]
struct Stretches(Vec<(DateTime<Utc>, DateTime<Utc>)>);

impl Stretches {
    fn note(&mut self, at: Ticks, is: bool) {
        let open = self.0.last_mut().filter(|(_, to)| *to == DateTime::<Utc>::MAX_UTC);
        match (open, is) {
            (None, true) => self.0.push((at.utc(), DateTime::<Utc>::MAX_UTC)),
            (Some((_, to)), false) => *to = at.utc(),
            (None, false) | (Some(_), true) => {}
        }
    }
}
