//! Stopping: the first signal lets the current commit finish, the second one or half a minute does not wait.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::cli::Exit;

/// How long a stop may take before it is forced.
const PATIENCE: Duration = Duration::from_secs(30);

/// Signals that come within this time are one request.
const SAME_STOP: Duration = Duration::from_millis(500);

/// Watches for SIGINT and SIGTERM for as long as it lives.
#[derive(Debug)]
pub struct Signals {
    _watch: JoinSet<()>,
}

impl Signals {
    /// Cancels the token at the first signal. A stop that has to be forced ends the process with `forced`.
    #[must_use]
    pub fn cancel(token: CancellationToken, forced: Exit) -> Self {
        let mut watch = JoinSet::new();
        watch.spawn(async move {
            signal().await;
            tracing::info!("stopping after the current commit");
            token.cancel();
            // One stop may come as two signals, to the process and to its group.
            tokio::time::sleep(SAME_STOP).await;
            tokio::select! {
                () = signal() => {}
                () = tokio::time::sleep(PATIENCE) => {}
            }
            tracing::warn!("stopped without waiting any longer; what is committed is whole");
            std::process::exit(i32::from(forced as u8));
        });
        Self { _watch: watch }
    }
}

/// Watches for SIGHUP from here on; each one sends something. Where there is none of it, nothing is ever sent.
///
/// # Errors
/// If the signal cannot be watched.
pub fn hangups() -> std::io::Result<(mpsc::Receiver<()>, JoinSet<()>)> {
    // One that waits is enough: several that come together are one wish.
    let (sender, receiver) = mpsc::channel(1);
    let mut watch = JoinSet::new();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut hangup = signal(SignalKind::hangup())?;
        watch.spawn(async move {
            while hangup.recv().await.is_some() {
                // If one waits already, that does for both.
                let _ = sender.try_send(());
            }
        });
    }
    #[cfg(not(unix))]
    watch.spawn(async move { sender.closed().await });
    Ok((receiver, watch))
}

/// Waits for one signal. Where signals cannot be watched, waits for ever.
#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
