//! Time: this machine's, and the one that Enterprise Manager tells in its answers.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

/// This machine's clock, for what is written in the database about this program's own doings.
pub trait Clock: Send + Sync {
    /// The time, to the microsecond that the databases keep.
    fn now(&self) -> DateTime<Utc>;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the operating system")]
    fn now(&self) -> DateTime<Utc> {
        let now = Utc::now();
        DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
    }
}

/// Enterprise Manager's clock: the `Date` of its last answer, advanced by this machine's monotonic clock.
///
/// Windows end at "now", and this machine's clock may be hours off; the server's is the one that its rows carry.
#[derive(Debug, Default)]
pub struct ServerClock {
    last: Mutex<Option<(DateTime<Utc>, Instant)>>,
    warned: AtomicBool,
}

impl ServerClock {
    /// Takes the time from an answer's `Date` header.
    pub fn observe(&self, date: Option<&str>) {
        let time = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        if let Some(time) = time {
            *self.lock() = Some((time.to_utc(), Instant::now()));
        }
    }

    /// What time it is over there. Without any `Date` so far, what the local clock says, with a warning.
    pub fn now(&self, local: &dyn Clock) -> DateTime<Utc> {
        let last = *self.lock();
        if let Some((time, at)) = last {
            let since = TimeDelta::from_std(at.elapsed()).unwrap_or(TimeDelta::MAX);
            let micros = TimeDelta::microseconds(since.num_microseconds().unwrap_or_default());
            return time.checked_add_signed(micros).unwrap_or(time);
        }
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!("Enterprise Manager's answers carry no Date: this machine's clock is used instead");
        }
        local.now()
    }

    /// How far this machine's clock is ahead of the server's, if the server told the time.
    pub fn ahead(&self, local: &dyn Clock) -> Option<TimeDelta> {
        let has_date = self.lock().is_some();
        has_date.then(|| local.now() - self.now(local))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(DateTime<Utc>, Instant)>> {
        self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_servers_time_goes_on_between_answers() {
        let clock = ServerClock::default();
        clock.observe(Some("Sun, 16 Nov 2025 08:00:00 GMT"));
        tokio::time::advance(std::time::Duration::from_secs(90)).await;
        assert_eq!(clock.now(&SystemClock).to_rfc3339(), "2025-11-16T08:01:30+00:00");
        clock.observe(Some("no date"));
        clock.observe(None);
        assert_eq!(clock.now(&SystemClock).to_rfc3339(), "2025-11-16T08:01:30+00:00");
    }
}
