//! What systemd is told, where it started the daemon: that it is ready, how it is, and that it is alive.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::web::Web;

/// Between two looks at how the daemon is.
const EVERY: Duration = Duration::from_secs(3);

/// Says that the daemon is up, and from then on how it is, in a task of the returned set.
#[must_use]
pub fn start(web: Web, cancel: CancellationToken) -> JoinSet<()> {
    tell(&[NotifyState::Ready]);
    let watchdog = sd_notify::watchdog_enabled();
    let mut task = JoinSet::new();
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return task;
    }
    task.spawn(async move {
        let mut tick = tokio::time::interval(watchdog.map_or(EVERY, |patience| EVERY.min(patience / 3)));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = cancel.cancelled() => return tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]),
                _ = tick.tick() => {}
            }
            let status = status(&web).await;
            tell(&[NotifyState::Watchdog, NotifyState::Status(&status)]);
        }
    });
    task
}

/// One line on how it is.
async fn status(web: &Web) -> String {
    let Some(site) = web.site() else { return "opening the database".to_owned() };
    let troubles = site.troubles().await;
    let managers = site.health.managers().len();
    match troubles.as_slice() {
        [] => format!("following {managers} Enterprise Manager{}", if managers == 1 { "" } else { "s" }),
        [one] => one.to_string(),
        [first, rest @ ..] => format!("{first}; and {} more", rest.len()),
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd could not be told");
    }
}
