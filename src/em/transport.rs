//! How one request gets to Enterprise Manager and its answer back. Over HTTP as a rule; a test may put an Enterprise
//! Manager of its own in the place of the network.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode, Url};
use tokio::time::Instant;

use super::{Error, Failure, IN_FLIGHT, Limits, tls};
use crate::config::ManagerSettings;

/// An answer that came whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, decompressed.
    pub body: Vec<u8>,
}

/// Carries requests to one Enterprise Manager.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends one request once and returns the whole answer, whatever its status is.
    ///
    /// # Errors
    /// If none came whole, or none within the bounds on time and size.
    async fn send(&self, method: Method, url: &Url, headers: HeaderMap, body: Bytes) -> Result<Answer, Failure>;
}

/// Whether connections are kept for the next request. What must not be sent twice goes over one of its own, for on one
/// that was kept the library may send a request again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connections {
    Kept,
    Fresh,
}

/// The network. Redirects are not followed, no cookie is kept, and no system proxy is used.
pub(super) struct Http {
    client: reqwest::Client,
    /// Host and port, for messages.
    authority: String,
    limits: Limits,
    seen: Arc<tls::Seen>,
}

impl Http {
    pub(super) fn new(settings: &ManagerSettings, limits: &Limits, connections: Connections) -> Result<Self, Error> {
        let (tls, seen) =
            tls::client_config(settings.ca_file.as_deref(), &settings.certificate_sha256, settings.insecure)?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(limits.connect)
            .read_timeout(limits.silence)
            .timeout(limits.answer)
            .pool_max_idle_per_host(if connections == Connections::Kept { IN_FLIGHT } else { 0 })
            .retry(reqwest::retry::never())
            .user_agent(concat!("vemsync/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::Tls(error.to_string()))?;
        Ok(Self { client, authority: settings.url.authority().to_owned(), limits: *limits, seen })
    }

    /// The innermost cause of an error says the most, and the URL in the outer one nothing new.
    fn failure(&self, error: &reqwest::Error) -> Failure {
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let what = if error.is_timeout() {
            "timed out".to_owned()
        } else if cause.to_string().contains("InvalidContentType") {
            format!("{} does not speak TLS: is it an http:// port?", self.authority)
        } else if error.is_connect() {
            format!("cannot connect to {}: {cause}", self.authority)
        } else {
            format!("the connection broke: {cause}")
        };
        match self.seen.refused() {
            Some(fingerprint) => Failure::Certificate { reason: what, fingerprint },
            None if error.is_connect() => Failure::Connect(what),
            None => Failure::Transport(what),
        }
    }
}

#[async_trait]
impl Transport for Http {
    async fn send(&self, method: Method, url: &Url, headers: HeaderMap, body: Bytes) -> Result<Answer, Failure> {
        let mut request = self.client.request(method, url.clone()).headers(headers);
        if !body.is_empty() {
            request = request.body(body);
        }
        let mut response = request.send().await.map_err(|error| self.failure(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let announced = response.content_length().and_then(|bytes| usize::try_from(bytes).ok());
        let mut body = Vec::with_capacity(announced.unwrap_or_default().min(self.limits.body));
        let mut first_byte: Option<Instant> = None;
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(&error))? {
            if body.len() + chunk.len() > self.limits.body {
                return Err(Failure::TooLarge(self.limits.body));
            }
            body.extend_from_slice(&chunk);
            // Each byte ends a silence, so that a server could keep us for as long as it likes.
            let receiving = first_byte.get_or_insert_with(Instant::now).elapsed();
            let due = u128::from(self.limits.slowest) * receiving.as_millis() / 1000;
            if receiving > self.limits.slow_start && (body.len() as u128) < due {
                return Err(Failure::TooSlow(self.limits.slowest));
            }
        }
        Ok(Answer { status, headers, body })
    }
}
