//! The one request that changes something at Enterprise Manager: an action on a cloud failover plan.
//!
//! The API has no key that would let it tell a repeated request from a new one. So an action is sent once, and where
//! nobody can know whether it arrived, that is what is said.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use uuid::Uuid;

use super::{Client, Error, Failure, document};

/// What is done with a cloud failover plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Its machines fail over to their latest restore points.
    StartNow,
    /// They fail over to the latest restore points from before this time.
    StartBefore(DateTime<Utc>),
    /// They are started in a test.
    Test,
    /// A failover is undone.
    Undo,
}

impl Action {
    /// The API's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::StartNow | Self::StartBefore(_) => "start",
            Self::Test => "test",
            Self::Undo => "undo",
        }
    }

    /// Whether Enterprise Manager makes a cloud failover session of it. An undo makes none.
    #[must_use]
    pub const fn makes_session(self) -> bool {
        !matches!(self, Self::Undo)
    }

    /// The request's path below `/api/`, with the query.
    #[must_use]
    pub fn path(self, plan: Uuid) -> String {
        format!("cloud/cloudFailoverPlans/{plan}?action={}", self.name())
    }

    /// The request's body; only a start has one.
    #[must_use]
    pub fn body(self) -> Option<String> {
        let choice = match self {
            Self::StartNow => "<StartNow>true</StartNow>".to_owned(),
            Self::StartBefore(time) => format!("<StartDate>{}</StartDate>", date(time)),
            Self::Test | Self::Undo => return None,
        };
        Some(format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<CloudFailoverPlanManagementSpec \
             xmlns=\"http://www.veeam.com/ent/v1.0\">{choice}</CloudFailoverPlanManagementSpec>"
        ))
    }
}

/// A time in the precision that the API documents: ten millionths of a second, UTC.
fn date(time: DateTime<Utc>) -> String {
    format!("{}.{:07}Z", time.format("%Y-%m-%dT%H:%M:%S"), time.timestamp_subsec_nanos() / 100)
}

/// What became of an action's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// Enterprise Manager took it.
    Accepted(Task),
    /// Enterprise Manager will not have it: nothing was done.
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the server says.
        message: String,
    },
    /// It did not leave this machine.
    NotSent(String),
    /// It may have been done, or not.
    Unknown(String),
}

/// Where an action stands at the backup server. It belongs to the logon session that sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its identity, such as `task-7`.
    pub id: String,
    /// `Running`, `OperationFinished` (Enterprise Manager has not collected what came of it yet) or `Finished`.
    pub state: String,
    /// Whether it was done, once that is known.
    pub is_success: Option<bool>,
    /// What the backup server says.
    pub message: Option<String>,
    /// The cloud failover session that it made.
    pub session: Option<Uuid>,
}

impl Task {
    /// Whether nothing more comes of it.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.state == "Finished"
    }
}

impl Client {
    /// Sends an action, once. Log on first: a logon may be tried again, an action may not.
    ///
    /// # Errors
    /// Only those of a logon. Nothing was sent then.
    pub async fn act(&self, plan: Uuid, action: Action) -> Result<Sent, Error> {
        let mut headers = self.auth.token(self).await?.headers;
        let body = Bytes::from(action.body().unwrap_or_default());
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        }
        let url = self.below(&action.path(plan));
        let answer = match self.send(Method::POST, &url, &headers, body, &mut self.all_tries()).await {
            Ok(answer) => answer,
            Err(failure @ (Failure::Connect(_) | Failure::Certificate { .. })) => {
                return Ok(Sent::NotSent(failure.to_string()));
            }
            Err(failure) => return Ok(Sent::Unknown(failure.to_string())),
        };
        let status = answer.status;
        let message = document::error_message(&answer.body)
            .filter(|message| !message.is_empty())
            .unwrap_or_else(|| document::describe(&answer.body));
        if status.is_success() {
            return Ok(match document::task(&answer.body) {
                Some(task) => Sent::Accepted(task),
                None => Sent::Unknown(format!("HTTP {} came with {message} in place of a task", status.as_u16())),
            });
        }
        // Whoever sends 408 or a 5xx may have passed the request on before.
        let is_certain = status.is_redirection() || status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT;
        let (status, message) = (status.as_u16(), message);
        Ok(if is_certain {
            Sent::Refused { status, message }
        } else {
            Sent::Unknown(format!("HTTP {status}, {message}"))
        })
    }

    /// Looks at a task of this logon session; `None` where it is lost, as after the end of the logon.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn task(&self, id: &str) -> Result<Option<Task>, Error> {
        let url = self.below(&format!("tasks/{id}"));
        let request = format!("GET /api/tasks/{id}");
        let mut tries = self.all_tries();
        loop {
            let token = self.auth.token(self).await?;
            let mut retry_after = None;
            let failure = match self.send(Method::GET, &url, &token.headers, Bytes::new(), &mut tries).await {
                // Another logon session would not see it either.
                Ok(answer)
                    if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND | StatusCode::GONE) =>
                {
                    return Ok(None);
                }
                Ok(answer) if answer.status.is_success() => match document::task(&answer.body) {
                    Some(task) => return Ok(Some(task)),
                    None => Failure::Foreign(document::describe(&answer.body)),
                },
                Ok(answer) => {
                    retry_after = self.retry_after(&answer.headers);
                    self.classify(&answer, &request)?
                }
                Err(failure) => failure,
            };
            self.pause(failure, &mut tries, retry_after, &request).await?;
        }
    }

    /// An address below `/api/`, of our own words only.
    fn below(&self, path: &str) -> Url {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.split('/'));
        }
        url.set_query(query);
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_says_one_thing_in_the_documented_precision() {
        let time = crate::timestamp::parse("2025-12-29T15:13:37.741876Z").expect("a time");
        let body = Action::StartBefore(time).body().expect("a body");
        assert!(body.contains("<StartDate>2025-12-29T15:13:37.7418760Z</StartDate>"), "{body}");
        assert!(!body.contains("StartNow"), "{body}");
        let body = Action::StartNow.body().expect("a body");
        assert!(body.contains("<StartNow>true</StartNow>") && !body.contains("StartDate"), "{body}");
        assert_eq!((Action::Test.body(), Action::Undo.body()), (None, None));
    }
}
