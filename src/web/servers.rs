//! Whether a backup server that sends nothing is to blame, or Enterprise Manager, which no longer asks it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::report::{self, Tone};
use crate::store::{Collects, ManagerStatus, StreamStatus};

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
    let collects = manager.collection.goes_on(now);
    let mut place = 0;
    for (server, age) in servers.iter_mut().zip(ages) {
        let Some(age) = age else { continue };
        server.verdict = verdict(&known, place, age, &collects);
        place += 1;
    }
    servers
}

fn verdict(ages: &[i64], place: usize, age: i64, collects: &Collects) -> Verdict {
    let is_old = age > report::SILENT;
    let is_alone = ages.len() > 1 && report::is_alone(ages, place);
    let all_are_old = ages.iter().all(|age| *age > report::SILENT);
    match collects {
        Collects::No(_) => Verdict::NotCollected,
        Collects::Yes if is_alone => Verdict::Silent,
        Collects::NotKnown(_) if is_alone || (is_old && all_are_old) => Verdict::NotKnown,
        Collects::Yes if is_old && all_are_old => Verdict::Quiet,
        _ => Verdict::Sends,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;

    #[test]
    fn who_is_to_blame_for_silence() {
        let no = Collects::No("x".to_owned());
        let unknown = Collects::NotKnown("x".to_owned());
        for (ages, collects, expected) in [
            (&[30 * HOUR, HOUR, HOUR][..], &Collects::Yes, Verdict::Silent),
            (&[30 * HOUR, HOUR, HOUR], &unknown, Verdict::NotKnown),
            (&[30 * HOUR, HOUR, HOUR], &no, Verdict::NotCollected),
            (&[25 * HOUR, HOUR], &Collects::Yes, Verdict::Sends),
            (&[30 * HOUR, 20 * HOUR], &Collects::Yes, Verdict::Sends),
            (&[2 * HOUR], &unknown, Verdict::Sends),
            (&[2 * HOUR], &no, Verdict::NotCollected),
            (&[60 * HOUR, 61 * HOUR], &Collects::Yes, Verdict::Quiet),
            (&[60 * HOUR], &Collects::Yes, Verdict::Quiet),
            (&[60 * HOUR], &unknown, Verdict::NotKnown),
            // Others may be silent for far longer: this one stands out less, and has nothing new all the same.
            (&[60 * HOUR, 400 * HOUR], &Collects::Yes, Verdict::Quiet),
        ] {
            assert_eq!(verdict(ages, 0, ages[0], collects), expected, "{ages:?} {collects:?}");
        }
    }
}
