//! `vemsync backfill`: which history to read.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use clap::Args;

use crate::config::{Place, Problem};

/// Arguments of `backfill`.
#[derive(Debug, Clone, Args)]
pub struct BackfillArgs {
    /// From when: 2026-01-01 (UTC), or 2026-01-01T06:00:00+02:00
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub since: DateTime<Utc>,

    /// Up to when, exclusive [default: now]
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub until: Option<DateTime<Utc>>,

    /// Read what is done already as well
    #[arg(long)]
    pub again: bool,

    /// Read nothing: show how many rows there are
    #[arg(long)]
    pub dry_run: bool,
}

impl BackfillArgs {
    /// The range, `since` inclusive and `until` exclusive, for a command that starts at `now`.
    ///
    /// # Errors
    /// When the range is empty.
    pub fn range(&self, now: DateTime<Utc>) -> Result<(DateTime<Utc>, DateTime<Utc>), Problem> {
        let until = self.until.unwrap_or(now);
        if self.since < until {
            return Ok((self.since, until));
        }
        let what = format!("--since {} is not before {}", self.since.to_rfc3339(), until.to_rfc3339());
        Err(Problem::new(Place::Flag("backfill"), what, "give an earlier --since, or a later --until"))
    }
}

/// A day (its beginning in UTC) or a time with its zone. A time without a zone is refused, not guessed.
pub(super) fn date(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(day.and_time(NaiveTime::MIN).and_utc());
    }
    match DateTime::parse_from_rfc3339(text) {
        Ok(time) => Ok(time.to_utc()),
        Err(_) => Err("give a day such as 2026-01-01, or a time with its zone such as 2026-01-01T06:00:00Z".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_utc_and_a_time_needs_a_zone() {
        for (text, time) in [
            ("2026-01-01", Some("2026-01-01T00:00:00+00:00")),
            ("2026-01-01T06:00:00+02:00", Some("2026-01-01T04:00:00+00:00")),
            ("2026-01-01T06:00:00Z", Some("2026-01-01T06:00:00+00:00")),
            ("2026-01-01T06:00:00", None),
            ("2026-02-30", None),
            ("01.01.2026", None),
            ("yesterday", None),
        ] {
            assert_eq!(date(text).ok().map(|time| time.to_rfc3339()).as_deref(), time, "{text}");
        }
    }

    #[test]
    fn an_empty_range_is_refused() {
        let args = |since, until: Option<&str>| BackfillArgs {
            since: date(since).unwrap(),
            until: until.map(|until| date(until).unwrap()),
            again: false,
            dry_run: false,
        };
        let now = date("2026-03-01").unwrap();
        assert_eq!(args("2026-01-01", None).range(now).unwrap().1, now);
        assert!(args("2026-01-02", Some("2026-01-02")).range(now).is_err());
        assert!(args("2026-03-02", None).range(now).is_err());
    }
}
