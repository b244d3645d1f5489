//! Logon sessions: who may come in, and for how long. Measured in the time of the program that runs it, since a client's
//! patience is.

use std::collections::HashMap;
use std::time::Duration;

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::time::Instant;
use uuid::Uuid;

/// The name of the header and of the cookie that carry a token.
pub(super) const TOKEN: &str = "x-restsvcsessionid";

/// When a logon session ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenLife {
    /// So long after the last request.
    Idle(Duration),
    /// So long after the logon, whatever happens.
    Absolute(Duration),
}

#[derive(Debug)]
struct Logon {
    id: Uuid,
    user: String,
    began: Instant,
    last: Instant,
}

/// All live sessions by token.
#[derive(Debug)]
pub(super) struct Logons {
    life: TokenLife,
    live: HashMap<String, Logon>,
    rng: fastrand::Rng,
}

impl Logons {
    pub(super) fn new(seed: u64, life: TokenLife) -> Logons {
        Logons { life, live: HashMap::new(), rng: fastrand::Rng::with_seed(seed ^ 0x0010_90e5) }
    }

    /// A new session: its token and its id.
    pub(super) fn begin(&mut self, user: &str) -> (String, Uuid) {
        let id = uuid::Builder::from_random_bytes(self.rng.u128(..).to_le_bytes()).into_uuid();
        // The token that a client uses and the id in the body differ, and only the token opens anything.
        let secret = uuid::Builder::from_random_bytes(self.rng.u128(..).to_le_bytes()).into_uuid();
        let token = STANDARD.encode(secret.to_string());
        let now = Instant::now();
        self.live.insert(token.clone(), Logon { id, user: user.to_owned(), began: now, last: now });
        (token, id)
    }

    /// Whether the request comes with a live token, which it renews. A cookie is looked at first, and then nothing else.
    pub(super) fn admits(&mut self, headers: &HeaderMap) -> bool {
        let Some(token) = token(headers) else { return false };
        let now = Instant::now();
        let Some(logon) = self.live.get_mut(&token) else { return false };
        let over = match self.life {
            TokenLife::Idle(life) => now.duration_since(logon.last) > life,
            TokenLife::Absolute(life) => now.duration_since(logon.began) > life,
        };
        logon.last = now;
        if over {
            self.live.remove(&token);
        }
        !over
    }

    pub(super) fn end(&mut self, id: Uuid) -> bool {
        let before = self.live.len();
        self.live.retain(|_, logon| logon.id != id);
        self.live.len() < before
    }

    pub(super) fn end_all(&mut self) {
        self.live.clear();
    }

    pub(super) fn set_life(&mut self, life: TokenLife) {
        self.life = life;
    }

    pub(super) fn list(&self) -> Vec<(Uuid, String)> {
        self.live.values().map(|logon| (logon.id, logon.user.clone())).collect()
    }
}

pub(super) fn token(headers: &HeaderMap) -> Option<String> {
    let cookie = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).find_map(|cookies| {
        cookies.split(';').find_map(|cookie| {
            let (name, value) = cookie.trim().split_once('=')?;
            name.eq_ignore_ascii_case(TOKEN).then(|| value.to_owned())
        })
    });
    cookie.or_else(|| headers.get(TOKEN)?.to_str().ok().map(str::to_owned))
}

/// User and password of a Basic header.
pub(super) fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(key, value)| (key.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_stale_cookie_beats_a_fresh_header() {
        let mut logons = Logons::new(1, TokenLife::Idle(Duration::from_secs(900)));
        let (token, id) = logons.begin("demo");
        let cookie = format!("a=b; X-RestSvcSessionId={token}");
        assert!(logons.admits(&headers(&[(TOKEN, &token)])));
        assert!(logons.admits(&headers(&[("cookie", &cookie), (TOKEN, "stale")])));
        assert!(!logons.admits(&headers(&[("cookie", "X-RestSvcSessionId=stale"), (TOKEN, &token)])));
        assert!(!logons.admits(&headers(&[])));
        assert!(logons.end(id));
        assert!(!logons.end(id));
        assert!(!logons.admits(&headers(&[(TOKEN, &token)])));
    }

    #[test]
    fn a_session_expires() {
        let mut logons = Logons::new(1, TokenLife::Absolute(Duration::ZERO));
        let (token, _) = logons.begin("demo");
        std::thread::sleep(Duration::from_millis(2));
        assert!(!logons.admits(&headers(&[(TOKEN, &token)])));
        logons.set_life(TokenLife::Idle(Duration::from_secs(60)));
        assert!(!logons.admits(&headers(&[(TOKEN, &token)])), "what is over stays over");
    }

    #[test]
    fn credentials_are_utf8_and_a_password_may_hold_a_colon() {
        let value = format!("Basic {}", STANDARD.encode("DOM\\jürgen:a:b"));
        let wanted = Some(("DOM\\jürgen".to_owned(), "a:b".to_owned()));
        assert_eq!(credentials(&headers(&[("authorization", &value)])), wanted);
        assert_eq!(credentials(&headers(&[("authorization", "Bearer x")])), None);
    }
}
