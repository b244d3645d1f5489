//! What was asked, and how much at once: tests and benchmarks read it.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The journal keeps this many requests.
const KEPT: usize = 100_000;

/// A request that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRecord {
    /// `GET`, `POST` or `DELETE`.
    pub method: String,
    /// The path as it came.
    pub path: String,
    /// The parameters, decoded, in their order.
    pub parameters: Vec<(String, String)>,
    /// The status of the answer; 200 also where the connection was cut.
    pub status: u16,
    /// What was sent along.
    pub sent: String,
    /// The length of the answer's body.
    pub body_bytes: usize,
}

impl RequestRecord {
    /// The parameter of that name, in any case.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Sums over all requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Requests that were answered.
    pub requests: usize,
    /// Bytes in their answers.
    pub body_bytes: usize,
    /// Most requests that were being answered at one time.
    pub max_in_flight: usize,
}

#[derive(Debug, Default)]
struct Pages {
    records: VecDeque<RequestRecord>,
    counters: Counters,
}

#[derive(Debug, Default)]
pub(super) struct Journal {
    pages: Mutex<Pages>,
    in_flight: AtomicUsize,
}

impl Journal {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(
        self: &Arc<Self>,
        method: &str,
        path: &str,
        parameters: &[(String, String)],
        sent: &[u8],
    ) -> InFlight {
        let now = self.in_flight.fetch_add(1, Ordering::AcqRel) + 1;
        let mut pages = self.pages();
        pages.counters.max_in_flight = pages.counters.max_in_flight.max(now);
        InFlight {
            journal: Arc::clone(self),
            record: RequestRecord {
                method: method.to_owned(),
                path: path.to_owned(),
                parameters: parameters.to_vec(),
                status: 0,
                sent: String::from_utf8_lossy(sent).into_owned(),
                body_bytes: 0,
            },
        }
    }

    pub(super) fn records(&self) -> Vec<RequestRecord> {
        self.pages().records.iter().cloned().collect()
    }

    pub(super) fn counters(&self) -> Counters {
        self.pages().counters
    }

    pub(super) fn clear(&self) {
        *self.pages() = Pages::default();
    }
}

/// A request that is being answered. One that its client gave up leaves no record, but is no longer in flight.
pub(super) struct InFlight {
    journal: Arc<Journal>,
    record: RequestRecord,
}

impl InFlight {
    /// `METHOD path?key=value&…`, decoded.
    pub(super) fn line(&self) -> String {
        let mut line = format!("{} {}?", self.record.method, self.record.path);
        for (key, value) in &self.record.parameters {
            let _ = write!(line, "{key}={value}&");
        }
        line.truncate(line.len() - 1);
        line
    }

    pub(super) fn end(mut self, status: u16, body_bytes: usize) {
        (self.record.status, self.record.body_bytes) = (status, body_bytes);
        let mut pages = self.journal.pages();
        pages.counters.requests += 1;
        pages.counters.body_bytes += body_bytes;
        if pages.records.len() == KEPT {
            pages.records.pop_front();
        }
        pages.records.push_back(self.record.clone());
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.journal.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}
