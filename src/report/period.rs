//! The time that a report speaks of: how people write it, and which days it has in their zone.

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};

use super::find::nearest;
use super::{Period, form};
use crate::config::{Place, Problem};
use crate::store::{Cell, Filter};

/// The time that a report speaks of where nothing else is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    /// So much time up to now, or to `--until`.
    Last(TimeDelta),
    /// How things stand now; what was last seen longer ago than this is left out.
    Now(TimeDelta),
    /// The last calendar month that is over.
    Month,
}

/// A point in time as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// The beginning of a day in the report's zone.
    Day(NaiveDate),
    /// A moment.
    At(DateTime<Utc>),
    /// So long ago.
    Ago(TimeDelta),
}

const YEARS: std::ops::RangeInclusive<i32> = 1970..=9999;
/// Dates that far back are within the range of every calendar calculation here.
const LONGEST: TimeDelta = TimeDelta::days(50 * 366);

impl When {
    /// Reads `2026-03-01`, `2026-03-01T06:00:00Z` or `7d`.
    pub(super) fn parse(flag: &'static str, text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        let when = if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            YEARS.contains(&day.year()).then_some(Self::Day(day))
        } else if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            Some(Self::At(time.to_utc())).filter(|_| YEARS.contains(&time.year()))
        } else {
            let span = humantime::parse_duration(text).ok().and_then(|span| TimeDelta::from_std(span).ok());
            span.filter(|span| *span <= LONGEST).map(Self::Ago)
        };
        when.ok_or_else(|| {
            let start: String = text.chars().take(60).collect();
            let mend = "give a day such as 2026-03-01, a time with its zone such as 2026-03-01T06:00:00Z, or a span \
                        such as 7d or 24h";
            Problem::new(Place::Flag(flag), format!("\"{start}\" is no time"), mend)
        })
    }

    fn resolve(self, as_of: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
        match self {
            Self::Day(day) => day_start(zone, day),
            Self::At(time) => time,
            Self::Ago(span) => as_of - span,
        }
    }
}

/// The zone of that IANA name, in any case.
///
/// # Errors
/// If there is none, with the nearest names.
pub fn zone(name: &str) -> Result<Tz, Problem> {
    if let Some(zone) = TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(name.trim())) {
        return Ok(*zone);
    }
    let near = nearest(name, TZ_VARIANTS.iter().map(|zone| zone.name()));
    let mend = if near.is_empty() {
        "give a name such as Europe/Berlin".to_owned()
    } else {
        format!("did you mean {}?", near.join(", "))
    };
    let start: String = name.chars().take(60).collect();
    Err(Problem::new(Place::Flag("--time-zone"), format!("there is no time zone \"{start}\""), mend))
}

impl Period {
    pub(super) fn new(
        span: Span,
        since: Option<When>,
        until: Option<When>,
        as_of: DateTime<Utc>,
        zone: Tz,
    ) -> Result<Self, Problem> {
        if let (Span::Now(_), Some(_)) = (span, until) {
            let what = "this report says how things stand now";
            return Err(Problem::new(Place::Flag("--until"), what, "leave it out"));
        }
        if let (Span::Month, None, None) = (span, since, until) {
            let this = first_of_month(as_of.with_timezone(&zone).date_naive());
            let last = first_of_month(this - Days::new(1));
            return Ok(Self { since: day_start(zone, last), until: day_start(zone, this), as_of, zone });
        }
        let until = until.map_or(as_of, |until| until.resolve(as_of, zone).min(as_of));
        let since = match (since, span) {
            (Some(since), _) => since.resolve(as_of, zone),
            (None, Span::Last(length) | Span::Now(length)) => until - length,
            (None, Span::Month) => {
                let last = (until - TimeDelta::microseconds(1)).with_timezone(&zone).date_naive();
                day_start(zone, first_of_month(last))
            }
        };
        let period = Self { since, until, as_of, zone };
        if since < until {
            return Ok(period);
        }
        let what = format!("{} is not before {}, where the period ends", period.show(since), period.show(until));
        Err(Problem::new(Place::Flag("--since"), what, "give an earlier --since, or a later --until"))
    }

    /// The day of a moment, in the report's zone.
    pub(super) fn day_of(&self, time: DateTime<Utc>) -> NaiveDate {
        time.with_timezone(&self.zone).date_naive()
    }

    /// When a day begins in the report's zone.
    pub(super) fn day_start(&self, day: NaiveDate) -> DateTime<Utc> {
        day_start(self.zone, day)
    }

    /// The last days of the period, oldest first; the first and the last may be there in part. No more than so many.
    pub(super) fn days(&self, most: u16) -> Vec<NaiveDate> {
        let first = self.day_of(self.since);
        let days = self.last_days(most);
        days.into_iter().filter(|day| *day >= first).collect()
    }

    /// So many days up to the one in which the period ends, oldest first.
    pub(super) fn last_days(&self, count: u16) -> Vec<NaiveDate> {
        let last = self.day_of(self.until - TimeDelta::microseconds(1));
        (0..u64::from(count)).rev().filter_map(|back| last.checked_sub_days(Days::new(back))).collect()
    }

    /// Only rows whose time lies in the period.
    pub(super) fn within(&self, column: &'static str) -> [Filter; 2] {
        [Filter::From(column, Cell::Time(self.since)), Filter::Before(column, Cell::Time(self.until))]
    }

    /// Only rows whose day, in UTC, the period touches.
    pub(super) fn within_days(&self, column: &'static str) -> [Filter; 2] {
        let last = (self.until - TimeDelta::microseconds(1)).date_naive();
        [
            Filter::From(column, Cell::Day(self.since.date_naive())),
            Filter::Before(column, Cell::Day(last + Days::new(1))),
        ]
    }

    /// Only rows whose month the period touches, by the zone's calendar.
    pub(super) fn within_months(&self, column: &'static str) -> [Filter; 2] {
        let last = self.day_of(self.until - TimeDelta::microseconds(1));
        [
            Filter::From(column, Cell::Day(first_of_month(self.day_of(self.since)))),
            Filter::Before(column, Cell::Day(last + Days::new(1))),
        ]
    }

    /// A moment for people, to the minute.
    pub(super) fn show(&self, time: DateTime<Utc>) -> String {
        form::value::time(time, self.zone)
    }

    /// The time of day of a moment.
    pub(super) fn time_of_day(&self, time: DateTime<Utc>) -> NaiveTime {
        time.with_timezone(&self.zone).time()
    }
}

fn first_of_month(day: NaiveDate) -> NaiveDate {
    day.with_day(1).expect("every month has a first")
}

/// The first moment of a day: midnight, or what follows it where the clocks skip midnight.
fn day_start(zone: Tz, day: NaiveDate) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    // A zone that changed sides of the date line skipped a whole day.
    let quarters = (0..=2 * 24 * 4).map(|n| midnight + TimeDelta::minutes(15 * n));
    let first = quarters.into_iter().find_map(|local| zone.from_local_datetime(&local).earliest());
    first.expect("no zone skips two days").to_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn period(span: Span, since: Option<&str>, until: Option<&str>, zone: Tz) -> Result<Period, Problem> {
        let when = |flag, text: Option<&str>| text.map(|text| When::parse(flag, text).unwrap());
        Period::new(span, when("--since", since), when("--until", until), time("2026-03-31T12:00:00Z"), zone)
    }

    fn shown(period: Period) -> String {
        let show = |time: DateTime<Utc>| time.format("%Y-%m-%dT%H:%M").to_string();
        format!("{} {}", show(period.since), show(period.until))
    }

    #[test]
    fn periods_are_days_of_the_zone_moments_or_spans() {
        let day = Span::Last(TimeDelta::hours(24));
        for (span, since, until, zone, expected) in [
            (day, None, None, Tz::UTC, "2026-03-30T12:00 2026-03-31T12:00"),
            (day, Some("7d"), None, Tz::UTC, "2026-03-24T12:00 2026-03-31T12:00"),
            (day, None, Some("2d"), Tz::UTC, "2026-03-28T12:00 2026-03-29T12:00"),
            (day, Some("2026-03-01"), None, Tz::UTC, "2026-03-01T00:00 2026-03-31T12:00"),
            // The clocks of Berlin went forward on the 29th.
            (day, Some("2026-03-29"), Some("2026-03-30"), Tz::Europe__Berlin, "2026-03-28T23:00 2026-03-29T22:00"),
            (day, Some("2026-03-01T06:00:00+02:00"), Some("2026-03-02"), Tz::UTC, "2026-03-01T04:00 2026-03-02T00:00"),
            (day, Some("2026-03-30"), Some("2027-01-01"), Tz::UTC, "2026-03-30T00:00 2026-03-31T12:00"),
            (Span::Now(TimeDelta::days(30)), None, None, Tz::UTC, "2026-03-01T12:00 2026-03-31T12:00"),
            (Span::Month, None, None, Tz::UTC, "2026-02-01T00:00 2026-03-01T00:00"),
            (Span::Month, None, None, Tz::Europe__Berlin, "2026-01-31T23:00 2026-02-28T23:00"),
            (Span::Month, None, Some("2026-02-01"), Tz::UTC, "2026-01-01T00:00 2026-02-01T00:00"),
            (Span::Month, Some("2025-12-01"), None, Tz::UTC, "2025-12-01T00:00 2026-03-31T12:00"),
        ] {
            assert_eq!(shown(period(span, since, until, zone).unwrap()), expected, "{since:?} {until:?} {zone}");
        }
    }

    #[test]
    fn an_empty_period_is_refused_and_so_is_an_end_where_now_is_meant() {
        let day = Span::Last(TimeDelta::hours(24));
        for (span, since, until, flag) in [
            (day, Some("2026-03-02"), Some("2026-03-02"), "--since"),
            (day, Some("2026-03-02"), Some("2026-03-01"), "--since"),
            (day, Some("2026-04-01"), None, "--since"),
            (day, Some("0s"), None, "--since"),
            (Span::Now(TimeDelta::days(30)), None, Some("2026-03-01"), "--until"),
        ] {
            let problem = period(span, since, until, Tz::UTC).unwrap_err();
            assert_eq!(problem.place, Place::Flag(flag), "{problem}");
        }
    }

    #[test]
    fn what_is_no_time_is_said_with_what_would_be_one() {
        for text in ["yesterday", "2026-02-30", "01.03.2026", "2026-03-01T06:00:00", "", "-7d", "7", "99999999999d"] {
            let problem = When::parse("--since", text).unwrap_err();
            assert!(problem.to_string().starts_with("--since: \""), "{problem}");
            assert!(problem.mend.contains("2026-03-01"), "{problem}");
        }
        for text in ["+262000-01-01", "1969-12-31", "0000-01-01T00:00:00Z", "60y"] {
            assert!(When::parse("--until", text).is_err(), "{text}");
        }
    }

    #[test]
    fn zones_go_by_their_names_in_any_case() {
        assert_eq!(zone("europe/BERLIN").unwrap(), Tz::Europe__Berlin);
        for (written, offered) in
            [("Berlin", "Europe/Berlin"), ("Europe/Berln", "Europe/Berlin"), ("Asia/Calcuta", "Asia/Calcutta")]
        {
            let problem = zone(written).unwrap_err();
            assert!(problem.mend.starts_with(&format!("did you mean {offered}")), "{problem}");
        }
        assert!(zone("").unwrap_err().mend.contains("Europe/Berlin"));
        assert!(zone("12345").unwrap_err().mend.contains("Europe/Berlin"));
    }

    #[test]
    fn days_follow_the_zone_and_its_clock_changes() {
        let hours = |zone: Tz, day: &str| {
            let day: NaiveDate = day.parse().unwrap();
            (day_start(zone, day + Days::new(1)) - day_start(zone, day)).num_hours()
        };
        for (zone, day, expected) in [
            (Tz::Europe__Berlin, "2026-03-28", 24),
            (Tz::Europe__Berlin, "2026-03-29", 23),
            (Tz::Europe__Berlin, "2026-10-25", 25),
            (Tz::America__New_York, "2026-03-08", 23),
            (Tz::America__New_York, "2026-11-01", 25),
            // Midnight itself is skipped, and is there twice.
            (Tz::Africa__Cairo, "2026-04-24", 23),
            (Tz::Africa__Cairo, "2026-10-29", 25),
            (Tz::Asia__Kolkata, "2026-03-29", 24),
        ] {
            assert_eq!(hours(zone, day), expected, "{zone} {day}");
        }
        // Samoa had no 30 December 2011.
        let (before, after) = ("2011-12-30".parse().unwrap(), "2011-12-31".parse().unwrap());
        assert_eq!(day_start(Tz::Pacific__Apia, before), day_start(Tz::Pacific__Apia, after));

        let period = period(Span::Last(TimeDelta::days(3)), None, Some("2026-03-30"), Tz::Europe__Berlin).unwrap();
        let days: Vec<String> = period.days(14).iter().map(ToString::to_string).collect();
        // Three times 24 hours before the 30th is an hour before the 27th, since the 29th has 23.
        assert_eq!(days, ["2026-03-26", "2026-03-27", "2026-03-28", "2026-03-29"]);
        assert_eq!(period.days(2).len(), 2);
        assert_eq!(period.day_of(time("2026-03-29T21:59:59Z")).to_string(), "2026-03-29");
        assert_eq!(period.day_of(time("2026-03-29T22:00:00Z")).to_string(), "2026-03-30");
        assert_eq!(period.show(time("2026-03-29T01:30:00Z")), "2026-03-29 03:30");
    }

    #[test]
    fn views_by_day_are_asked_for_the_days_in_utc_that_the_period_touches() {
        let period =
            period(Span::Last(TimeDelta::days(1)), Some("2026-03-02"), Some("2026-03-03"), Tz::Europe__Berlin).unwrap();
        let day = |text: &str| Cell::Day(text.parse().unwrap());
        let from = |day| Filter::From("day", day);
        let before = |day| Filter::Before("day", day);
        assert_eq!(period.within_days("day"), [from(day("2026-03-01")), before(day("2026-03-03"))]);
        assert_eq!(period.within_months("day"), [from(day("2026-03-01")), before(day("2026-03-03"))]);
    }
}
