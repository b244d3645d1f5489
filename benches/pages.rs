//! Pages of the simulator, as a sync reads them. Shared by the benches.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use vemsync::clock::SystemClock;
use vemsync::config::ManagerSettings;
use vemsync::em::query::{Form, Sort};
use vemsync::em::{Client, Limits, Query};
use vemsync::kind::SessionKind;
use vemsync::simulator::{self, FleetOptions, Simulator, World};

/// Rows on a page.
const ROWS: u32 = 500;

/// When the simulated history ends.
fn end() -> DateTime<Utc> {
    DateTime::from_timestamp(1_770_000_000, 0).expect("a time in range")
}

/// The newest pages of each kind, of 500 rows where the fleet has so many.
pub(crate) fn newest(kinds: &[&'static SessionKind], pages: u32) -> Vec<Vec<u8>> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let fleet =
            FleetOptions { servers: 4, jobs: 60, vms: 400, days: 30, end: end(), future_hours: 0, story: false };
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let simulator = Simulator::start(World::fleet(1, &fleet), simulator::Options::frozen(end()), loopback);
        let simulator = simulator.await.expect("a free port");
        let settings = ManagerSettings::new(
            "bench",
            format!("{}/api/", simulator.url()).parse().expect("a URL"),
            "demo",
            SecretString::from("demo"),
        );
        let client = Client::new(&settings, Limits::default(), Arc::new(SystemClock)).expect("a client");
        let mut bodies = Vec::new();
        for kind in kinds {
            for page in 1..=pages {
                let sort = Some(Sort::Descending(kind.query.creation));
                let query = Query { kind: kind.name, form: Form::Entities, filter: None, sort, page_size: ROWS, page };
                bodies.push(client.query(&query, |body| Ok(body.to_vec())).await.expect("an answer"));
            }
        }
        bodies
    })
}
