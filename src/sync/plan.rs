//! Which servers are asked for together, and from when. Pure.
//!
//! One query covers all servers from the least of their starts, as long as what lies between fits a page or so.
//! Servers that would drag the start back over the others' rows are split off, several to a request.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::window::AIM;
use crate::store::Mark;

/// Servers that fit one request's URL, each with its own start.
pub(super) const SERVERS_A_REQUEST: usize = 12;

/// One server's part of a scan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Start {
    /// The server; nil for rows that name none.
    pub server: Uuid,
    /// Where its scan has to begin.
    pub from: DateTime<Utc>,
    /// How dense its stream was when last read.
    pub rows_per_hour: f64,
}

/// A scan's requests.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Plan {
    /// All servers, from here on.
    pub main: Option<DateTime<Utc>>,
    /// Servers with starts of their own.
    pub apart: Vec<Vec<Start>>,
}

/// The cheapest plan, in requests, for these starts.
#[must_use]
pub(super) fn plan(mut starts: Vec<Start>, page_size: u32, now: DateTime<Utc>) -> Plan {
    // Rows that name no server cannot be asked for apart. They ride along: what a silent server delivers late comes
    // with that server's own start, whether the rows name it or not.
    if starts.iter().any(|start| !start.server.is_nil()) {
        starts.retain(|start| !start.server.is_nil());
    }
    starts.sort_by_key(|start| (start.from, start.server));
    let density: f64 = starts.iter().map(|start| start.rows_per_hour).sum();
    let hours = |start: &Start| ((now - start.from).as_seconds_f64() / 3600.0).max(0.0);
    let cost = |apart: usize| {
        let group =
            |group: &[Start]| requests(group.iter().map(|start| start.rows_per_hour * hours(start)).sum(), page_size);
        let groups: f64 = starts[..apart].chunks(SERVERS_A_REQUEST).map(group).sum();
        requests(density * hours(&starts[apart]), page_size) + groups
    };
    let cheapest = (0..starts.len()).min_by(|a, b| cost(*a).total_cmp(&cost(*b))).unwrap_or_default();
    Plan {
        main: starts.get(cheapest).map(|start| start.from),
        apart: starts[..cheapest].chunks(SERVERS_A_REQUEST).map(<[Start]>::to_vec).collect(),
    }
}

/// Requests for that many rows: one, if they fit a page; if not, the one that finds this out, and then the parts.
fn requests(rows: f64, page_size: u32) -> f64 {
    let aim = f64::from((page_size * AIM / 100).max(1));
    if rows <= aim { 1.0 } else { 1.0 + (rows / aim).ceil() }
}

/// Over how long a density is averaged.
const MEMORY_HOURS: f64 = 7.0 * 24.0;

/// The density of a stream after a scan. A scan sees little of a quiet stream, so the new figure counts only as much as
/// the time that passed since the last one; a scan over a week or more stands for itself.
#[must_use]
pub(super) fn blend(old: Option<&Mark>, fresh: f64, scanned_hours: f64, now: DateTime<Utc>) -> f64 {
    let Some(old) = old.filter(|_| scanned_hours < MEMORY_HOURS) else {
        return fresh;
    };
    let passed = (now - old.scanned_at).as_seconds_f64() / 3600.0;
    let weight = (passed / MEMORY_HOURS).clamp(0.0, 1.0);
    old.rows_per_hour * (1.0 - weight) + fresh * weight
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::store::Field;
    use crate::timestamp::parse;

    fn now() -> DateTime<Utc> {
        parse("2025-06-01T12:00:00Z").expect("a time")
    }

    fn start(server: u128, hours_ago: i64, rows_per_hour: f64) -> Start {
        Start { server: Uuid::from_u128(server), from: now() - TimeDelta::hours(hours_ago), rows_per_hour }
    }

    #[test]
    fn sparse_streams_are_one_query_from_the_oldest_start() {
        let plan = plan(vec![start(1, 2, 1.0), start(2, 90, 0.0), start(3, 30, 1.0)], 500, now());
        assert_eq!(plan, Plan { main: Some(now() - TimeDelta::hours(90)), apart: vec![] });
    }

    #[test]
    fn a_silent_server_is_split_off_from_dense_ones() {
        let silent = start(2, 90, 0.0);
        let plan = plan(vec![start(1, 2, 200.0), silent, start(3, 3, 200.0)], 500, now());
        assert_eq!(plan.apart, vec![vec![silent]]);
        assert_eq!(plan.main, Some(now() - TimeDelta::hours(3)));
    }

    #[test]
    fn any_number_of_current_servers_is_one_query() {
        let starts = (1..500).map(|server| start(server, 2, 1.0)).collect();
        assert_eq!(plan(starts, 500, now()), Plan { main: Some(now() - TimeDelta::hours(2)), apart: vec![] });
    }

    #[test]
    fn many_silent_servers_share_requests() {
        let starts = (1..=30).map(|server| start(server, 900, 0.0)).chain([start(99, 2, 1000.0)]).collect();
        let plan = plan(starts, 500, now());
        assert_eq!(plan.apart.iter().map(Vec::len).collect::<Vec<_>>(), [12, 12, 6]);
    }

    #[test]
    fn rows_without_a_server_ride_along() {
        let silent = start(2, 100, 0.0);
        let with_others = plan(vec![start(0, 90, 0.0), start(1, 2, 1000.0), silent], 500, now());
        assert_eq!(with_others, Plan { main: Some(now() - TimeDelta::hours(2)), apart: vec![vec![silent]] });
        let alone = plan(vec![start(0, 90, 0.0)], 500, now());
        assert_eq!(alone, Plan { main: Some(now() - TimeDelta::hours(90)), apart: vec![] });
        assert_eq!(plan(vec![], 500, now()), Plan::default());
    }

    #[test]
    fn a_kind_of_two_pages_is_not_asked_for_from_the_floor() {
        let dense = start(1, 10, 0.35);
        let never_seen = Start { rows_per_hour: 0.0, ..start(2, 90 * 24, 0.0) };
        assert_eq!(plan(vec![dense, never_seen], 500, now()).apart, vec![vec![never_seen]]);
        let sparse = start(1, 10, 0.1);
        assert_eq!(plan(vec![sparse, never_seen], 500, now()).apart, Vec::<Vec<Start>>::new());
    }

    #[test]
    fn a_quiet_hour_does_not_make_a_stream_sparse() {
        let mark = Mark {
            server: Uuid::nil(),
            field: Field::Creation,
            mark: now() - TimeDelta::hours(1),
            scanned_at: now() - TimeDelta::hours(1),
            overlap_seconds: 7200,
            rows_per_hour: 0.0,
        };
        let old = Mark { rows_per_hour: 10.0, ..mark };
        let later = blend(Some(&old), 0.0, 20.0, now());
        assert!(later > 9.9 && later < 10.0, "{later}");
        assert_eq!(blend(Some(&old), 3.0, 200.0, now()), 3.0);
        assert_eq!(blend(None, 4.0, 2.0, now()), 4.0);
    }
}
