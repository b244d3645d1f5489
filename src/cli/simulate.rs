//! `vemsync simulate`: an Enterprise Manager to try things against.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use chrono::{DateTime, Utc};

use crate::simulator::{BulkOptions, Clock, Faults, FleetOptions, Options, Simulator, TokenLife, World};

/// Serve a made-up Enterprise Manager, to try things against.
#[derive(Debug, clap::Args)]
pub struct SimulateArgs {
    /// Address to listen on; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9398")]
    bind: SocketAddr,
    /// Allow an address that other machines can reach
    #[arg(long)]
    public: bool,
    /// Another number, another fleet
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Backup servers
    #[arg(long, default_value_t = 4)]
    servers: usize,
    /// Jobs, spread over the servers
    #[arg(long, default_value_t = 36)]
    jobs: usize,
    /// Machines, spread over the servers
    #[arg(long, default_value_t = 120)]
    vms: usize,
    /// Days of history
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(i64).range(1..=1000))]
    days: i64,
    /// Instead of the fleet: a plain history of this many finished task sessions
    #[arg(long, value_name = "COUNT")]
    tasks: Option<usize>,
    /// Task sessions in an hour of the plain history
    #[arg(long, value_name = "COUNT", default_value_t = 2000)]
    rows_per_hour: usize,
    /// Largest page that is given
    #[arg(long, value_name = "ROWS")]
    page_limit: Option<usize>,
    /// Share of the requests that fail in one way or another, from 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    fault_rate: f64,
    /// A logon session ends so long after its last request
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = humantime::parse_duration)]
    token_lifetime: Duration,
    /// Who may log on
    #[arg(long, default_value = "demo")]
    username: String,
    /// File with the password; without it the password is `demo`
    // Of the same type as the shared flag of this name: clap panics where they differ.
    #[arg(long, value_name = "FILE")]
    password_file: Option<String>,
    /// The clock stands still
    #[arg(long)]
    freeze: bool,
    /// The simulated time at the start, RFC 3339; without it the real time
    #[arg(long, value_name = "TIME")]
    end: Option<DateTime<Utc>>,
}

/// Serves until a signal comes.
///
/// # Errors
/// When the arguments make no sense, the password file cannot be read, or the address cannot be bound.
pub async fn run(args: SimulateArgs) -> anyhow::Result<()> {
    if !args.bind.ip().is_loopback() && !args.public {
        bail!("{} can be reached from other machines: say --public if that is meant", args.bind);
    }
    ensure!((0.0..=1.0).contains(&args.fault_rate), "--fault-rate goes from 0 to 1");
    let password = match &args.password_file {
        None => "demo".to_owned(),
        Some(path) => {
            let text = tokio::fs::read_to_string(path)
                .await
                .with_context(|| format!("the password file {path} cannot be read"))?;
            text.strip_suffix('\n').unwrap_or(&text).trim_end_matches('\r').to_owned()
        }
    };
    #[expect(clippy::disallowed_methods, reason = "the simulator is the one to say what time it is")]
    let end = args.end.unwrap_or_else(Utc::now);
    let options = Options {
        seed: args.seed,
        username: args.username.clone(),
        password,
        token_life: TokenLife::Idle(args.token_lifetime),
        max_page_size: args.page_limit,
        clock: if args.freeze { Clock::Frozen(end) } else { Clock::Running(end) },
        faults: Faults::transient(args.seed, args.fault_rate),
        ..Options::frozen(end)
    };
    // A large world takes seconds to make.
    let bind = args.bind;
    let world = tokio::task::spawn_blocking(move || world(&args, end)).await?;
    let simulator = Simulator::start(world, options, bind).await.with_context(|| format!("cannot listen on {bind}"))?;
    let mut out = std::io::stdout();
    writeln!(out, "listening on {}", simulator.url())?;
    out.flush()?;
    signalled().await?;
    simulator.stop().await;
    Ok(())
}

fn world(args: &SimulateArgs, end: DateTime<Utc>) -> World {
    match args.tasks {
        Some(tasks) => {
            let (rows_per_hour, servers) = (args.rows_per_hour, args.servers);
            World::bulk(args.seed, &BulkOptions { tasks, rows_per_hour, servers, end })
        }
        None => World::fleet(
            args.seed,
            &FleetOptions {
                servers: args.servers,
                jobs: args.jobs,
                vms: args.vms,
                days: args.days,
                end,
                // A clock that runs needs something to run into.
                future_hours: 7 * 24,
                story: true,
            },
        ),
    }
}

async fn signalled() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
