//! What takes a while to make is made once for all who ask within some time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

/// How many are kept, by their keys.
const MOST: usize = 4;

/// The newest things that were made, each under its key.
pub(super) struct Kept<K, T> {
    made: Mutex<Vec<(K, Instant, Arc<T>)>>,
    lasts: Duration,
}

impl<K: PartialEq, T> Kept<K, T> {
    pub(super) fn new(lasts: Duration) -> Self {
        Self { made: Mutex::default(), lasts }
    }

    /// What is kept, or was made just now. Whoever comes while it is made waits for it.
    pub(super) async fn get<E>(&self, key: K, make: impl AsyncFnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        let mut made = self.made.lock().await;
        made.retain(|(_, at, _)| at.elapsed() < self.lasts);
        if let Some((_, _, found)) = made.iter().find(|(known, _, _)| *known == key) {
            return Ok(found.clone());
        }
        let new = Arc::new(make().await?);
        made.truncate(MOST - 1);
        made.insert(0, (key, Instant::now(), new.clone()));
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_kept_is_not_made_again_and_failures_are_not_kept() {
        let kept = Kept::new(Duration::from_secs(600));
        assert_eq!(kept.get("a", async || Err("no")).await, Err("no"));
        for made in [1, 2] {
            assert_eq!(kept.get("a", async || Ok::<_, &str>(made)).await.as_deref(), Ok(&1));
        }
        for key in ["b", "c", "d", "e"] {
            assert_eq!(kept.get(key, async || Ok::<_, &str>(3)).await.as_deref(), Ok(&3));
        }
        assert_eq!(kept.get("a", async || Ok::<_, &str>(4)).await.as_deref(), Ok(&4));
        let short = Kept::new(Duration::ZERO);
        for made in [1, 2] {
            assert_eq!(short.get("a", async || Ok::<_, &str>(made)).await.as_deref(), Ok(&made));
        }
    }
}
