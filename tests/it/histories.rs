//! Histories out of a seed.
//!
//! On virtual time, many: the real sync over a simulated Enterprise Manager within the process, whose every answer is
//! known beforehand, and over a store that dies and fails at any call. `VEMSYNC_HISTORIES` chooses the seeds, as
//! `FROM..TO` or as how many; `scripts/torture` runs them by the thousand.
//!
//! Over a network and on both databases, few: outages, late collection, faults, pages of any size, narrow and wide
//! passes in any order. After each wide pass the database equals the source.
//!
//! A seed that fails is kept as a test of its own, with the name of what it found.

pub mod machine;
mod model;
mod plan;
mod run;
mod wire;

use std::num::NonZero;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use chrono::TimeDelta;
use vemsync::simulator::{Faults, FleetOptions, Kind, Options as SimulatorOptions, World};
use vemsync::sync::{Mode, Options};

use model::Broken;
use plan::Profile;
use run::Tally;

use crate::support::database::Database;
use crate::support::world::{assert_equal, options, pass, simulate_with, start};

async fn history(seed: u64, database: &Database) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let fleet = FleetOptions {
        servers: rng.usize(1..5),
        jobs: rng.usize(4..16),
        vms: rng.usize(5..25),
        days: rng.i64(1..5),
        end: start(),
        future_hours: 96,
        story: false,
    };
    let mut world = World::fleet(seed, &fleet);
    for server in 0..fleet.servers {
        if rng.bool() {
            let from = start() + TimeDelta::hours(rng.i64(-40..40));
            world.add_outage(server, from, from + TimeDelta::hours(rng.i64(1..60)));
        }
    }
    if rng.bool() {
        let kind = [Kind::BackupTaskSession, Kind::RestoreSession, Kind::CdpReplicaTaskSession][rng.usize(0..3)];
        world.add_burst(kind, 0, start() + TimeDelta::hours(rng.i64(-20..20)), rng.usize(50..300));
    }
    let simulator = simulate_with(
        world,
        SimulatorOptions {
            seed,
            max_page_size: rng.bool().then(|| rng.usize(10..200)),
            shuffle_ties: rng.bool(),
            bom: rng.bool(),
            empty_without_entities: rng.bool(),
            faults: Faults { logon_too: true, ..Faults::transient(seed, rng.f64() * 0.2) },
            ..SimulatorOptions::frozen(start())
        },
    )
    .await;
    for _ in 0..6 {
        let options = Options { page_size: rng.u32(5..600), ..options() };
        let mode = if rng.u8(0..3) == 0 { Mode::Narrow } else { Mode::Wide };
        let summary = pass(&simulator, database, &options, mode).await.expect("a pass");
        assert!(summary.is_complete(), "seed {seed}: {summary:#?}");
        if mode == Mode::Wide {
            assert_equal(&simulator, database).await;
        }
        let minutes = [rng.i64(1..90), rng.i64(60..600), rng.i64(600..1500)][rng.usize(0..3)];
        simulator.advance(TimeDelta::minutes(minutes));
    }
}

#[tokio::test]
async fn histories_end_equal_on_sqlite() {
    for seed in 1000..1010 {
        history(seed, &Database::sqlite()).await;
    }
}

#[tokio::test]
async fn histories_end_equal_on_postgres() {
    for seed in 2000..2010 {
        history(seed, &Database::postgres().await).await;
    }
}

/// The seeds to play: `FROM..TO`, or how many.
fn seeds(least: u64) -> Range<u64> {
    let text = std::env::var("VEMSYNC_HISTORIES").unwrap_or_else(|_| least.to_string());
    let number = |text: &str| text.parse::<u64>().expect("VEMSYNC_HISTORIES is FROM..TO or a number");
    match text.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => 0..number(&text),
    }
}

/// What many histories came to.
#[derive(Default)]
struct Played {
    tallies: Vec<Tally>,
    broken: Vec<(u64, Broken)>,
}

/// Plays histories, all of them or until one breaks; in twice as many threads as there are processors, for each often
/// waits for its database.
fn play(seeds: &Range<u64>, profile: &Profile, until_broken: bool) -> Played {
    let next = AtomicU64::new(seeds.start);
    let played = Mutex::new(Played::default());
    let is_told = seeds.end - seeds.start == 1;
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || until_broken && !played.lock().expect("no panic").broken.is_empty() {
                return;
            }
            let outcome = std::panic::catch_unwind(|| run::play(seed, profile, is_told))
                .unwrap_or_else(|_| Err(Broken::new("panic", "see above")));
            let mut played = played.lock().expect("no panic");
            match outcome {
                Ok(tally) => played.tallies.push(tally),
                Err(broken) => played.broken.push((seed, broken)),
            }
        }
    };
    let threads = 2 * std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    played.into_inner().expect("no panic")
}

#[test]
#[expect(clippy::print_stdout, reason = "the table is what scripts/torture shows")]
fn no_history_loses_a_row() {
    let begun = Instant::now();
    let Played { tallies, broken } = play(&seeds(300), &Profile::ALL, false);
    let sum = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
    println!("histories that held   {:>9}", tallies.len());
    println!("histories that broke  {:>9}", broken.len());
    println!("rows                  {:>9}", sum(|tally| tally.rows));
    println!("requests              {:>9}", sum(|tally| tally.requests));
    println!("passes                {:>9}", sum(|tally| tally.passes));
    println!("crashes               {:>9}", sum(|tally| tally.crashes));
    println!("seconds               {:>9.1}", begun.elapsed().as_secs_f64());
    for (seed, Broken { invariant, what }) in &broken {
        println!("seed {seed}: {invariant}: {what}\n  again: scripts/torture --seed {seed}");
    }
    assert!(broken.is_empty(), "{} histories broke a promise", broken.len());
}

fn hold(seeds: &[u64], profile: &Profile) {
    for seed in seeds {
        let outcome = run::play(*seed, profile, false);
        assert!(outcome.is_ok(), "seed {seed}: {outcome:?}");
    }
}

#[test]
fn a_sweep_ends_though_the_newest_rows_come_from_a_clock_that_is_ahead() {
    hold(&[9, 37, 48, 60, 125], &Profile::ALL);
}

#[test]
fn a_list_that_became_empty_does_not_stop_its_kind_while_others_are_there() {
    hold(&[1501, 1526, 4267, 5245, 5892, 7617, 7842, 8136, 9290], &Profile::ALL);
}

#[test]
fn an_end_that_is_not_shown_any_more_is_kept() {
    hold(&[4685], &Profile::ALL);
}

#[test]
fn a_mass_of_which_a_sweep_sees_a_part_is_not_marked() {
    hold(&[289, 1100, 7551, 9143, 13750], &Profile::ALL);
}

#[test]
fn a_source_that_went_back_is_noticed_though_other_rows_are_stored_in_place_of_the_lost_ones() {
    hold(&[23, 92, 222, 271], &Profile::RESTORED);
}

/// The profile under which a bug shows, were it there.
#[cfg(feature = "planted")]
fn revealing(bug: vemsync::planted::Bug) -> Profile {
    use vemsync::planted::Bug;
    match bug {
        Bug::NoFinalGuard | Bug::MaxAfterReset => Profile::RESTORED,
        Bug::MissingAtOnce | Bug::SweepFromZero => Profile::ALL,
        _ => Profile::STRICT,
    }
}

/// `VEMSYNC_PLANTED` names the bug. One in a process: statements are made once.
#[cfg(feature = "planted")]
#[test]
#[expect(clippy::print_stdout, reason = "the table is what scripts/torture shows")]
fn a_planted_bug_is_found() {
    use vemsync::planted::{self, Bug};
    let name = std::env::var("VEMSYNC_PLANTED").unwrap_or_else(|_| "mark-before-rows".to_owned());
    let (_, bug) = Bug::ALL.into_iter().find(|(known, _)| *known == name).expect("a bug's name");
    planted::plant(bug);
    let mut played = play(&seeds(1000), &revealing(bug), true);
    played.broken.sort_unstable_by_key(|(seed, _)| *seed);
    let (seed, Broken { invariant, what }) = played.broken.first().expect("the bug to be found");
    println!("{name:<18} seed {seed:>4}  {invariant:<5}  {what}");
}

/// Without a bug, the profiles that reveal one break nothing.
#[cfg(feature = "planted")]
#[test]
#[expect(clippy::print_stdout, reason = "the table is what scripts/torture shows")]
fn no_bug_is_found_where_none_is_planted() {
    for (name, profile) in [("strict", Profile::STRICT), ("restored", Profile::RESTORED)] {
        let played = play(&seeds(300), &profile, false);
        println!("{name:<18} {:>4} held, {} broke", played.tallies.len(), played.broken.len());
        for (seed, Broken { invariant, what }) in &played.broken {
            println!("  {name} seed {seed}: {invariant}: {what}");
        }
        assert!(played.broken.is_empty(), "{name}: {} histories broke", played.broken.len());
    }
}
