//! The client of Enterprise Manager's REST API: logon, queries, and the one action that changes something there.
//!
//! Three rules hold for every request. The token goes to the configured origin only: redirects are not followed, there
//! is no cookie jar, and links that the server sends are data. What may go better in another try is tried again with
//! growing pauses; a rejected logon never is, because accounts lock. And an answer is used whole or not at all: the
//! caller decides by looking at the body, and what it rejects is asked for again.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT, CONTENT_LENGTH, DATE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Method, StatusCode, Url};
use secrecy::ExposeSecret as _;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::clock::{Clock, ServerClock};
use crate::config::ManagerSettings;
use crate::decode::decode;
use crate::kind::Entity;

mod action;
mod auth;
mod collect;
mod document;
mod error;
pub mod query;
mod tls;
mod transport;

pub use action::{Action, Sent, Task};
pub use collect::Collecting;
pub use error::{Error, Failure, Rejection};
pub use query::Query;
pub use transport::{Answer, Transport};

use auth::Auth;
use query::{Filter, Form};
use transport::{Connections, Http};

/// Requests in flight at once: Enterprise Manager serves people too.
const IN_FLIGHT: usize = 2;

/// Bounds on one request and on how often it is tried.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For a connection to come about.
    pub connect: Duration,
    /// For the whole answer.
    pub answer: Duration,
    /// For the next byte of it.
    pub silence: Duration,
    /// Largest body, decompressed, in bytes.
    pub body: usize,
    /// Fewest bytes a second, on average, at which a body may come …
    pub slowest: u32,
    /// … once it has been coming for this long.
    pub slow_start: Duration,
    /// How often a request is sent before it is given up.
    pub tries: u32,
    /// For all tries of a request and the pauses between them.
    pub all_tries: Duration,
    /// The pause before the second try; it doubles from there.
    pub first_pause: Duration,
    /// The longest pause, but for what the server asks for.
    pub longest_pause: Duration,
    /// The longest pause that the server may ask for.
    pub longest_retry_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(300),
            silence: Duration::from_secs(60),
            body: 16 * 1024 * 1024,
            slowest: 1024,
            slow_start: Duration::from_secs(15),
            tries: 9,
            all_tries: Duration::from_secs(300),
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(5),
            longest_retry_after: Duration::from_secs(30),
        }
    }
}

/// What the tries of one request have cost so far.
struct Tries {
    /// How many there may be.
    most: u32,
    failures: u32,
    /// Those of them that took a body of megabytes or of many seconds.
    costly: u32,
    /// Time in tries and in the pauses between them, but not in the queue behind other requests.
    spent: Duration,
}

impl Tries {
    fn up_to(most: u32) -> Self {
        Self { most, failures: 0, costly: 0, spent: Duration::ZERO }
    }
}

/// Tries of what failed after all of them the last time, or is not worth more.
const FEW_TRIES: u32 = 2;

/// How often an answer may come too large or too slowly: another try is unlikely to be better, and costs as much.
const COSTLY_TRIES: u32 = 2;

/// A client of one Enterprise Manager, with one logon session.
pub struct Client {
    transport: Arc<dyn Transport>,
    base: Url,
    limits: Limits,
    auth: Auth,
    permits: Semaphore,
    server_clock: ServerClock,
    clock: Arc<dyn Clock>,
    is_pinned: bool,
    requests: AtomicU64,
    /// The types of which the last query failed after all of its tries. Whatever is wrong with one of them, the others
    /// must not wait for it in every pass.
    given_up: Mutex<BTreeSet<&'static str>>,
}

impl Answer {
    /// Whether it is the API's own error, as far as one can tell.
    fn is_from_api(&self) -> bool {
        let realm = self.headers.get(WWW_AUTHENTICATE).and_then(|realm| realm.to_str().ok());
        realm.is_some_and(|realm| realm.contains("RestSvc")) || document::error_message(&self.body).is_some()
    }
}

impl Client {
    /// A client for these settings. Nothing is sent yet.
    ///
    /// # Errors
    /// If a certificate authority's file cannot be used.
    pub fn new(settings: &ManagerSettings, limits: Limits, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        if settings.insecure {
            tracing::warn!(
                em = settings.name,
                "certificates are not checked: whoever is in between can read the password"
            );
        }
        Ok(Self::over(Arc::new(Http::new(settings, &limits, Connections::Kept)?), settings, limits, clock))
    }

    /// A client for an action and its task, whose requests have connections of their own: see [`Client::act`].
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn for_actions(settings: &ManagerSettings, limits: Limits, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Ok(Self::over(Arc::new(Http::new(settings, &limits, Connections::Fresh)?), settings, limits, clock))
    }

    /// A client whose requests go over this transport.
    #[must_use]
    pub fn over(
        transport: Arc<dyn Transport>,
        settings: &ManagerSettings,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            transport,
            base: settings.url.clone(),
            limits,
            auth: Auth::new(&settings.username, settings.password.expose_secret()),
            permits: Semaphore::new(IN_FLIGHT),
            server_clock: ServerClock::default(),
            clock,
            is_pinned: !settings.certificate_sha256.is_empty(),
            requests: AtomicU64::new(0),
            given_up: Mutex::default(),
        }
    }

    /// The address of the API, which ends in `/api/`.
    #[must_use]
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// What time Enterprise Manager says it is.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.server_clock.now(self.clock.as_ref())
    }

    /// How far this machine's clock is ahead of Enterprise Manager's, if that told the time.
    #[must_use]
    pub fn clock_ahead(&self) -> Option<chrono::TimeDelta> {
        self.server_clock.ahead(self.clock.as_ref())
    }

    /// Requests sent so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The API versions that the server offers, from its root, which asks for no logon. This comes before any logon,
    /// so that a password is never sent to something that is no Enterprise Manager.
    ///
    /// # Errors
    /// [`Error::NotEnterpriseManager`] where something else answers.
    pub async fn versions(&self) -> Result<Vec<String>, Error> {
        let url = self.base.clone();
        let mut tries = self.all_tries();
        loop {
            let answer = self.send(Method::GET, &url, &HeaderMap::new(), Bytes::new(), &mut tries).await;
            let failure = match answer {
                Ok(answer) if answer.status.is_success() => match document::supported_versions(&answer.body) {
                    Some(versions) => return Ok(versions),
                    None => Failure::Foreign(document::describe(&answer.body)),
                },
                // Whoever asks for a logon in the API's own words is one, too.
                Ok(answer) if answer.status == StatusCode::UNAUTHORIZED && answer.is_from_api() => {
                    return Ok(Vec::new());
                }
                Ok(answer) => self.classify(&answer, url.path())?,
                Err(failure) => failure,
            };
            self.pause(failure, &mut tries, None, "GET /api/").await?;
        }
    }

    /// Sends a query until `accept` takes its answer, or for as often as makes sense: twice, where the last query of
    /// that type made none.
    ///
    /// # Errors
    /// The last failure, once another try makes no sense.
    pub async fn query<T>(&self, query: &Query, accept: impl FnMut(&[u8]) -> Result<T, Rejection>) -> Result<T, Error> {
        let tries = if self.given_up().contains(query.kind) { self.few_tries() } else { self.all_tries() };
        let answer = self.get(&query.url(&self.base), &query.to_string(), tries, accept).await;
        match &answer {
            Ok(_) => drop(self.given_up().remove(query.kind)),
            // Less of it may be had.
            Err(Error::Exhausted { last: Failure::TooLarge(_), .. }) => {}
            Err(Error::Exhausted { .. } | Error::NotEnterpriseManager { .. }) => {
                self.given_up().insert(query.kind);
            }
            Err(_) => {}
        }
        answer
    }

    fn given_up(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all_tries(&self) -> Tries {
        Tries::up_to(self.limits.tries)
    }

    fn few_tries(&self) -> Tries {
        Tries::up_to(self.limits.tries.min(FEW_TRIES))
    }

    /// Gets what stands at an address, which messages call `request`.
    async fn get<T>(
        &self,
        url: &Url,
        request: &str,
        mut tries: Tries,
        mut accept: impl FnMut(&[u8]) -> Result<T, Rejection>,
    ) -> Result<T, Error> {
        let mut refusals = 0;
        loop {
            let token = self.auth.token(self).await?;
            let mut retry_after = None;
            let failure = match self.send(Method::GET, url, &token.headers, Bytes::new(), &mut tries).await {
                Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => {
                    // Another query's good answer must not let this one ask for ever.
                    refusals += 1;
                    if refusals > 2 * auth::RENEWALS {
                        return Err(Error::Expired(refusals));
                    }
                    self.auth.expire(&token).await?;
                    continue;
                }
                Ok(answer) if answer.status.is_success() => match accept(&answer.body) {
                    Ok(accepted) => {
                        self.auth.confirm();
                        return Ok(accepted);
                    }
                    Err(rejection) => {
                        tracing::debug!(request, %rejection, "answer rejected");
                        Failure::Rejected(rejection)
                    }
                },
                Ok(answer) => {
                    retry_after = self.retry_after(&answer.headers);
                    match self.classify(&answer, request) {
                        // An Enterprise Manager has let us in here: what stands in front of it now may go away.
                        Err(Error::NotEnterpriseManager { what, .. }) => Failure::Foreign(what),
                        classified => classified?,
                    }
                }
                Err(failure) => failure,
            };
            self.pause(failure, &mut tries, retry_after, request).await?;
        }
    }

    /// How many rows there are. With one row a page, the number of pages says so; a server may grant a larger page than
    /// asked for, and then all that fits it has come.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn count(&self, entity: Entity, filter: Option<Filter>) -> Result<u64, Error> {
        let query = Query { kind: entity.name, form: Form::Entities, filter, sort: None, page_size: 1, page: 1 };
        let accept = |body: &[u8]| {
            let decoded = decode(entity, body)?;
            let pages = u64::from(decoded.paging.pages);
            Ok(if pages > 1 { pages } else { decoded.records as u64 })
        };
        self.query(&query, accept).await
    }

    /// Ends the logon session, if there is one and it is ours. Failing is worth a warning, no more: it ends by itself.
    pub async fn log_off(&self) {
        self.auth.log_off(self).await;
    }

    /// Logs on, if that has not happened yet.
    ///
    /// # Errors
    /// [`Error::Refused`] if the account may not.
    pub async fn log_on(&self) -> Result<(), Error> {
        self.auth.token(self).await.map(drop)
    }

    /// Sends one request once and reads the answer, within all bounds.
    async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: &HeaderMap,
        body: Bytes,
        tries: &mut Tries,
    ) -> Result<Answer, Failure> {
        let _permit =
            self.permits.acquire().await.map_err(|_| Failure::Transport("the client is closed".to_owned()))?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut headers = headers.clone();
        headers.insert(ACCEPT, HeaderValue::from_static("application/xml"));
        if method == Method::POST && body.is_empty() {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        // The tries of a request have a bound together.
        let within = self.limits.answer.min(self.limits.all_tries.saturating_sub(tries.spent));
        let begun = Instant::now();
        let sent = tokio::time::timeout(within, self.transport.send(method, url, headers, body)).await;
        tries.spent += begun.elapsed();
        let answer = sent.unwrap_or_else(|_| Err(Failure::Transport("timed out".to_owned())))?;
        if answer.status.is_success() {
            self.server_clock.observe(answer.headers.get(DATE).and_then(|date| date.to_str().ok()));
        }
        Ok(answer)
    }

    /// What an answer other than success means: a failure that may pass, or an error that will not.
    fn classify(&self, answer: &Answer, request: &str) -> Result<Failure, Error> {
        let status = answer.status;
        if status.is_redirection() {
            let to = answer.headers.get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("an unknown place");
            return Err(Error::NotEnterpriseManager {
                url: self.base.to_string(),
                what: format!("a redirect to {}", document::printable(to)),
            });
        }
        let message = document::error_message(&answer.body);
        let is_api = message.is_some() || answer.body.is_empty();
        let told = match message {
            Some(message) => format!(": {message}"),
            None if is_api => String::new(),
            None => format!(" with {}", document::describe(&answer.body)),
        };
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
        {
            return Ok(Failure::Status { status: status.as_u16(), message: told });
        }
        if is_api {
            return Err(Error::BadRequest { status: status.as_u16(), message: told, request: request.to_owned() });
        }
        Err(Error::NotEnterpriseManager {
            url: self.base.to_string(),
            what: format!("HTTP {} with {}", status.as_u16(), document::describe(&answer.body)),
        })
    }

    /// Waits before the next try, or gives up. Certificates do not become trusted by waiting.
    async fn pause(
        &self,
        failure: Failure,
        tries: &mut Tries,
        retry_after: Option<Duration>,
        request: &str,
    ) -> Result<(), Error> {
        tries.failures += 1;
        tries.costly += u32::from(matches!(failure, Failure::TooLarge(_) | Failure::TooSlow(_)));
        if let Failure::Certificate { reason, fingerprint } = failure {
            let host = self.base.host_str().unwrap_or_default().to_owned();
            if self.is_pinned {
                return Err(Error::NotPinned { host, fingerprint });
            }
            return Err(Error::Untrusted { host, fingerprint, reason });
        }
        let growing =
            self.limits.first_pause.saturating_mul(1 << (tries.failures - 1).min(16)).min(self.limits.longest_pause);
        // Between half and all of it, so that clients that failed together do not come back together.
        let pause = retry_after.unwrap_or_else(|| growing.mul_f64(0.5 + fastrand::f64() / 2.0));
        tries.spent += pause;
        if tries.failures >= tries.most || tries.costly >= COSTLY_TRIES || tries.spent >= self.limits.all_tries {
            if let Failure::Foreign(what) = failure {
                return Err(Error::NotEnterpriseManager { url: self.base.to_string(), what });
            }
            return Err(Error::Exhausted { tries: tries.failures, last: failure, request: request.to_owned() });
        }
        tracing::debug!(%failure, pause_ms = pause.as_millis(), "request failed, trying again");
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// Seconds or a date, as far as it is honoured.
    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        let asked = match text.parse() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => (DateTime::parse_from_rfc2822(text).ok()?.to_utc() - self.now()).to_std().unwrap_or_default(),
        };
        Some(asked.min(self.limits.longest_retry_after))
    }
}
