//! Whether a backup server that sends nothing is to blame, or Enterprise Manager, which no longer asks it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::health::span;
use crate::report::{self, Tone};
use crate::store::{Collection, ManagerStatus, StreamStatus};

/// Enterprise Manager collects every 15 minutes; so much later it has stopped.
const COLLECTS_WITHIN: TimeDelta = TimeDelta::hours(1);

/// It is asked every hour; what it said longer ago says nothing about now.
const KNOWN_FOR: TimeDelta = TimeDelta::hours(3);

/// Whether Enterprise Manager collects from its backup servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Collecting {
    Yes,
    /// Why it is thought not to.
    No(String),
    /// Why that cannot be said.
    NotKnown(&'static str),
}

pub(super) fn collecting(told: &Collection, now: DateTime<Utc>) -> Collecting {
    let Some(asked_at) = told.asked_at else { return Collecting::NotKnown("it has not been asked yet") };
    if now - asked_at > KNOWN_FOR {
        return Collecting::NotKnown("it could not be asked for hours");
    }
    if told.state.as_deref() == Some("Failed") {
        let why = told.message.as_deref().filter(|text| !text.is_empty());
        return Collecting::No(format!("its last collection failed: {}", why.unwrap_or("it does not say why")));
    }
    match told.collected_at {
        None => Collecting::NotKnown("it does not tell this account"),
        Some(at) if asked_at - at > COLLECTS_WITHIN => {
            Collecting::No(format!("its last good collection ended {} ago", span(now - at)))
        }
        Some(_) => Collecting::Yes,
    }
}

/// What is to be thought of a backup server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It sends.
    Sends,
    /// Nothing new has come from any server.
    Quiet,
    /// Others send, and Enterprise Manager collects.
    Silent,
    /// Nothing can come from it.
    NotCollected,
    /// It is silent, and it cannot be said why.
    NotKnown,
}

impl Verdict {
    pub(super) const fn tone(self) -> Tone {
        match self {
            Self::Sends => Tone::Good,
            Self::Quiet | Self::NotKnown => Tone::Warning,
            Self::Silent | Self::NotCollected => Tone::Bad,
        }
    }

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Sends => "sends",
            Self::Quiet => "nothing new, as from all servers",
            Self::Silent => "the server is silent",
            Self::NotCollected => "Enterprise Manager stopped collecting",
            Self::NotKnown => "silent; why is not known",
        }
    }

    /// What to do about it.
    pub(super) const fn mend(self) -> &'static str {
        match self {
            Self::Sends => "",
            Self::Quiet => "see whether a job should have run by now",
            Self::Silent => {
                "see that the server's Veeam services run, that Enterprise Manager reaches it, and what its jobs do"
            }
            Self::NotCollected => "see that Enterprise Manager's service runs, and start a collection there by hand",
            Self::NotKnown => {
                "see on Enterprise Manager whether it collects from this server, and on the server what its jobs do"
            }
        }
    }
}

/// A backup server, over all session types.
#[derive(Debug)]
pub(super) struct Server<'a> {
    pub(super) name: String,
    pub(super) newest_start: Option<DateTime<Utc>>,
    pub(super) newest_end: Option<DateTime<Utc>>,
    /// When it was last read to its end.
    pub(super) read_at: Option<DateTime<Utc>>,
    pub(super) verdict: Verdict,
    /// Its streams, by session type.
    pub(super) streams: Vec<(&'static str, &'a StreamStatus)>,
}

impl Server<'_> {
    /// How old its newest start was when it was last read: what has not been asked for cannot be missed.
    fn silent(&self) -> Option<TimeDelta> {
        Some(self.read_at? - self.newest_start?)
    }
}

/// The backup servers of an Enterprise Manager that have sent anything, by name.
pub(super) fn servers(manager: &ManagerStatus, now: DateTime<Utc>) -> Vec<Server<'_>> {
    let mut found: BTreeMap<(String, Uuid), Server<'_>> = BTreeMap::new();
    for kind in &manager.kinds {
        for stream in kind.streams.iter().filter(|stream| !stream.backup_server_uid.is_nil()) {
            let uid = stream.backup_server_uid;
            let name = stream.backup_server_name.clone().unwrap_or_else(|| uid.to_string());
            let server = found.entry((name.clone(), uid)).or_insert_with(|| Server {
                name,
                newest_start: None,
                newest_end: None,
                read_at: None,
                verdict: Verdict::Sends,
                streams: Vec::new(),
            });
            server.newest_start = server.newest_start.max(stream.creation_mark);
            server.newest_end = server.newest_end.max(stream.end_mark);
            server.read_at = server.read_at.max(Some(stream.scanned_at));
            server.streams.push((kind.kind, stream));
        }
    }
    let mut servers: Vec<Server<'_>> = found.into_values().collect();
    let ages: Vec<Option<i64>> = servers.iter().map(|server| server.silent().map(|age| age.num_seconds())).collect();
    let known: Vec<i64> = ages.iter().flatten().copied().collect();
    let collecting = collecting(&manager.collection, now);
    let mut place = 0;
    for (server, age) in servers.iter_mut().zip(ages) {
        let Some(age) = age else { continue };
        server.verdict = verdict(&known, place, age, &collecting);
        place += 1;
    }
    servers
}

fn verdict(ages: &[i64], place: usize, age: i64, collecting: &Collecting) -> Verdict {
    let is_old = age > report::SILENT;
    let is_alone = ages.len() > 1 && report::is_alone(ages, place);
    let all_are_old = ages.iter().all(|age| *age > report::SILENT);
    match collecting {
        Collecting::No(_) => Verdict::NotCollected,
        Collecting::Yes if is_alone => Verdict::Silent,
        Collecting::NotKnown(_) if is_alone || (is_old && all_are_old) => Verdict::NotKnown,
        Collecting::Yes if is_old && all_are_old => Verdict::Quiet,
        _ => Verdict::Sends,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;

    fn now() -> DateTime<Utc> {
        "2026-03-31T12:00:00Z".parse().unwrap()
    }

    fn told(asked_minutes: i64, collected_minutes: Option<i64>, state: &str) -> Collection {
        Collection {
            asked_at: Some(now() - TimeDelta::minutes(asked_minutes)),
            collected_at: collected_minutes.map(|minutes| now() - TimeDelta::minutes(minutes)),
            state: Some(state.to_owned()),
            message: Some("no licence".to_owned()),
        }
    }

    #[test]
    fn whether_it_collects_is_told_as_of_when_it_was_asked() {
        assert!(matches!(collecting(&Collection::default(), now()), Collecting::NotKnown(_)));
        assert_eq!(collecting(&told(5, Some(12), "InProgress"), now()), Collecting::Yes);
        // It was asked an hour ago, and had collected a quarter of an hour before.
        assert_eq!(collecting(&told(58, Some(74), "CompletedSuccessfully"), now()), Collecting::Yes);
        assert!(matches!(collecting(&told(200, Some(201), "CompletedWarning"), now()), Collecting::NotKnown(_)));
        assert!(matches!(collecting(&told(5, None, "InProgress"), now()), Collecting::NotKnown(_)));
        let failed = Collecting::No("its last collection failed: no licence".to_owned());
        assert_eq!(collecting(&told(5, Some(12), "Failed"), now()), failed);
        let stopped = Collecting::No("its last good collection ended 3 hours ago".to_owned());
        assert_eq!(collecting(&told(5, Some(185), "CompletedSuccessfully"), now()), stopped);
    }

    #[test]
    fn who_is_to_blame_for_silence() {
        let no = Collecting::No("x".to_owned());
        let unknown = Collecting::NotKnown("x");
        for (ages, collecting, expected) in [
            (&[30 * HOUR, HOUR, HOUR][..], &Collecting::Yes, Verdict::Silent),
            (&[30 * HOUR, HOUR, HOUR], &unknown, Verdict::NotKnown),
            (&[30 * HOUR, HOUR, HOUR], &no, Verdict::NotCollected),
            (&[25 * HOUR, HOUR], &Collecting::Yes, Verdict::Sends),
            (&[30 * HOUR, 20 * HOUR], &Collecting::Yes, Verdict::Sends),
            (&[2 * HOUR], &unknown, Verdict::Sends),
            (&[2 * HOUR], &no, Verdict::NotCollected),
            (&[60 * HOUR, 61 * HOUR], &Collecting::Yes, Verdict::Quiet),
            (&[60 * HOUR], &Collecting::Yes, Verdict::Quiet),
            (&[60 * HOUR], &unknown, Verdict::NotKnown),
            // Others may be silent for far longer: this one stands out less, and has nothing new all the same.
            (&[60 * HOUR, 400 * HOUR], &Collecting::Yes, Verdict::Quiet),
        ] {
            assert_eq!(verdict(ages, 0, ages[0], collecting), expected, "{ages:?} {collecting:?}");
        }
    }
}
