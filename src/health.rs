//! `GET /healthz`: whether the daemon is alive, for supervisors and containers.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Listens on the address and answers until cancelled, in a task of the returned set.
///
/// # Errors
/// If the address cannot be listened on.
pub async fn serve(listen: SocketAddr, cancel: CancellationToken) -> io::Result<JoinSet<io::Result<()>>> {
    let listener = TcpListener::bind(listen).await?;
    let router = Router::new().route("/healthz", get(|| async { "ok\n" }));
    let mut task = JoinSet::new();
    task.spawn(async move { axum::serve(listener, router).with_graceful_shutdown(cancel.cancelled_owned()).await });
    Ok(task)
}
