//! The HTTP face without a network: a client in the same process gets the answers that it would get over one, and with
//! time that stands still between two requests.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::{Bytes, to_bytes};
use axum::http::{HeaderMap, Method, Request};
use url::Url;

use super::wire::Scissors;
use super::{Shared, http};
use crate::em::{Answer, Failure, Transport};

struct InProcess(Arc<Shared>);

pub(super) fn in_process(shared: Arc<Shared>) -> Arc<dyn Transport> {
    Arc::new(InProcess(shared))
}

#[async_trait]
impl Transport for InProcess {
    async fn send(&self, method: Method, url: &Url, headers: HeaderMap, body: Bytes) -> Result<Answer, Failure> {
        let broken = |what: &str| Failure::Transport(format!("the connection broke: {what}"));
        let (mut parts, ()) = Request::new(()).into_parts();
        (parts.method, parts.headers) = (method, headers);
        parts.uri = url.as_str().parse().map_err(|_| broken("no such address"))?;
        let scissors = Scissors::default();
        let response = http::respond(&self.0, &scissors, parts, &body).await;
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.map_err(|_| broken("connection reset"))?;
        if scissors.has_cut() {
            return Err(broken("connection reset"));
        }
        Ok(Answer { status: parts.status, headers: parts.headers, body: body.into() })
    }
}
