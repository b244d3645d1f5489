//! Times as the API writes them and as the databases keep them: UTC, floored to the microsecond.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

/// Reads an ISO 8601 time with 0 to 9 digits of a second's fraction, with `Z`, an offset, or no zone (then it is UTC:
/// the API's elements say so in their names). Digits beyond the microsecond are cut, never rounded.
///
/// Returns `None` for anything else, and for years outside 1970–9999: year 0001 is how a server spells "no time".
#[must_use]
pub fn parse(text: &str) -> Option<DateTime<Utc>> {
    let bytes = text.trim_ascii().as_bytes();
    let (date, rest) = bytes.split_at_checked(10)?;
    let day = parse_date(date)?;
    if rest.is_empty() {
        return day.and_hms_opt(0, 0, 0).map(|time| time.and_utc());
    }
    let (clock, rest) = rest.split_at_checked(9)?;
    if !matches!(clock[0], b'T' | b't' | b' ') || clock[3] != b':' || clock[6] != b':' {
        return None;
    }
    let (hour, minute, second) = (number(&clock[1..3])?, number(&clock[4..6])?, number(&clock[7..9])?);
    let (micros, zone) = parse_fraction(rest)?;
    let time = day.and_hms_micro_opt(hour, minute, second, micros)?.and_utc().checked_sub_signed(parse_zone(zone)?)?;
    in_range(time).then_some(time)
}

/// The text that SQLite keeps: fixed width, so that it sorts as time.
#[must_use]
pub fn format(time: DateTime<Utc>) -> String {
    use chrono::{Datelike, Timelike};
    let mut out = *b"0000-00-00T00:00:00.000000Z";
    put(&mut out[0..4], time.year().unsigned_abs());
    put(&mut out[5..7], time.month());
    put(&mut out[8..10], time.day());
    put(&mut out[11..13], time.hour());
    put(&mut out[14..16], time.minute());
    put(&mut out[17..19], time.second());
    // chrono keeps a leap second as more than a second's nanoseconds.
    put(&mut out[20..26], (time.nanosecond() / 1000).min(999_999));
    String::from_utf8_lossy(&out).into_owned()
}

/// The text that a filter carries: whole seconds, since servers differ in what they keep below them.
#[must_use]
pub fn format_second(time: DateTime<Utc>) -> String {
    let mut text = format(time);
    text.replace_range(19..26, "");
    text
}

/// The start of the second that the time is in.
#[must_use]
pub fn floor_second(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(time.timestamp(), 0).unwrap_or(time)
}

/// Times outside this range name no session; the range also keeps SQLite's text at its fixed width.
fn in_range(time: DateTime<Utc>) -> bool {
    const YEAR_10000: i64 = 253_402_300_800;
    (0..YEAR_10000).contains(&time.timestamp())
}

fn parse_date(bytes: &[u8]) -> Option<NaiveDate> {
    if bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = i32::try_from(number(&bytes[..4])?).ok()?;
    NaiveDate::from_ymd_opt(year, number(&bytes[5..7])?, number(&bytes[8..])?).filter(|_| year >= 1970)
}

/// The fraction in microseconds, and what follows it.
fn parse_fraction(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let Some(digits) = bytes.strip_prefix(b".") else {
        return Some((0, bytes));
    };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&count) {
        return None;
    }
    let micros = (0..6).fold(0, |value, i| value * 10 + if i < count { u32::from(digits[i] - b'0') } else { 0 });
    Some((micros, &digits[count..]))
}

/// What is to be subtracted to get UTC.
fn parse_zone(bytes: &[u8]) -> Option<TimeDelta> {
    match bytes {
        b"" | b"Z" | b"z" => Some(TimeDelta::zero()),
        [sign @ (b'+' | b'-'), hour1, hour2, b':', minute1, minute2] => {
            let minutes = number(&[*hour1, *hour2])? * 60 + number(&[*minute1, *minute2])?;
            let offset = TimeDelta::minutes(i64::from(minutes));
            (minutes <= 18 * 60).then_some(if *sign == b'+' { offset } else { -offset })
        }
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |value, byte| {
        byte.is_ascii_digit().then(|| value.wrapping_mul(10).wrapping_add(u32::from(byte - b'0')))
    })
}

fn put(out: &mut [u8], mut value: u32) {
    for byte in out.iter_mut().rev() {
        *byte = b'0' + u8::try_from(value % 10).expect("a digit is below ten");
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_precision_is_floored_to_the_microsecond() {
        for (text, kept) in [
            ("2025-08-14T12:31:30Z", "2025-08-14T12:31:30.000000Z"),
            ("2025-08-14T12:31:30.7Z", "2025-08-14T12:31:30.700000Z"),
            ("2025-08-14T12:31:30.22142Z", "2025-08-14T12:31:30.221420Z"),
            ("2025-08-14T12:31:30.9999999Z", "2025-08-14T12:31:30.999999Z"),
            ("2025-08-14T12:31:30.999999999Z", "2025-08-14T12:31:30.999999Z"),
            ("2025-08-14T12:31:30", "2025-08-14T12:31:30.000000Z"),
            ("2025-08-14 12:31:30.5", "2025-08-14T12:31:30.500000Z"),
            ("2025-08-14T12:31:30+02:00", "2025-08-14T10:31:30.000000Z"),
            ("2025-08-14T23:31:30.1-05:30", "2025-08-15T05:01:30.100000Z"),
            ("2025-08-14", "2025-08-14T00:00:00.000000Z"),
            ("  2025-08-14T12:31:30Z\n", "2025-08-14T12:31:30.000000Z"),
        ] {
            assert_eq!(parse(text).map(format).as_deref(), Some(kept), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "now",
            "0001-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2025-13-01T00:00:00Z",
            "2025-02-30T00:00:00Z",
            "2025-08-14T24:00:00Z",
            "2025-08-14T12:31:30.Z",
            "2025-08-14T12:31:30.1234567890Z",
            "2025-08-14T12:31",
            "2025-08-14T12:31:30+2",
            "2025-08-14T12:31:30Zjunk",
            "20250814T123130Z",
            "２０25-08-14T12:31:30Z",
            "1970-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            "2025-08-1é",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_second_is_written_without_a_fraction() {
        let time = parse("2025-08-14T12:31:30.999999Z").expect("a time");
        assert_eq!(format_second(time), "2025-08-14T12:31:30Z");
        assert_eq!(format(floor_second(time)), "2025-08-14T12:31:30.000000Z");
    }
}
