//! How current the data is: what was not read, and who has sent nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::ask::{median, read};
use super::views::SYNC_FRESHNESS;
use super::{Freshness, Period};
use crate::store::{Error, Views};

/// One kind of one backup server.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    pub(super) em: String,
    /// Empty for rows that name no server.
    pub(super) server: String,
    pub(super) kind: String,
    pub(super) scanned_at: Option<DateTime<Utc>>,
    /// When the newest session of it started. Its end mark says less: it begins where the first history was read.
    pub(super) newest: Option<DateTime<Utc>>,
    pub(super) lag_seconds: i64,
    /// How long ago its newest session started.
    pub(super) silent_seconds: Option<i64>,
}

/// `run` reads everything every 15 minutes, which takes it a while.
const READ_EVERY: i64 = 20 * 60;
const HOUR: i64 = 3600;
/// A nightly job's server may be silent for a day.
pub(crate) const SILENT: i64 = 26 * HOUR;
/// What is silent so many times as long as others are is silent alone.
const TIMES_OTHERS: i64 = 3;

pub(super) async fn streams(views: &dyn Views, as_of: DateTime<Utc>) -> Result<Vec<Stream>, Error> {
    let columns = ["em_name", "kind", "backup_server_name", "creation_mark", "scanned_at", "lag_seconds"];
    let rows = read(views, &SYNC_FRESHNESS, &columns, None, "", u32::MAX).await?;
    let rows = rows.sorted("em_name, backup_server_name, kind");
    let stream = |row: super::ask::Row<'_>| Stream {
        em: row.text("em_name").to_owned(),
        server: row.text("backup_server_name").to_owned(),
        kind: row.text("kind").to_owned(),
        scanned_at: row.time("scanned_at"),
        newest: row.time("creation_mark"),
        lag_seconds: row.int("lag_seconds").unwrap_or_default(),
        silent_seconds: row.time("creation_mark").map(|newest| (as_of - newest).num_seconds()),
    };
    Ok(rows.iter().map(stream).collect())
}

impl Stream {
    fn is_behind(&self) -> bool {
        self.lag_seconds > READ_EVERY
    }

    /// Whether its kind is what jobs leave night for night; restores and failovers come when someone wants them.
    fn is_regular(&self) -> bool {
        !matches!(self.kind.as_str(), "RestoreSession" | "CloudFailoverSession")
    }
}

/// What the head of every report says.
pub(super) fn freshness(streams: &[Stream], period: &Period) -> Freshness {
    let mut behind = unread(streams, period);
    behind.extend(
        silent_servers(streams).into_iter().map(|silent| {
            format!("{} has sent nothing that started since {}", silent.name(), period.show(silent.newest))
        }),
    );
    Freshness { read_until: streams.iter().filter_map(|stream| stream.scanned_at).min(), behind }
}

/// What was not read for longer than it should be, told once where it is the same for all of a server, or of all.
fn unread(streams: &[Stream], period: &Period) -> Vec<String> {
    let mut lines = Vec::new();
    let line = |what: String, streams: &[&Stream]| match streams.iter().filter_map(|stream| stream.scanned_at).max() {
        Some(scanned_at) => format!("{what} was last read at {}", period.show(scanned_at)),
        None => format!("{what} was never read to its end"),
    };
    for (em, all) in grouped(streams.iter(), |stream| stream.em.clone()) {
        if all.iter().all(|stream| stream.is_behind()) {
            lines.push(line(format!("Enterprise Manager {em}"), &all));
            continue;
        }
        for (server, all) in grouped(all.into_iter(), |stream| stream.server.clone()) {
            let behind: Vec<&Stream> = all.iter().copied().filter(|stream| stream.is_behind()).collect();
            let whose = if server.is_empty() { format!("{em} (no server)") } else { format!("server {server}") };
            if behind.len() == all.len() {
                lines.push(line(whose, &behind));
            } else if !behind.is_empty() {
                let kinds: BTreeSet<&str> = behind.iter().map(|stream| stream.kind.as_str()).collect();
                let kinds: Vec<&str> = kinds.into_iter().collect();
                lines.push(line(format!("{whose}: {}", kinds.join(", ")), &behind));
            }
        }
    }
    lines
}

fn grouped<'a, K: Ord>(
    streams: impl Iterator<Item = &'a Stream>,
    key: impl Fn(&Stream) -> K,
) -> BTreeMap<K, Vec<&'a Stream>> {
    let mut groups: BTreeMap<K, Vec<&Stream>> = BTreeMap::new();
    for stream in streams {
        groups.entry(key(stream)).or_default().push(stream);
    }
    groups
}

/// A server, or an Enterprise Manager with all of its servers, that has sent nothing for long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Silent {
    pub(super) em: String,
    /// `None` for all servers.
    pub(super) server: Option<String>,
    pub(super) newest: DateTime<Utc>,
    pub(super) silent_seconds: i64,
}

impl Silent {
    fn name(&self) -> String {
        match &self.server {
            Some(server) => format!("server {server}"),
            None => format!("Enterprise Manager {}", self.em),
        }
    }
}

/// Servers whose newest data is old, where that of others is not.
pub(super) fn silent_servers(streams: &[Stream]) -> Vec<Silent> {
    let mut silent = Vec::new();
    for (em, all) in grouped(streams.iter().filter(|stream| !stream.server.is_empty()), |stream| stream.em.clone()) {
        let servers: Vec<Silent> = grouped(all.into_iter(), |stream| stream.server.clone())
            .into_iter()
            .filter_map(|(server, streams)| {
                Some(Silent {
                    em: em.clone(),
                    server: Some(server),
                    newest: streams.iter().filter_map(|stream| stream.newest).max()?,
                    silent_seconds: streams.iter().filter_map(|stream| stream.silent_seconds).min()?,
                })
            })
            .collect();
        match servers.iter().min_by_key(|server| server.silent_seconds) {
            Some(newest) if servers.len() > 1 && newest.silent_seconds > SILENT => {
                silent.push(Silent { server: None, ..newest.clone() });
            }
            _ => {
                let ages: Vec<i64> = servers.iter().map(|server| server.silent_seconds).collect();
                let alone = servers.iter().enumerate().filter(|(n, _)| is_alone(&ages, *n));
                silent.extend(alone.map(|(_, server)| server.clone()));
            }
        }
    }
    silent
}

/// Streams of servers that do send, but nothing of this kind, where others send it.
pub(super) fn silent_streams(streams: &[Stream]) -> Vec<&Stream> {
    let silent = silent_servers(streams);
    let is_told = |stream: &Stream| {
        silent.iter().any(|told| told.em == stream.em && told.server.as_ref().is_none_or(|name| *name == stream.server))
    };
    let regular = streams.iter().filter(|stream| stream.is_regular() && !stream.server.is_empty());
    let mut found = Vec::new();
    for (_, all) in grouped(regular, |stream| (stream.em.clone(), stream.kind.clone())) {
        let dated: Vec<(&Stream, i64)> =
            all.into_iter().filter_map(|stream| Some((stream, stream.silent_seconds?))).collect();
        let ages: Vec<i64> = dated.iter().map(|(_, age)| *age).collect();
        // With nobody to compare it with, a kind may just be rare.
        let alone = dated.iter().enumerate().filter(|(n, _)| ages.len() > 1 && is_alone(&ages, *n));
        found.extend(alone.map(|(_, (stream, _))| *stream).filter(|stream| !is_told(stream)));
    }
    found
}

/// Whether one of several has been silent for long, by the ages of their newest data in seconds, and the others have not.
pub(crate) fn is_alone(ages: &[i64], n: usize) -> bool {
    let others = ages.iter().enumerate().filter(|(other, _)| *other != n).map(|(_, age)| *age).collect();
    ages[n] > SILENT && median(others).is_none_or(|others| ages[n] > TIMES_OTHERS * others)
}

/// How long the server has been silent that has been so longest.
pub(super) fn oldest(streams: &[Stream]) -> Option<TimeDelta> {
    let named = streams.iter().filter(|stream| !stream.server.is_empty());
    let ages = grouped(named, |stream| (stream.em.clone(), stream.server.clone()))
        .into_values()
        .filter_map(|streams| streams.iter().filter_map(|stream| stream.silent_seconds).min());
    ages.max().map(TimeDelta::seconds)
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-03-31T12:00:00Z".parse().unwrap()
    }

    fn stream(em: &str, server: &str, kind: &str, age_hours: i64, lag_minutes: i64) -> Stream {
        Stream {
            em: em.to_owned(),
            server: server.to_owned(),
            kind: kind.to_owned(),
            scanned_at: Some(now() - TimeDelta::minutes(lag_minutes)),
            newest: Some(now() - TimeDelta::hours(age_hours)),
            lag_seconds: lag_minutes * 60,
            silent_seconds: Some(age_hours * HOUR),
        }
    }

    fn behind(streams: &[Stream]) -> Vec<String> {
        let period = Period { since: now(), until: now(), as_of: now(), zone: Tz::UTC };
        freshness(streams, &period).behind
    }

    const TASK: &str = "BackupTaskSession";
    const REPLICA: &str = "ReplicaTaskSession";
    const RESTORE: &str = "RestoreSession";

    #[test]
    fn what_is_not_read_is_told_once_for_all_that_it_is_true_of() {
        let fresh = [stream("a", "x", TASK, 1, 2), stream("a", "y", TASK, 1, 19), stream("a", "y", RESTORE, 200, 19)];
        assert_eq!(behind(&fresh), Vec::<String>::new());
        let one_kind = [stream("a", "x", TASK, 1, 2), stream("a", "x", REPLICA, 1, 90)];
        assert_eq!(behind(&one_kind), ["server x: ReplicaTaskSession was last read at 2026-03-31 10:30"]);
        let one_server =
            [stream("a", "x", TASK, 1, 90), stream("a", "x", REPLICA, 1, 60), stream("a", "y", TASK, 1, 1)];
        assert_eq!(behind(&one_server), ["server x was last read at 2026-03-31 11:00"]);
        let all = [stream("a", "x", TASK, 1, 90), stream("a", "y", TASK, 1, 60), stream("b", "z", TASK, 1, 1)];
        assert_eq!(behind(&all), ["Enterprise Manager a was last read at 2026-03-31 11:00"]);
    }

    #[test]
    fn a_server_is_silent_only_where_others_are_not() {
        let one = [stream("a", "x", TASK, 30, 1), stream("a", "y", TASK, 2, 1), stream("a", "z", TASK, 3, 1)];
        assert_eq!(behind(&one), ["server x has sent nothing that started since 2026-03-30 06:00"]);
        // A nightly job is 25 hours old now and then; a weekend stops all of them.
        let night = [stream("a", "x", TASK, 25, 1), stream("a", "y", TASK, 2, 1)];
        assert_eq!(behind(&night), Vec::<String>::new());
        let weekly = [stream("a", "x", TASK, 30, 1), stream("a", "y", TASK, 20, 1)];
        assert_eq!(behind(&weekly), Vec::<String>::new());
        let weekend = [stream("a", "x", TASK, 60, 1), stream("a", "y", TASK, 62, 1)];
        assert_eq!(behind(&weekend), ["Enterprise Manager a has sent nothing that started since 2026-03-29 00:00"]);
        let restores = [stream("a", "x", RESTORE, 500, 1), stream("a", "x", TASK, 1, 1), stream("a", "y", TASK, 1, 1)];
        assert_eq!(behind(&restores), Vec::<String>::new());
        assert_eq!(behind(&[stream("a", "x", TASK, 30, 1)]).len(), 1);
    }

    #[test]
    fn a_stream_is_silent_where_the_same_kind_of_others_is_not() {
        let streams = [
            stream("a", "x", TASK, 1, 1),
            stream("a", "x", REPLICA, 90, 1),
            stream("a", "x", RESTORE, 90, 1),
            stream("a", "y", REPLICA, 2, 1),
            stream("a", "y", RESTORE, 2, 1),
            stream("a", "z", REPLICA, 40, 1),
            stream("a", "z", TASK, 40, 1),
        ];
        let silent: Vec<(&str, &str)> =
            silent_streams(&streams).iter().map(|stream| (stream.server.as_str(), stream.kind.as_str())).collect();
        // All that z sends is old: it is named as a server.
        assert_eq!(silent, [("x", REPLICA)]);
        assert_eq!(silent_servers(&streams).len(), 1);
    }

    #[test]
    fn all_is_read_until_its_stalest_stream_was() {
        let period = Period { since: now(), until: now(), as_of: now(), zone: Tz::UTC };
        let streams = [stream("a", "x", TASK, 1, 3), stream("a", "x", RESTORE, 400, 15)];
        assert_eq!(freshness(&streams, &period).read_until, Some(now() - TimeDelta::minutes(15)));
        assert_eq!(freshness(&[], &period).read_until, None);
        assert_eq!(oldest(&streams), Some(TimeDelta::hours(1)));
    }
}
