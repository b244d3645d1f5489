//! What goes wrong between a client and Enterprise Manager, by chance or on cue.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use super::world::Broken;

/// One thing that can go wrong with a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// 503, with a `Retry-After` of so many seconds if given.
    Unavailable(Option<u32>),
    /// 500, whose body lacks the Status.
    ServerError,
    /// 501.
    NotImplemented,
    /// 403.
    Forbidden,
    /// 429, with a `Retry-After` of so many seconds if given.
    TooManyRequests(Option<u32>),
    /// 401, and the session is gone.
    SessionLost,
    /// The connection closes without an answer.
    Reset,
    /// The connection closes half way through the body.
    TruncatedBody,
    /// Half of the body, in a frame that says it is whole.
    TruncatedXml,
    /// A proxy's page: 200, text/html.
    LoginPage,
    /// 200 and no body.
    EmptyBody,
    /// An answer without PagingInfo.
    NoPagingInfo,
    /// An answer that claims to be the page after the one that was asked for.
    WrongPage,
    /// No rows, one page: as if there were none.
    EmptyList,
    /// No `Entities` at all.
    NoEntities,
    /// A document type with entities in it.
    Doctype,
    /// One record more, which is unfit.
    BadRecord(Broken),
    /// The answer comes after so long.
    Hang(Duration),
    /// The body comes in eight pieces, with so long between them.
    SlowBody(Duration),
    /// 302 to that address.
    Redirect(String),
    /// 404.
    NotFound,
    /// It is done all the same, and only its answer meets this.
    Done(Box<Fault>),
    /// Somebody else does the same at the same time.
    Twice,
}

/// Faults by chance.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Where chance begins.
    pub seed: u64,
    /// Each fault and its probability per request.
    pub rates: Vec<(Fault, f64)>,
    /// Logon and logoff suffer too.
    pub logon_too: bool,
}

impl Faults {
    /// The faults that a client must ride out, which together hit this share of the requests.
    #[must_use]
    pub fn transient(seed: u64, share: f64) -> Faults {
        let all = [
            Fault::Unavailable(None),
            Fault::Unavailable(Some(1)),
            Fault::ServerError,
            Fault::Reset,
            Fault::TruncatedBody,
            Fault::TruncatedXml,
            Fault::LoginPage,
            Fault::EmptyBody,
            Fault::NoPagingInfo,
            Fault::SessionLost,
        ];
        let each = share / 10.0;
        Faults { seed, rates: all.into_iter().map(|fault| (fault, each)).collect(), logon_too: false }
    }
}

#[derive(Debug)]
struct Cue {
    part: String,
    left: usize,
    fault: Fault,
}

/// Different requests that are counted.
const KEPT: usize = 100_000;

/// Decides for each request.
#[derive(Debug)]
pub(super) struct Dice {
    faults: Faults,
    /// How often each request came, by a hash of its text: what befalls it hangs on nothing else, so that the order of
    /// requests side by side does not matter.
    times: HashMap<u64, u64>,
    cues: Vec<Cue>,
}

impl Dice {
    pub(super) fn new(faults: Faults) -> Dice {
        Dice { faults, times: HashMap::new(), cues: Vec::new() }
    }

    /// Puts other chances in place; what is on cue stays.
    pub(super) fn set(&mut self, faults: Faults) {
        self.times.clear();
        self.faults = faults;
    }

    pub(super) fn cue(&mut self, part: &str, times: usize, fault: Fault) {
        self.cues.push(Cue { part: part.to_owned(), left: times, fault });
    }

    pub(super) fn clear(&mut self) {
        self.cues.clear();
        self.faults.rates.clear();
    }

    /// What happens to the request, given as `METHOD path?query`, decoded.
    pub(super) fn roll(&mut self, request: &str, is_logon: bool) -> Option<Fault> {
        if let Some(cue) = self.cues.iter_mut().find(|cue| cue.left > 0 && request.contains(&cue.part)) {
            cue.left -= 1;
            return Some(cue.fault.clone());
        }
        if is_logon && !self.faults.logon_too {
            return None;
        }
        if self.faults.rates.is_empty() {
            return None;
        }
        let mut point = self.chance(request);
        for (fault, rate) in &self.faults.rates {
            if point < *rate {
                return Some(fault.clone());
            }
            point -= rate;
        }
        None
    }

    fn chance(&mut self, request: &str) -> f64 {
        let mut hasher = DefaultHasher::new();
        request.hash(&mut hasher);
        // A server that runs for long forgets; the dice only roll alike again.
        if self.times.len() >= KEPT {
            self.times.clear();
        }
        let times = self.times.entry(hasher.finish()).or_default();
        *times += 1;
        (self.faults.seed, *times).hash(&mut hasher);
        fastrand::Rng::with_seed(hasher.finish()).f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_on_cue_and_by_chance() {
        let mut dice = Dice::new(Faults::default());
        dice.cue("type=Job", 2, Fault::Reset);
        assert_eq!(dice.roll("GET /api/query?type=Restore", false), None);
        assert_eq!(dice.roll("GET /api/query?type=JobX", false), Some(Fault::Reset));
        assert_eq!(dice.roll("GET /api/query?type=JobX", true), Some(Fault::Reset));
        assert_eq!(dice.roll("GET /api/query?type=JobX", false), None);
        dice.set(Faults::transient(7, 0.3));
        let hits = (0..10_000).filter(|_| dice.roll("x", false).is_some()).count();
        assert!((2700..3300).contains(&hits), "{hits}");
        assert_eq!((0..1000).find_map(|_| dice.roll("x", true)), None);
    }
}
