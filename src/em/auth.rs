//! The logon session: made once, renewed when it has expired, ended at the end.
//!
//! Renewal is single flight: a request that was refused with a token of an older generation than the current one does
//! not log on again, it uses the current one.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use tokio::sync::Mutex;

use super::{Client, Error, Failure, document};

/// How often a logon may expire without one good answer in between.
pub(super) const RENEWALS: u32 = 5;

/// How long a log-off may take; whoever stops this program is waiting for it.
const LOG_OFF: Duration = Duration::from_secs(5);

const SESSION_HEADER: HeaderName = HeaderName::from_static("x-restsvcsessionid");

pub(super) struct Auth {
    username: String,
    /// `Basic …`; marked sensitive, so that it is never printed.
    basic: Option<HeaderValue>,
    state: Mutex<State>,
    expired_in_a_row: AtomicU32,
}

#[derive(Default)]
struct State {
    generation: u64,
    session: Option<Session>,
    /// A refusal ends all logons of this process: accounts lock.
    refused: Option<(u16, String)>,
}

struct Session {
    headers: HeaderMap,
    /// The logon session's own id, to end it by; unknown if the logon's body could not be read.
    id: Option<String>,
    is_expired: bool,
}

/// The header that authorises a request, and which logon it came from.
pub(super) struct Token {
    pub(super) headers: HeaderMap,
    generation: u64,
}

impl Auth {
    pub(super) fn new(username: &str, password: &str) -> Self {
        let credentials = base64::engine::general_purpose::STANDARD.encode(format!("{username}:{password}"));
        let basic = HeaderValue::from_str(&format!("Basic {credentials}")).ok().map(|mut value| {
            value.set_sensitive(true);
            value
        });
        Self { username: username.to_owned(), basic, state: Mutex::default(), expired_in_a_row: AtomicU32::new(0) }
    }

    /// The current token, from a new logon if there is none.
    pub(super) async fn token(&self, client: &Client) -> Result<Token, Error> {
        let mut state = self.state.lock().await;
        if let Some((status, message)) = &state.refused {
            return Err(self.refusal(*status, message.clone()));
        }
        if state.session.as_ref().is_none_or(|session| session.is_expired) {
            match self.log_on(client).await {
                Ok(session) => {
                    state.session = Some(session);
                    state.generation += 1;
                }
                Err(error) => {
                    if let Error::Refused { status, message, .. } = &error {
                        state.refused = Some((*status, message.clone()));
                    }
                    return Err(error);
                }
            }
        }
        let headers = state.session.as_ref().map(|session| session.headers.clone()).unwrap_or_default();
        Ok(Token { headers, generation: state.generation })
    }

    /// Takes note of a 401 to a request with this token.
    pub(super) async fn expire(&self, token: &Token) -> Result<(), Error> {
        let mut state = self.state.lock().await;
        // Another request may have found out first, and have logged on again since.
        if state.generation != token.generation {
            return Ok(());
        }
        if let Some(session) = state.session.as_mut().filter(|session| !session.is_expired) {
            session.is_expired = true;
            let in_a_row = self.expired_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
            if in_a_row > RENEWALS {
                self.confirm();
                return Err(Error::Expired(in_a_row));
            }
        }
        Ok(())
    }

    /// Takes note of a good answer.
    pub(super) fn confirm(&self) {
        self.expired_in_a_row.store(0, Ordering::Relaxed);
    }

    /// `POST /sessionMngr/?v=latest`. A fixed version would break with the next product that drops it.
    async fn log_on(&self, client: &Client) -> Result<Session, Error> {
        let mut url = client.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("sessionMngr").push("");
        }
        url.set_query(Some("v=latest"));
        let mut headers = HeaderMap::new();
        headers.extend(self.basic.clone().map(|basic| (AUTHORIZATION, basic)));
        let mut tries = client.all_tries();
        loop {
            let mut retry_after = None;
            let failure = match client.send(Method::POST, &url, &headers, Bytes::new(), &mut tries).await {
                Ok(answer) if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                    let message = document::error_message(&answer.body).map(|told| format!(", {told}"));
                    return Err(self.refusal(answer.status.as_u16(), message.unwrap_or_default()));
                }
                Ok(answer) if answer.status.is_success() => match answer.headers.get(&SESSION_HEADER) {
                    Some(token) => {
                        let mut token = token.clone();
                        token.set_sensitive(true);
                        let id = document::session_id(&answer.body);
                        return Ok(Session {
                            headers: HeaderMap::from_iter([(SESSION_HEADER, token)]),
                            id,
                            is_expired: false,
                        });
                    }
                    None => Failure::Foreign(document::describe(&answer.body)),
                },
                Ok(answer) => {
                    retry_after = client.retry_after(&answer.headers);
                    client.classify(&answer, "POST /api/sessionMngr/")?
                }
                Err(failure) => failure,
            };
            client.pause(failure, &mut tries, retry_after, "POST /api/sessionMngr/").await?;
        }
    }

    /// Ends our own session and no other.
    pub(super) async fn log_off(&self, client: &Client) {
        let session = self.state.lock().await.session.take();
        let Some(Session { headers, id: Some(id), is_expired: false }) = session else {
            return;
        };
        let mut url = client.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["logonSessions", &id]);
        }
        let mut tries = client.all_tries();
        let sent = tokio::time::timeout(LOG_OFF, client.send(Method::DELETE, &url, &headers, Bytes::new(), &mut tries));
        let outcome = match sent.await {
            Ok(Ok(answer)) if answer.status.is_success() || answer.status == StatusCode::UNAUTHORIZED => return,
            Ok(Ok(answer)) => format!("HTTP {}", answer.status.as_u16()),
            Ok(Err(failure)) => failure.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        tracing::warn!(reason = outcome, "could not log off; the session ends by itself after 15 minutes");
    }

    fn refusal(&self, status: u16, message: String) -> Error {
        Error::Refused { username: self.username.clone(), status, message }
    }
}
