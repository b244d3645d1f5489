//! Time as Enterprise Manager writes it: steps of 100 ns, so that all seven digits of a fraction are exact.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, Timelike as _, Utc};

const PER_SECOND: i64 = 10_000_000;

/// A moment, counted in steps of 100 ns from the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticks(i64);

impl Ticks {
    /// Before every session.
    pub const MIN: Ticks = Ticks(i64::MIN / 4);

    /// This moment; what is finer than 100 ns is cut.
    #[must_use]
    pub fn from_utc(time: DateTime<Utc>) -> Ticks {
        Ticks(time.timestamp() * PER_SECOND + i64::from(time.timestamp_subsec_nanos() / 100))
    }

    /// The same moment as a date.
    #[must_use]
    pub fn utc(self) -> DateTime<Utc> {
        let nanos = u32::try_from(self.0.rem_euclid(PER_SECOND) * 100).expect("below one second");
        DateTime::from_timestamp(self.0.div_euclid(PER_SECOND), nanos).unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    /// This many seconds later.
    #[must_use]
    pub fn plus_secs(self, secs: i64) -> Ticks {
        Ticks(self.0 + secs * PER_SECOND)
    }

    /// This many steps of 100 ns later.
    #[must_use]
    pub fn plus(self, ticks: i64) -> Ticks {
        Ticks(self.0 + ticks)
    }

    /// Steps of 100 ns between the two, negative if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Ticks) -> i64 {
        self.0 - earlier.0
    }

    /// The start of the second.
    #[must_use]
    pub fn whole_second(self) -> Ticks {
        Ticks(self.0.div_euclid(PER_SECOND) * PER_SECOND)
    }

    /// The last multiple of `secs`, counted from `phase_secs`, at or before this moment.
    #[must_use]
    pub fn floor_to(self, secs: i64, phase_secs: i64) -> Ticks {
        let (step, phase) = (secs * PER_SECOND, phase_secs * PER_SECOND);
        Ticks((self.0 - phase).div_euclid(step) * step + phase)
    }

    /// As the API writes it: trailing zeros of the fraction are trimmed, and the point with the last of them.
    #[must_use]
    pub fn wire(self) -> String {
        let mut text = String::with_capacity(28);
        self.write(&mut text, 'T');
        self.write_fraction(&mut text);
        text.push('Z');
        text
    }

    /// As it stands in the name of a session: a space, no zone, and a fraction only from version 13 on.
    #[must_use]
    pub fn in_name(self, fraction: bool) -> String {
        let mut text = String::with_capacity(28);
        self.write(&mut text, ' ');
        if fraction {
            // Names carry what a database with microseconds keeps.
            Ticks(self.0.div_euclid(10) * 10).write_fraction(&mut text);
        }
        text
    }

    /// As the database must hold it: floored to the microsecond, always six digits.
    #[must_use]
    pub fn canonical(self) -> String {
        let mut text = String::with_capacity(28);
        self.write(&mut text, 'T');
        let _ = write!(text, ".{:06}Z", self.0.rem_euclid(PER_SECOND) / 10);
        text
    }

    fn write(self, text: &mut String, separator: char) {
        let time = self.utc();
        let _ = write!(
            text,
            "{:04}-{:02}-{:02}{separator}{:02}:{:02}:{:02}",
            time.year(),
            time.month(),
            time.day(),
            time.hour(),
            time.minute(),
            time.second()
        );
    }

    fn write_fraction(self, text: &mut String) {
        let fraction = self.0.rem_euclid(PER_SECOND);
        if fraction != 0 {
            let _ = write!(text, ".{fraction:07}");
            text.truncate(text.trim_end_matches('0').len());
        }
    }

    /// Reads what filters may hold: a date, or a date and a time with or without fraction and zone.
    #[must_use]
    pub fn parse(text: &str) -> Option<Ticks> {
        if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Some(Ticks::from_utc(date.and_hms_opt(0, 0, 0)?.and_utc()));
        }
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Some(Ticks::from_utc(time.to_utc()));
        }
        let bare = text.strip_suffix(['Z', 'z']).unwrap_or(text);
        ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(bare, format).ok())
            .map(|time| Ticks::from_utc(time.and_utc()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_and_written_to_seven_digits() {
        for (text, wire, canonical) in [
            ("2026-03-01", "2026-03-01T00:00:00Z", "2026-03-01T00:00:00.000000Z"),
            ("2026-03-01T04:05:06", "2026-03-01T04:05:06Z", "2026-03-01T04:05:06.000000Z"),
            ("2026-03-01T04:05:06.7400000Z", "2026-03-01T04:05:06.74Z", "2026-03-01T04:05:06.740000Z"),
            ("2026-03-01T04:05:06.9999999Z", "2026-03-01T04:05:06.9999999Z", "2026-03-01T04:05:06.999999Z"),
            ("2026-03-01 04:05:06.1", "2026-03-01T04:05:06.1Z", "2026-03-01T04:05:06.100000Z"),
        ] {
            let time = Ticks::parse(text).unwrap();
            assert_eq!((time.wire().as_str(), time.canonical().as_str()), (wire, canonical));
        }
        assert_eq!(Ticks::parse("yesterday"), None);
        assert_eq!(Ticks::parse("2026-03-01T04:05:06.25Z").unwrap().in_name(true), "2026-03-01 04:05:06.25");
    }
}
