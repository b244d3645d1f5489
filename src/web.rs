//! What `vemsync run` shows over HTTP, all of it read-only: whether it is alive, whether it is ready, metrics, and pages
//! for people (one file a page in `web/`).

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::is_loopback;
use crate::health::{Health, Trouble};
use crate::metrics::Metrics;
use crate::store::{Looks, Store, Upkeep};

mod findings;
mod kept;
mod link;
mod names;
mod page;
mod rejects;
mod reports;
mod search;
mod servers;
mod session;
mod state;
mod tables;

use page::Failure;

/// A database that takes longer to answer a plain question counts as away.
const DATABASE_PATIENCE: Duration = Duration::from_secs(2);

/// A page that takes longer is given up.
const PAGE_PATIENCE: Duration = Duration::from_secs(25);

/// What is shown.
pub struct Site {
    /// How the followers are.
    pub health: Arc<Health>,
    /// What they counted.
    pub metrics: Arc<Metrics>,
    /// What is stored.
    pub store: Arc<dyn Store>,
    /// The same database, to see whether it answers.
    pub upkeep: Arc<dyn Upkeep>,
    /// The same database, for pages.
    pub looks: Looks,
    /// This machine's clock.
    pub clock: Arc<dyn Clock>,
}

impl Site {
    /// All that keeps the daemon from being ready.
    pub async fn troubles(&self) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        let asked = tokio::time::timeout(DATABASE_PATIENCE, self.upkeep.ping()).await;
        let failure = match asked {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(crate::escape::chain(&error)),
            Err(_) => Some("it does not answer".to_owned()),
        };
        if let Some(what) = failure {
            let what = format!("the database cannot be used: {what}");
            let mend = "see that it runs and can be reached; vemsync goes on by itself";
            troubles.push(Trouble { manager: None, kind: None, what, mend });
        }
        troubles.extend(self.health.troubles(self.clock.now()));
        troubles
    }
}

/// What answers: at first nothing but that it is alive, and the site once there is one.
#[derive(Clone)]
pub struct Web {
    site: Arc<OnceLock<Site>>,
    account: Option<Arc<SecretString>>,
    /// Whether visitors may call it by any name.
    is_public: bool,
    names: Arc<names::Names>,
    overviews: Arc<reports::Overviews>,
}

impl Web {
    /// With the account (`user:password`) that is asked of visitors, if any, and whether something in front of it sees
    /// to who they are.
    #[must_use]
    pub fn new(account: Option<SecretString>, is_public: bool) -> Self {
        Self {
            site: Arc::default(),
            account: account.map(Arc::new),
            is_public,
            names: Arc::default(),
            overviews: Arc::new(reports::overviews()),
        }
    }

    /// From now on there is something to show.
    pub fn open(&self, site: Site) {
        // There is one start, and so one site.
        drop(self.site.set(site));
    }

    /// What is shown, once there is something.
    #[must_use]
    pub fn site(&self) -> Option<&Site> {
        self.site.get()
    }

    /// Makes what takes longer than a visitor likes to wait before anybody asks for it. Does not end.
    pub async fn keep_ready(&self) {
        loop {
            // One after the other: visitors need a look meanwhile.
            let overview = Box::pin(self.renew_overview(kept::SLOW)).await;
            let machines = Box::pin(self.renew_machines(kept::SLOW)).await;
            tokio::time::sleep(overview.max(machines)).await;
        }
    }

    /// Makes the morning page, and keeps it if that takes so long. Returns the pause until the next time.
    pub async fn renew_overview(&self, slow: Duration) -> Duration {
        let Some(site) = self.site() else { return slow };
        reports::renew_overview(self, site, slow).await
    }

    /// … and the machines that can be searched for.
    pub async fn renew_machines(&self, slow: Duration) -> Duration {
        let Some(site) = self.site() else { return slow };
        self.names.renew_machines(site, slow).await
    }

    /// Where no account is asked for, a page of somebody else must not make the operator's browser read this under a name
    /// that leads here. An address is no such name.
    fn is_called_by_own_name(&self, headers: &HeaderMap) -> bool {
        if self.is_public || self.account.is_some() {
            return true;
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let Ok(url) = url::Url::parse(&format!("http://{host}/")) else { return false };
        matches!(url.host(), Some(url::Host::Ipv4(_) | url::Host::Ipv6(_))) || is_loopback(&url)
    }

    /// Whether the visitor may see more than whether the daemon is alive and ready.
    fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(account) = &self.account else { return true };
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given =
            given.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
        let given = given.and_then(|(_, encoded)| BASE64.decode(encoded.trim()).ok()).unwrap_or_default();
        // Hashes, so that the time which the comparison takes says nothing.
        Sha256::digest(given) == Sha256::digest(account.expose_secret())
    }
}

/// Listens on the address and answers until cancelled, in a task of the returned set. Also returns the address, whose
/// port was chosen if none was asked for.
///
/// # Errors
/// If the address cannot be listened on.
pub async fn serve(
    listen: SocketAddr,
    web: Web,
    cancel: CancellationToken,
) -> io::Result<(SocketAddr, JoinSet<io::Result<()>>)> {
    let listener = TcpListener::bind(listen).await?;
    let listen = listener.local_addr()?;
    let mut task = JoinSet::new();
    task.spawn(
        async move { axum::serve(listener, router(web)).with_graceful_shutdown(cancel.cancelled_owned()).await },
    );
    Ok((listen, task))
}

/// All that is answered.
pub fn router(web: Web) -> Router {
    let closed = Router::new()
        .route("/", get(state::page))
        .route("/last-24-hours", get(reports::last_24_hours))
        .route("/jobs/{uid}", get(reports::job))
        .route("/machines", get(reports::machine))
        .route("/sessions/{kind}/{uid}", get(session::page))
        .route("/rejects", get(rejects::list))
        .route("/rejects/{id}", get(rejects::one))
        .route("/search", get(search::page))
        .route("/style.css", get(page::style))
        .route("/metrics", get(metrics))
        .fallback(async || Failure::NotFound("There is no such page.".to_owned()))
        .layer(from_fn_with_state(web.clone(), admitted));
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .merge(closed)
        .layer(axum::middleware::from_fn(guarded))
        .with_state(web)
}

/// Gives a page up that takes too long; the database gives up what was asked of it by itself.
async fn in_time<T>(making: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::time::timeout(PAGE_PATIENCE, making).await.unwrap_or(Err(Failure::Slow))
}

/// Nothing can be changed here, and nothing from elsewhere is run or shown in what is sent.
async fn guarded(request: Request, next: Next) -> Response {
    let is_reading = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = if is_reading {
        next.run(request).await
    } else {
        (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")], "this is read-only\n").into_response()
    };
    for (name, value) in [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

async fn admitted(State(web): State<Web>, request: Request, next: Next) -> Response {
    if !web.is_called_by_own_name(request.headers()) {
        let said = "this is not called by that name: use its address, or set basic_auth_file or public in [http]\n";
        return (StatusCode::FORBIDDEN, said).into_response();
    }
    if web.admits(request.headers()) {
        return next.run(request).await;
    }
    let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"vemsync\", charset=\"UTF-8\"")];
    (StatusCode::UNAUTHORIZED, ask, "this asks for the account in basic_auth_file\n").into_response()
}

/// Whoever may not see more is told no more than whether it is ready.
async fn readyz(State(web): State<Web>, headers: HeaderMap) -> Response {
    let Some(site) = web.site() else { return starting() };
    let troubles = site.troubles().await;
    if troubles.is_empty() {
        return "ready\n".into_response();
    }
    let mut text = "not ready\n".to_owned();
    if web.admits(&headers) {
        text.extend(troubles.iter().map(|trouble| format!("{trouble}\n")));
    }
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn metrics(State(web): State<Web>) -> Response {
    let Some(site) = web.site() else { return starting() };
    let stored = tokio::time::timeout(DATABASE_PATIENCE, site.store.status(false)).await;
    let stored = stored.ok().and_then(Result::ok);
    let is_ready = site.troubles().await.is_empty();
    let text = site.metrics.text(&site.health, stored.as_deref(), is_ready, site.clock.now());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

fn starting() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "not ready\nthe database is being opened\n").into_response()
}
