//! What takes a while to make is made once for all who ask within some time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::PAGE_PATIENCE;

/// How many are kept, by their keys.
const MOST: usize = 4;

/// The longer something takes to make, the longer it is kept: for so many times that while.
const WORTH: u32 = 20;

/// What takes longer than this is made before anybody asks for it …
pub(super) const SLOW: Duration = Duration::from_millis(250);
/// … this often …
const RENEWED: Duration = Duration::from_secs(300);
/// … and for no more than one in so many seconds.
const SHARE: u32 = 200;

/// The newest things that were made, each under its key and up to its end.
pub(super) struct Kept<K, T> {
    made: Mutex<Vec<(K, Instant, Arc<T>)>>,
    longest: Duration,
}

impl<K: PartialEq, T> Kept<K, T> {
    /// Keeps things for no longer than this.
    pub(super) fn new(longest: Duration) -> Self {
        Self { made: Mutex::default(), longest }
    }

    /// What is kept, or was made just now. Whoever comes while it is made waits for it.
    pub(super) async fn get<E>(&self, key: K, make: impl AsyncFnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        let mut made = self.made.lock().await;
        made.retain(|(_, end, _)| Instant::now() < *end);
        if let Some((_, _, found)) = made.iter().find(|(known, _, _)| *known == key) {
            return Ok(found.clone());
        }
        let begun = Instant::now();
        let new = Arc::new(make().await?);
        keep(&mut made, key, (WORTH * begun.elapsed()).min(self.longest), new.clone());
        Ok(new)
    }

    /// Makes something before anybody asks for it, and keeps it until the next time if that took so long. Returns the
    /// pause until then.
    pub(super) async fn renew<E>(&self, key: K, slow: Duration, make: impl AsyncFnOnce() -> Result<T, E>) -> Duration {
        let begun = Instant::now();
        let made = make().await;
        let took = begun.elapsed();
        let Some(new) = made.ok().filter(|_| took >= slow) else { return RENEWED };
        let pause = RENEWED.max(SHARE * took);
        keep(&mut *self.made.lock().await, key, pause + PAGE_PATIENCE, Arc::new(new));
        pause
    }
}

/// Keeps it in the place of what was there under its key, and the newest of all.
fn keep<K: PartialEq, T>(made: &mut Vec<(K, Instant, Arc<T>)>, key: K, lasts: Duration, new: Arc<T>) {
    made.retain(|(known, _, _)| *known != key);
    made.truncate(MOST - 1);
    made.insert(0, (key, Instant::now() + lasts, new));
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, sleep};

    use super::*;

    /// What is got when making it gives this after a second.
    async fn got(kept: &Kept<&str, u8>, key: &'static str, made: Result<u8, &'static str>) -> Result<u8, &'static str> {
        let make = async || {
            sleep(Duration::from_secs(1)).await;
            made
        };
        kept.get(key, make).await.map(|got| *got)
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_is_not_made_again_and_failures_are_not_kept() {
        let kept = Kept::new(Duration::from_secs(600));
        assert_eq!(got(&kept, "a", Err("no")).await, Err("no"));
        for made in [1, 2] {
            assert_eq!(got(&kept, "a", Ok(made)).await, Ok(1));
        }
        for key in ["b", "c", "d", "e"] {
            assert_eq!(got(&kept, key, Ok(3)).await, Ok(3));
        }
        assert_eq!(got(&kept, "a", Ok(4)).await, Ok(4));
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_kept_for_twenty_times_as_long_as_it_took_up_to_a_limit() {
        for (longest, lasts) in [(600, 20), (5, 5), (0, 0)] {
            let kept = Kept::new(Duration::from_secs(longest));
            assert_eq!(got(&kept, "a", Ok(1)).await, Ok(1));
            if lasts > 0 {
                advance(Duration::from_millis(1000 * lasts - 1)).await;
                assert_eq!(got(&kept, "a", Ok(2)).await, Ok(1), "{longest}");
            }
            advance(Duration::from_millis(1)).await;
            assert_eq!(got(&kept, "a", Ok(2)).await, Ok(2), "{longest}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_slow_is_made_in_advance_and_kept_until_the_next_time() {
        let kept = Kept::new(Duration::from_secs(600));
        let renew = async |slow, takes, made: Result<u8, &str>| {
            let make = async || {
                sleep(Duration::from_secs(takes)).await;
                made
            };
            kept.renew("a", Duration::from_secs(slow), make).await
        };
        // Neither what is quick nor what failed.
        assert_eq!(renew(2, 1, Ok(7)).await, RENEWED);
        assert_eq!(renew(1, 60, Err("no")).await, RENEWED);
        assert_eq!(got(&kept, "a", Ok(1)).await, Ok(1));
        assert_eq!(renew(1, 1, Ok(2)).await, RENEWED);
        advance(RENEWED + Duration::from_secs(5)).await;
        assert_eq!(got(&kept, "a", Ok(3)).await, Ok(2));
        assert_eq!(renew(1, 5, Ok(4)).await, Duration::from_secs(1000));
        advance(Duration::from_secs(1005)).await;
        assert_eq!(got(&kept, "a", Ok(5)).await, Ok(4));
        advance(PAGE_PATIENCE).await;
        assert_eq!(got(&kept, "a", Ok(5)).await, Ok(5));
    }
}
