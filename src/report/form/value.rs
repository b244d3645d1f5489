//! Values as people read them.

use chrono::{DateTime, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

use crate::report::{Period, Tone, Unit};
use crate::store::Cell;

/// What stands where nothing is known.
pub const NOTHING: &str = "–";

/// A value in words. Text is returned as it is: whoever shows it makes it safe for where it is shown.
#[must_use]
pub fn text(cell: &Cell, unit: Unit, zone: Tz) -> String {
    match cell {
        Cell::Null => NOTHING.to_owned(),
        Cell::Text(text) => text.clone(),
        Cell::Uid(uid) => uid.to_string(),
        Cell::Int(value) => integer(*value, unit),
        Cell::Real(value) => real(*value, unit),
        Cell::Time(moment) => time(*moment, zone),
        Cell::Day(day) if unit == Unit::Month => day.format("%Y-%m").to_string(),
        Cell::Day(day) => day.to_string(),
        Cell::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
    }
}

fn integer(value: i64, unit: Unit) -> String {
    match unit {
        Unit::Count => grouped(value),
        Unit::Seconds => seconds(value),
        Unit::Hours => hours(value),
        Unit::Bytes | Unit::Change | Unit::Percent | Unit::Times => real(value as f64, unit),
        Unit::Text | Unit::Message | Unit::Result | Unit::Time | Unit::Day | Unit::Month | Unit::Bool => {
            value.to_string()
        }
    }
}

fn real(value: f64, unit: Unit) -> String {
    if !value.is_finite() {
        return NOTHING.to_owned();
    }
    match unit {
        Unit::Percent => percent(value),
        Unit::Times => format!("{value:.1} ×"),
        Unit::Bytes => bytes(value),
        Unit::Change if value > 0.0 => format!("+{}", bytes(value)),
        Unit::Change => bytes(value),
        Unit::Count | Unit::Seconds | Unit::Hours => integer(whole(value), unit),
        Unit::Text | Unit::Message | Unit::Result | Unit::Time | Unit::Day | Unit::Month | Unit::Bool => {
            value.to_string()
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "what is too large becomes the largest")]
fn whole(value: f64) -> i64 {
    value.round() as i64
}

/// Digits in groups of three.
fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = minus(value < 0).to_owned();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Cut, never rounded up: what is not all does not say 100 %.
fn percent(value: f64) -> String {
    if value == 100.0 || value == 0.0 {
        return format!("{value:.0} %");
    }
    let rounded = (value * 10.0).round() / 10.0;
    format!("{:.1} %", if rounded > value { rounded - 0.1 } else { rounded })
}

fn bytes(value: f64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let sign = minus(value < 0.0);
    let mut size = value.abs();
    if size < 1023.5 {
        return format!("{sign}{size:.0} B");
    }
    let mut unit = UNITS[0];
    size /= 1024.0;
    // 1023.96 would be shown as 1024.0.
    for larger in &UNITS[1..] {
        if size < 1023.95 {
            break;
        }
        (unit, size) = (larger, size / 1024.0);
    }
    format!("{sign}{size:.1} {unit}")
}

fn seconds(value: i64) -> String {
    let sign = minus(value < 0);
    let seconds = value.unsigned_abs();
    match seconds {
        0..60 => format!("{sign}{seconds} s"),
        60..3_600 => format!("{sign}{} min {:02} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{sign}{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{sign}{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

fn hours(value: i64) -> String {
    let sign = minus(value < 0);
    let hours = value.unsigned_abs();
    if hours < 24 { format!("{sign}{hours} h") } else { format!("{sign}{} d {} h", hours / 24, hours % 24) }
}

fn minus(is_negative: bool) -> &'static str {
    if is_negative { "−" } else { "" }
}

/// A moment to the minute. In the hour that the clock shows twice, the difference to UTC says which of them is meant.
#[must_use]
pub fn time(moment: DateTime<Utc>, zone: Tz) -> String {
    let local = moment.with_timezone(&zone);
    let is_twice = zone.from_local_datetime(&local.naive_local()).single().is_none();
    local.format(if is_twice { "%Y-%m-%d %H:%M %:z" } else { "%Y-%m-%d %H:%M" }).to_string()
}

/// From when to when: in whole days, the last included, where it begins and ends with a day.
#[must_use]
pub fn period(period: &Period) -> String {
    let [since, until] = [period.since, period.until].map(|moment| moment.with_timezone(&period.zone));
    let last = period.until.checked_sub_signed(TimeDelta::nanoseconds(1)).unwrap_or(period.until);
    let last = last.with_timezone(&period.zone).date_naive();
    let is_midnight = |local: &DateTime<Tz>| local.time() == NaiveTime::MIN;
    if is_midnight(&since) && is_midnight(&until) && since.date_naive() <= last {
        let first = since.date_naive();
        return if first == last { first.to_string() } else { format!("{first} to {last}") };
    }
    format!("{} to {}", time(period.since, period.zone), time(period.until, period.zone))
}

/// Whether a result is good news.
#[must_use]
pub fn tone(cell: &Cell, unit: Unit) -> Tone {
    match cell {
        Cell::Text(result) if unit == Unit::Result => match result.as_str() {
            "Success" => Tone::Good,
            "Warning" => Tone::Warning,
            "Failed" => Tone::Bad,
            _ => Tone::Plain,
        },
        _ => Tone::Plain,
    }
}

/// Whether values of this unit stand to the right, under each other.
#[must_use]
pub fn is_number(unit: Unit) -> bool {
    matches!(unit, Unit::Count | Unit::Percent | Unit::Times | Unit::Bytes | Unit::Change | Unit::Seconds | Unit::Hours)
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use chrono_tz::{Europe::Berlin, UTC};

    use super::*;

    const KIB: i64 = 1024;

    #[test]
    fn values_are_shown_in_their_unit() {
        for (cell, unit, expected) in [
            (Cell::Null, Unit::Bytes, "–"),
            (Cell::Text("a\nb".into()), Unit::Text, "a\nb"),
            (Cell::Text("not a number".into()), Unit::Bytes, "not a number"),
            (Cell::Int(0), Unit::Count, "0"),
            (Cell::Int(999), Unit::Count, "999"),
            (Cell::Int(-1_234_567), Unit::Count, "−1,234,567"),
            (Cell::Int(i64::MIN), Unit::Count, "−9,223,372,036,854,775,808"),
            (Cell::Real(2.6), Unit::Count, "3"),
            (Cell::Int(2026), Unit::Text, "2026"),
            (Cell::Real(0.25), Unit::Text, "0.25"),
            (Cell::Int(0), Unit::Bytes, "0 B"),
            (Cell::Int(1023), Unit::Bytes, "1023 B"),
            (Cell::Int(KIB), Unit::Bytes, "1.0 KiB"),
            (Cell::Int(KIB * KIB - 1), Unit::Bytes, "1.0 MiB"),
            (Cell::Int(KIB.pow(4) * 3 / 2), Unit::Bytes, "1.5 TiB"),
            (Cell::Int(i64::MAX), Unit::Bytes, "8.0 EiB"),
            (Cell::Int(KIB.pow(3)), Unit::Change, "+1.0 GiB"),
            (Cell::Int(-KIB.pow(3)), Unit::Change, "−1.0 GiB"),
            (Cell::Int(0), Unit::Change, "0 B"),
            (Cell::Int(0), Unit::Seconds, "0 s"),
            (Cell::Int(59), Unit::Seconds, "59 s"),
            (Cell::Int(307), Unit::Seconds, "5 min 07 s"),
            (Cell::Int(3_900), Unit::Seconds, "1 h 05 min"),
            (Cell::Int(86_399), Unit::Seconds, "23 h 59 min"),
            (Cell::Int(93_600), Unit::Seconds, "1 d 2 h"),
            (Cell::Int(-90), Unit::Seconds, "−1 min 30 s"),
            (Cell::Int(i64::MIN), Unit::Seconds, "−106751991167300 d 15 h"),
            (Cell::Real(59.6), Unit::Seconds, "1 min 00 s"),
            (Cell::Int(23), Unit::Hours, "23 h"),
            (Cell::Int(51), Unit::Hours, "2 d 3 h"),
            (Cell::Int(48), Unit::Hours, "2 d 0 h"),
            (Cell::Real(2.46), Unit::Times, "2.5 ×"),
            (Cell::Int(3), Unit::Times, "3.0 ×"),
            (Cell::Bool(true), Unit::Bool, "yes"),
            (Cell::Bool(false), Unit::Bool, "no"),
            (Cell::Real(f64::NAN), Unit::Percent, "–"),
            (Cell::Real(f64::INFINITY), Unit::Bytes, "–"),
            (Cell::Day(day(2026, 3, 1)), Unit::Day, "2026-03-01"),
            (Cell::Day(day(2026, 3, 1)), Unit::Month, "2026-03"),
            (Cell::Uid(uuid::Uuid::nil()), Unit::Text, "00000000-0000-0000-0000-000000000000"),
        ] {
            assert_eq!(text(&cell, unit, UTC), expected, "{cell:?} {unit:?}");
        }
    }

    #[test]
    fn only_all_is_100_percent() {
        for (value, expected) in [
            (100.0, "100 %"),
            (99.99, "99.9 %"),
            (99.951, "99.9 %"),
            (98.3, "98.3 %"),
            (98.25, "98.2 %"),
            (0.3, "0.3 %"),
            (0.04, "0.0 %"),
            (0.0, "0 %"),
            (-0.05, "-0.1 %"),
        ] {
            assert_eq!(text(&Cell::Real(value), Unit::Percent, UTC), expected);
        }
        for tenths in 1..1_000 {
            let value = f64::from(tenths) / 10.0;
            assert_eq!(percent(value), format!("{value:.1} %"));
        }
    }

    #[test]
    fn times_are_in_the_zone_and_never_ambiguous() {
        for (utc, expected) in [
            ("2026-03-01T01:30:59Z", "2026-03-01 02:30"),
            ("2026-10-25T00:30:00Z", "2026-10-25 02:30 +02:00"),
            ("2026-10-25T01:30:00Z", "2026-10-25 02:30 +01:00"),
            ("2026-10-25T02:30:00Z", "2026-10-25 03:30"),
        ] {
            assert_eq!(text(&Cell::Time(utc.parse().unwrap()), Unit::Time, Berlin), expected);
        }
    }

    #[test]
    fn a_period_of_days_is_named_by_its_days() {
        for (since, until, expected) in [
            ("2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z", "2026-03-01 to 2026-03-31"),
            ("2026-02-28T23:00:00Z", "2026-03-01T23:00:00Z", "2026-03-01"),
            ("2026-02-28T23:00:00Z", "2026-03-01T05:12:30Z", "2026-03-01 00:00 to 2026-03-01 06:12"),
            ("2026-02-28T23:00:00Z", "2026-02-28T23:00:00Z", "2026-03-01 00:00 to 2026-03-01 00:00"),
        ] {
            let [since, until] = [since, until].map(|time| time.parse().unwrap());
            assert_eq!(period(&Period { since, until, as_of: until, zone: Berlin }), expected);
        }
    }

    #[test]
    fn results_have_a_tone_and_other_text_has_none() {
        for (word, unit, expected) in [
            ("Success", Unit::Result, Tone::Good),
            ("Warning", Unit::Result, Tone::Warning),
            ("Failed", Unit::Result, Tone::Bad),
            ("None", Unit::Result, Tone::Plain),
            ("Failed", Unit::Text, Tone::Plain),
        ] {
            assert_eq!(tone(&Cell::Text(word.into()), unit), expected);
        }
    }

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }
}
