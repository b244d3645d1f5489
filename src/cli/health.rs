//! `vemsync health`: asks a running `vemsync run` how it is, for containers that have nothing else to ask with.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Exit, print};
use crate::escape;

/// Arguments of `health`.
#[derive(Debug, Clone, Args)]
pub struct HealthArgs {
    /// Where the daemon listens [env: VEMSYNC_LISTEN] [default: 127.0.0.1:9399]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Ask whether it does its work (/readyz), not only whether it is alive (/healthz)
    #[arg(long)]
    pub ready: bool,
}

const PATIENCE: Duration = Duration::from_secs(5);

/// More is no answer to this question.
const MOST_BYTES: u64 = 4096;

/// Prints what it says; whatever is not yes is an error.
pub(super) async fn run(listen: SocketAddr, args: &HealthArgs) -> anyhow::Result<Exit> {
    let address = reachable(listen);
    let path = if args.ready { "/readyz" } else { "/healthz" };
    let answer = tokio::time::timeout(PATIENCE, get(address, path)).await;
    let answer = answer.with_context(|| format!("{address} does not answer"))?;
    let answer = answer.with_context(|| format!("cannot ask {address}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default();
    let said: Vec<_> = body.trim().lines().map(escape::control).collect();
    let said = said.join("; ");
    if !["HTTP/1.1 200", "HTTP/1.0 200"].contains(&status.get(..12).unwrap_or_default()) {
        bail!("http://{address}{path} answers {}: {said}", escape::control(status));
    }
    print(|out| writeln!(out, "{said}"))?;
    Ok(Exit::Done)
}

/// Who listens on all addresses is asked on this machine's own.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

async fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_everywhere_is_asked_here() {
        for (listen, asked) in
            [("0.0.0.0:9399", "127.0.0.1:9399"), ("[::]:9399", "[::1]:9399"), ("192.0.2.7:80", "192.0.2.7:80")]
        {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), asked);
        }
    }
}
