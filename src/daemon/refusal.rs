//! When a logon that was refused may be tried again. Accounts lock: what is remembered here outlives the process.

use chrono::{DateTime, TimeDelta, Utc};

/// The pauses after the first refusal, the second, …; the last one stays.
const PAUSES: [TimeDelta; 4] =
    [TimeDelta::minutes(5), TimeDelta::minutes(10), TimeDelta::minutes(20), TimeDelta::minutes(30)];

/// In an hour it is tried so often at the most.
const AN_HOUR: usize = 3;

/// The earliest time for the next try, by the times of those that were refused, oldest first.
pub(super) fn next_try(refused: &[DateTime<Utc>]) -> Option<DateTime<Utc>> {
    let last = *refused.last()?;
    let paused = last + PAUSES[(refused.len() - 1).min(PAUSES.len() - 1)];
    let within_hour = refused.iter().rev().nth(AN_HOUR - 1).map(|third| *third + TimeDelta::hours(1));
    Some(within_hour.map_or(paused, |hour| hour.max(paused)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_no_hour_has_more_than_three() {
        let start = DateTime::<Utc>::UNIX_EPOCH;
        let mut tried = Vec::new();
        let mut now = start;
        while now < start + TimeDelta::hours(12) {
            tried.push(now);
            now = next_try(&tried).expect("one was refused");
        }
        let minutes: Vec<i64> = tried.iter().take(6).map(|at| (*at - start).num_minutes()).collect();
        assert_eq!(minutes, [0, 5, 15, 60, 90, 120]);
        for first in &tried {
            let hour = tried.iter().filter(|at| (*first..*first + TimeDelta::hours(1)).contains(at)).count();
            assert!(hour <= AN_HOUR, "{hour} tries from {first}");
        }
        assert_eq!(next_try(&[]), None);
    }
}
