//! What a seed means: a world, what befalls it, how the sync is set up, and what happens step by step.

use chrono::{DateTime, TimeDelta, Utc};
use vemsync::config::Backfill;
use vemsync::simulator::{
    AfterRestore, Clock, Fault, Faults, Kind, Options as SimulatorOptions, SketchOptions, TokenLife, World,
};
use vemsync::store::SweepScope;

use crate::support::world::start;

/// What a set of histories has in common.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// Below the marks each scan begins so far.
    pub overlap: TimeDelta,
    /// Rows of a server come in the order of their creation, and none comes late.
    pub is_in_order: bool,
    /// Collections take a part of a second, shortly before a pass.
    pub splits_seconds: bool,
    /// Requests fail, and processes die.
    pub has_troubles: bool,
    /// Nothing befalls Enterprise Manager and its servers but outages and what else the profile says.
    pub is_plain: bool,
    /// How often Enterprise Manager is restored from a backup.
    pub restores: f64,
    /// What the passes miss is swept up.
    pub has_sweeps: bool,
}

impl Profile {
    /// Everything goes wrong that can.
    pub const ALL: Self = Self {
        overlap: TimeDelta::hours(2),
        is_in_order: false,
        splits_seconds: false,
        has_troubles: true,
        is_plain: false,
        restores: 0.25,
        has_sweeps: true,
    };

    /// Neither an overlap nor a sweep covers up what the passes miss. Rows come in order, so that nothing is missed.
    pub const STRICT: Self = Self {
        overlap: TimeDelta::zero(),
        is_in_order: true,
        splits_seconds: true,
        restores: 0.0,
        has_sweeps: false,
        ..Self::ALL
    };

    /// Enterprise Manager is restored from a backup, and nothing else befalls it.
    pub const RESTORED: Self = Self { has_troubles: false, is_plain: true, restores: 1.0, ..Self::STRICT };
}

/// One thing that happens.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    Wide,
    Narrow,
    /// A sweep, or as much of one as so many requests allow.
    Sweep(SweepScope, Option<u64>),
    /// Someone asks for so many days of history.
    Backfill(i64),
    /// The process ends and another begins.
    Restart,
    /// The account is refused once.
    Refusal,
}

/// All of it.
#[derive(Debug)]
pub struct History {
    pub kinds: Vec<Kind>,
    pub world: World,
    pub simulator: SimulatorOptions,
    /// This machine's clock, less the simulator's.
    pub skew: TimeDelta,
    pub page_size: u32,
    pub backfill: Backfill,
    pub faults: Faults,
    /// Answers lie: lists are empty that are not.
    pub has_lies: bool,
    /// Chance of a crash or a failure per call of the store.
    pub store_troubles: f64,
    pub steps: Vec<(TimeDelta, Step)>,
    /// When Enterprise Manager is restored from a backup, if it is.
    pub restored_at: Option<DateTime<Utc>>,
    /// Nothing befalls anyone from then on.
    pub quiet_at: DateTime<Utc>,
}

const KINDS: [&[Kind]; 6] = [
    &[Kind::BackupJobSession, Kind::BackupTaskSession],
    &[Kind::BackupJobSession, Kind::BackupTaskSession, Kind::RestoreSession],
    &[Kind::ReplicaJobSession, Kind::ReplicaTaskSession],
    &[Kind::CdpReplicaSession, Kind::CdpReplicaTaskSession],
    &[Kind::RestoreSession],
    &[Kind::BackupTaskSession, Kind::BackupJobSession, Kind::CloudFailoverSession],
];

impl History {
    pub fn new(seed: u64, profile: &Profile) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x0068_6973_746f);
        let rng = &mut rng;
        let kinds = KINDS[rng.usize(..KINDS.len())].to_vec();
        let steps = steps(rng, profile);
        let passed: TimeDelta = steps.iter().map(|(jump, _)| *jump).sum();
        let from = start() - TimeDelta::hours(rng.i64(6..96));
        let to = start() + passed;
        let servers = rng.usize(2..=6);
        let wanted: Vec<Kind> =
            kinds.iter().copied().filter(|kind| !kinds.iter().any(|k| k.parent() == Some(*kind))).collect();
        let sessions = rng.usize(60..350);
        let splits = if profile.splits_seconds { every_fourth(&steps) } else { Vec::new() };
        let sketch = SketchOptions { servers, kinds: wanted, sessions, from, to, splits };
        let mut world = World::sketch(seed, &sketch);
        let mut quiet_at = to.max(from + TimeDelta::hours(3));
        let restored_at = befall(rng, profile, &mut world, from, to, &mut quiet_at);
        let has_lies = profile.has_troubles && rng.u8(..12) == 0;
        let faults = faults(rng, profile, seed, has_lies);
        let simulator = SimulatorOptions {
            seed,
            max_page_size: (rng.u8(..3) == 0).then(|| rng.usize(20..200)),
            shuffle_ties: rng.bool(),
            bom: rng.bool(),
            empty_without_entities: rng.bool(),
            token_life: [TokenLife::Idle(minutes(15)), TokenLife::Absolute(minutes(1))][rng.usize(..2)],
            clock: Clock::Running(start()),
            ..SimulatorOptions::frozen(start())
        };
        let skew = TimeDelta::seconds(rng.i64(-4 * 3600..4 * 3600));
        let page_size = [15, 40, 100, 500, 500][rng.usize(..5)];
        let backfill = [Backfill::All, Backfill::For(TimeDelta::hours(rng.i64(12..72)))][rng.usize(..2)];
        // Decides nothing any more, but the seeds of named tests mean the same histories with it.
        rng.bool();
        Self {
            kinds,
            world,
            simulator,
            skew,
            page_size,
            backfill,
            faults,
            has_lies,
            store_troubles: if profile.has_troubles { [0.0, 0.005, 0.02][rng.usize(..3)] } else { 0.0 },
            steps,
            restored_at,
            quiet_at,
        }
    }
}

fn minutes(minutes: u64) -> std::time::Duration {
    std::time::Duration::from_secs(60 * minutes)
}

fn steps(rng: &mut fastrand::Rng, profile: &Profile) -> Vec<(TimeDelta, Step)> {
    let longest = rng.i64(2..30);
    (0..rng.usize(10..=22))
        .map(|_| {
            let jump = match rng.u8(..10) {
                0..4 => rng.i64(1..20),
                4..7 => rng.i64(20..120),
                _ => rng.i64(60..60 * longest.max(2)),
            };
            let step = match rng.u8(..if profile.has_sweeps { 50 } else { 39 }) {
                0..22 => Step::Wide,
                22..32 => Step::Narrow,
                32..34 => Step::Backfill(rng.i64(1..5)),
                34..38 => Step::Restart,
                38 => Step::Refusal,
                39..44 => Step::Sweep(SweepScope::Full, rng.bool().then(|| rng.u64(1..12))),
                _ => Step::Sweep(SweepScope::Recent, rng.bool().then(|| rng.u64(1..12))),
            };
            (TimeDelta::minutes(jump) + TimeDelta::milliseconds(rng.i64(0..60_000)), step)
        })
        .collect()
}

/// When every fourth step is taken.
fn every_fourth(steps: &[(TimeDelta, Step)]) -> Vec<DateTime<Utc>> {
    let mut at = start();
    let moments = steps.iter().map(|(jump, _)| {
        at += *jump;
        at
    });
    moments.step_by(4).collect()
}

/// A moment of that time, and how long something lasts from there.
fn some_time(
    rng: &mut fastrand::Rng,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    most_minutes: i64,
) -> (DateTime<Utc>, DateTime<Utc>) {
    let at = from + TimeDelta::seconds(rng.i64(0..(to - from).num_seconds().max(1)));
    (at, at + TimeDelta::minutes(rng.i64(1..most_minutes)))
}

fn befall(
    rng: &mut fastrand::Rng,
    profile: &Profile,
    world: &mut World,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    quiet_at: &mut DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let servers = world.servers().len();
    for server in 0..servers {
        if rng.u8(..3) == 0 {
            let (from, to) = some_time(rng, from, to, 40 * 60);
            world.add_outage(server, from, to);
            *quiet_at = (*quiet_at).max(to);
        }
        if server > 0 && rng.u8(..8) == 0 {
            let (since, _) = some_time(rng, from, to, 2);
            world.set_since(server, Some(since));
        }
        if !profile.is_plain && rng.u8(..4) == 0 {
            world.shift_clock(server, rng.i64(-7200..7200));
        }
        if !profile.is_in_order && rng.u8(..2) == 0 {
            for _ in 0..rng.usize(1..12) {
                let (at, _) = some_time(rng, from, to, 2);
                world.collect_partly(server, at, 0.5);
            }
        }
    }
    if !profile.is_plain {
        blind(rng, world, from, to, quiet_at);
    }
    let mut restored_at = None;
    if rng.f64() < profile.restores {
        let (backup, _) = some_time(rng, start(), to, 2);
        let (at, until) = some_time(rng, backup, to, 5 * 60);
        let after = [AfterRestore::SameUids, AfterRestore::NewUids, AfterRestore::Nothing][rng.usize(..3)];
        world.restore(backup, at, until, after);
        restored_at = Some(at);
        *quiet_at = (*quiet_at).max(until);
    }
    // What stayed behind in a collection comes at most eight collections later.
    *quiet_at += TimeDelta::hours(3);
    restored_at
}

/// What is not shown though it is there, or not there any more.
fn blind(
    rng: &mut fastrand::Rng,
    world: &mut World,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    quiet_at: &mut DateTime<Utc>,
) {
    let servers = world.servers().len();
    if rng.u8(..5) == 0 {
        world.set_retention_days(Some(rng.i64(2..10)));
    }
    if rng.u8(..4) == 0 {
        let (from, to) = some_time(rng, start().max(from), to, 20);
        world.warm_up(from, to);
        *quiet_at = (*quiet_at).max(to);
    }
    if rng.u8(..4) == 0 {
        let some: Vec<usize> = (0..servers).filter(|_| rng.bool()).collect();
        let (from, to) = some_time(rng, start(), to, 30 * 60);
        world.hide_servers(&some, from, to);
        *quiet_at = (*quiet_at).max(to);
    }
    if rng.u8(..4) == 0 {
        let (from, to) = some_time(rng, start(), to, 30 * 60);
        world.hide_sessions(rng.usize(..servers), 0.34, from, to);
        *quiet_at = (*quiet_at).max(to);
    }
}

fn faults(rng: &mut fastrand::Rng, profile: &Profile, seed: u64, has_lies: bool) -> Faults {
    if !profile.has_troubles {
        return Faults::default();
    }
    let share = [0.0, 0.03, 0.15][rng.usize(..3)];
    let mut faults = Faults { logon_too: rng.bool(), ..Faults::transient(seed, share) };
    faults.rates.push((Fault::WrongPage, share / 10.0));
    faults.rates.push((Fault::TooManyRequests(Some(2)), share / 10.0));
    faults.rates.push((Fault::Hang(std::time::Duration::from_secs(40)), share / 20.0));
    if has_lies {
        faults.rates.push((Fault::EmptyList, 0.03));
        faults.rates.push((Fault::NoEntities, 0.03));
    }
    faults
}
