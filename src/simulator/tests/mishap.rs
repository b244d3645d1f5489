//! What befalls Enterprise Manager, and that it is told truly.

use chrono::{DateTime, TimeDelta, Utc};

use crate::simulator::{AfterRestore, Kind, SketchOptions, Visibility, World};

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_750_000_000, 0).expect("a time")
}

fn hours(hours: i64) -> DateTime<Utc> {
    start() + TimeDelta::hours(hours)
}

fn world(seed: u64) -> World {
    let kinds = vec![Kind::BackupTaskSession, Kind::RestoreSession];
    World::sketch(
        seed,
        &SketchOptions { servers: 3, kinds, sessions: 200, from: start(), to: hours(72), splits: Vec::new() },
    )
}

fn is_in(stretches: &[(DateTime<Utc>, DateTime<Utc>)], at: DateTime<Utc>) -> bool {
    stretches.iter().any(|(from, to)| (*from..*to).contains(&at))
}

fn shown(world: &World, at: DateTime<Utc>) -> Vec<Visibility> {
    let mut all = world.visibility(Kind::BackupTaskSession);
    all.retain(|row| is_in(&row.shown, at));
    all
}

#[test]
fn visibility_tells_at_every_moment_what_is_shown() {
    for seed in 0..6_u8 {
        let mut world = world(seed.into());
        world.add_outage(1, hours(10), hours(20));
        world.shift_clock(0, -5000);
        world.shift_clock(2, 7000);
        for n in 0..10 {
            world.collect_partly(n % 3, hours(6 * i64::try_from(n).unwrap()), 0.5);
        }
        world.set_retention_days(Some(2));
        world.warm_up(hours(30), hours(31));
        world.hide_servers(&[0], hours(33), hours(35));
        world.hide_sessions(1, 0.34, hours(36), hours(40));
        let after = [AfterRestore::SameUids, AfterRestore::NewUids, AfterRestore::Nothing][usize::from(seed) % 3];
        world.restore(hours(42), hours(50), hours(51), after);
        for kind in [Kind::BackupJobSession, Kind::BackupTaskSession, Kind::RestoreSession] {
            let rows = world.visibility(kind);
            for minute in (0..90 * 60).step_by(23) {
                let at = start() + TimeDelta::minutes(minute);
                let told = rows.iter().filter(|row| is_in(&row.shown, at)).count();
                assert_eq!(told, world.visible_count(kind, at), "seed {seed}, {kind:?}, minute {minute}");
                let expected = world.expected(kind.name(), at);
                let ended = expected.iter().filter(|row| row["end_time"].is_some()).count();
                assert_eq!(rows.iter().filter(|row| is_in(&row.ended, at)).count(), ended, "seed {seed}, {minute}");
            }
        }
    }
}

#[test]
fn a_restore_takes_back_what_was_collected_since_its_backup() {
    for (after, comes_back, is_renamed) in [
        (AfterRestore::SameUids, true, false),
        (AfterRestore::NewUids, true, true),
        (AfterRestore::Nothing, false, false),
    ] {
        let mut world = world(1);
        let (before, lost) = (shown(&world, hours(20)).len(), shown(&world, hours(30)));
        assert!(lost.len() > before);
        world.restore(hours(20), hours(30), hours(31), after);
        assert_eq!(shown(&world, hours(30)).len(), before);
        assert_eq!(shown(&world, hours(31)).len(), before);
        let then = shown(&world, hours(32));
        let known = |row: &&Visibility| then.iter().any(|other| other.uid == row.uid);
        assert_eq!(lost.iter().filter(known).count() == lost.len(), comes_back && !is_renamed, "{after:?}");
        let like = |row: &&Visibility| then.iter().any(|other| other.creation == row.creation);
        assert_eq!(lost.iter().filter(like).count() == lost.len(), comes_back, "{after:?}");
    }
}

#[test]
fn what_an_account_does_not_see_is_there() {
    let mut world = world(2);
    let all = shown(&world, hours(40)).len();
    world.hide_sessions(0, 0.34, hours(40), hours(41));
    world.hide_servers(&[1], hours(40), hours(41));
    assert!(shown(&world, hours(40)).len() < all);
    assert_eq!(world.visibility(Kind::BackupTaskSession).iter().filter(|row| is_in(&row.had, hours(40))).count(), all);
    assert_eq!(world.expected_parents("backup_servers", hours(40)).len(), 2);
    world.warm_up(hours(40), hours(41));
    assert_eq!(shown(&world, hours(40)).len(), 0);
    assert!(world.expected_parents("backup_servers", hours(40)).is_empty());
}
