//! A database that goes away, with and without a word.

use std::net::SocketAddr;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use vemsync::simulator::Simulator;

use super::{EVERY_SECOND, Running, configure, simulate, small};
use crate::support::database::Database;
use crate::support::program::{Place, run};
use crate::support::world::assert_equal;

/// How the way to the database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    /// Connections end.
    Cut,
    /// Connections stay, and nothing comes through them any more, also later.
    Mute,
}

/// Hands on what comes to the database, as its way is.
struct Relay {
    listen: SocketAddr,
    way: watch::Sender<Way>,
    _task: JoinSet<()>,
}

impl Relay {
    async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let listen = listener.local_addr().expect("an address");
        let (way, ways) = watch::channel(Way::Open);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut relayed = JoinSet::new();
            loop {
                let (mut here, _) = listener.accept().await.expect("a connection");
                let (server, mut way) = (server.clone(), ways.clone());
                relayed.spawn(async move {
                    let mut there = TcpStream::connect(server).await.expect("the server");
                    let closed = tokio::select! {
                        closed = way.wait_for(|way| *way != Way::Open) => closed.map(|way| *way),
                        _ = tokio::io::copy_bidirectional(&mut here, &mut there) => return,
                    };
                    if let Ok(Way::Mute) = closed {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        Self { listen, way, _task: task }
    }
}

/// A daemon that reaches its database through a relay.
async fn relayed() -> (Running, Relay, Simulator, Database, Place) {
    let database = Database::postgres().await;
    database.open().await.close().await;
    let url = reqwest::Url::parse(&database.url).expect("a URL");
    let port = url.port().expect("a port");
    let relay = Relay::to(format!("127.0.0.1:{port}")).await;
    let mut through = Database::postgres().await;
    through.url = database.url.replacen(&format!(":{port}"), &format!(":{}", relay.listen.port()), 1);
    let simulator = simulate(small(2)).await;
    let place = Place::new("demo");
    configure(&place, &[("berlin".to_owned(), simulator.url())], EVERY_SECOND);
    let daemon = Running::start(&place, &through, &[]).await;
    daemon.until_ready().await;
    (daemon, relay, simulator, database, place)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_outlives_a_database_that_goes_away_and_comes_back() {
    let (daemon, relay, simulator, database, place) = relayed().await;
    relay.way.send_replace(Way::Cut);
    daemon.until("it is not ready", || async { !daemon.is_ready().await }).await;
    assert!(daemon.get("/readyz").await.1.contains("the database cannot be used"));
    assert_eq!(daemon.get("/healthz").await.0, 200);
    simulator.advance(TimeDelta::minutes(30));
    daemon.until("it has said so", || async { daemon.logged("ERROR") > 0 }).await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(daemon.logged("ERROR"), 1, "{}", daemon.log());
    relay.way.send_replace(Way::Open);
    daemon.until_ready().await;
    daemon.until("it says so", || async { daemon.logged("the database is back after") == 1 }).await;
    daemon.end().await;
    assert_eq!(run(place.command(&["sync", "--database", &database.url])).await.status, Some(0));
    assert_equal(&simulator, &database).await;
}

/// As behind a firewall that forgets connections: nobody is told that nothing will come.
#[tokio::test(flavor = "multi_thread")]
async fn it_outlives_connections_to_the_database_that_die_without_a_word() {
    let (daemon, relay, simulator, database, place) = relayed().await;
    relay.way.send_replace(Way::Mute);
    daemon.until("it is not ready", || async { !daemon.is_ready().await }).await;
    let passes = daemon.logged("pass mode=");
    simulator.advance(TimeDelta::minutes(30));
    relay.way.send_replace(Way::Open);
    daemon.until("it reads on", || async { daemon.logged("pass mode=") > passes }).await;
    daemon.until_ready().await;
    let log = daemon.end().await;
    assert!(log.matches(" ERROR ").count() <= 1, "{log}");
    assert_eq!(run(place.command(&["sync", "--database", &database.url])).await.status, Some(0));
    assert_equal(&simulator, &database).await;
}
