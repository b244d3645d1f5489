//! Histories out of a seed: outages, late collection, faults, pages of any size, time in steps of any length, narrow
//! and wide passes in any order. After each wide pass the database equals the source.
//!
//! A seed that fails is kept as a test of its own, with the name of what it found.

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
