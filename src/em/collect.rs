//! Whether Enterprise Manager itself still collects from its backup servers: its system sessions.

use chrono::{DateTime, Utc};

use super::{Client, Error, document};
use crate::decode;

/// One collection from the backup servers, as `/systemSessions` lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collecting {
    /// When it began.
    pub creation_time: DateTime<Utc>,
    /// When it ended.
    pub end_time: Option<DateTime<Utc>>,
    /// InProgress, CompletedSuccessfully, CompletedWarning or Failed.
    pub state: String,
    /// What it says.
    pub message: Option<String>,
}

impl Collecting {
    /// Whether the backup servers were read, all or most of them.
    #[must_use]
    pub fn is_good(&self) -> bool {
        matches!(self.state.as_str(), "CompletedSuccessfully" | "CompletedWarning")
    }
}

impl Client {
    /// The collections of the last 30 days, which is how far the resource goes back. It takes no filter.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn collections(&self) -> Result<Vec<Collecting>, Error> {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("systemSessions");
        }
        url.set_query(Some("format=Entity"));
        let accept = |body: &[u8]| {
            document::collections(body).ok_or_else(|| decode::Error::Root(document::describe(body)).into())
        };
        // Nothing depends on it: it is not worth many tries.
        self.get(&url, "systemSessions", self.few_tries(), accept).await
    }
}
