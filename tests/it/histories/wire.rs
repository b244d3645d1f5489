//! Between the client and the simulator: time passes, requests are counted, and a sync that never ends is stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Method, Url};
use vemsync::em::{Answer, Failure, Transport};

/// No pass of a small world may need so many requests.
const ENDLESS: u64 = 4000;

pub struct Wire {
    inner: Arc<dyn Transport>,
    sent: AtomicU64,
}

impl Wire {
    pub fn new(inner: Arc<dyn Transport>) -> Arc<Self> {
        Arc::new(Self { inner, sent: AtomicU64::new(0) })
    }

    /// Requests so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, method: Method, url: &Url, headers: HeaderMap, body: Bytes) -> Result<Answer, Failure> {
        let n = self.sent.fetch_add(1, Ordering::Relaxed);
        assert!(n < ENDLESS, "the sync does not end: {method} {url}");
        // Requests take different times, so that those of two kinds come back in any order.
        let way = Duration::from_millis(10 + n * 37 % 90);
        tokio::time::sleep(way).await;
        let answer = self.inner.send(method, url, headers, body).await;
        tokio::time::sleep(way).await;
        answer
    }
}
