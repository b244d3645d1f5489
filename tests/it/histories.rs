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

mod machine;
mod model;
mod plan;
mod run;
mod wire;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use chrono::TimeDelta;
use vemsync::simulator::{Faults, FleetOptions, Kind, Options as SimulatorOptions, World};
use vemsync::sync::{Mode, Options};

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
        let options = Options { page_size: rng.u32(5..600), spare_silent: false, ..options() };
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

/// The seeds to play.
fn seeds() -> std::ops::Range<u64> {
    let text = std::env::var("VEMSYNC_HISTORIES").unwrap_or_else(|_| "300".to_owned());
    let number = |text: &str| text.parse::<u64>().expect("VEMSYNC_HISTORIES is FROM..TO or a number");
    match text.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => 0..number(&text),
    }
}

#[test]
fn no_history_loses_a_row() {
    let seeds = seeds();
    let next = AtomicU64::new(seeds.start);
    let begun = Instant::now();
    let (tallies, broken) = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let (mut tallies, mut broken) = (Vec::new(), Vec::new());
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= seeds.end {
                            return (tallies, broken);
                        }
                        match std::panic::catch_unwind(|| run::play(seed, &plan::Profile::ALL)) {
                            Ok(Ok(tally)) => tallies.push(tally),
                            Ok(Err(what)) => broken.push(format!("seed {seed}: {}: {}", what.invariant, what.what)),
                            Err(_) => broken.push(format!("seed {seed}: a panic, see above")),
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread")).fold(
            (Vec::new(), Vec::new()),
            |(mut tallies, mut broken), (more, failed)| {
                tallies.extend(more);
                broken.extend(failed);
                (tallies, broken)
            },
        )
    });
    let sum = |of: fn(&run::Tally) -> u64| tallies.iter().map(of).sum::<u64>();
    println!(
        "{} histories held, {} broke; {} rows, {} requests, {} passes, {} crashes, {:.1} s",
        tallies.len(),
        broken.len(),
        sum(|tally| tally.rows as u64),
        sum(|tally| tally.requests),
        sum(|tally| u64::from(tally.passes)),
        sum(|tally| u64::from(tally.crashes)),
        begun.elapsed().as_secs_f64()
    );
    for line in &broken {
        println!(
            "{line}\n  again: scripts/torture --seed {}",
            line.trim_start_matches("seed ").split(':').next().unwrap_or_default()
        );
    }
    assert!(broken.is_empty(), "{} histories broke a promise", broken.len());
}
