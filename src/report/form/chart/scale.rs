//! Which values and times an axis names.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeZone as _, Timelike as _, Utc};
use chrono_tz::Tz;

use super::short;
use crate::report::Unit;

/// Beyond this nothing is drawn to scale: no size and no duration is as large.
const LARGEST: f64 = 1e19;
const QUARTER_HOUR: i64 = 15 * 60;

/// An axis of values; 0 always belongs to it.
pub(super) struct Scale {
    low: f64,
    high: f64,
    /// Values with a label, the lowest first.
    pub(super) ticks: Vec<(f64, String)>,
}

impl Scale {
    /// A scale for these values, with labels such as 50 GiB.
    pub(super) fn new(unit: Unit, values: impl Iterator<Item = f64>) -> Self {
        let (mut low, mut high) = (0.0_f64, 0.0_f64);
        for value in values.map(bounded) {
            (low, high) = (low.min(value), high.max(value));
        }
        let (size, name) = measure(unit, high.max(-low));
        let is_whole = matches!(unit, Unit::Count | Unit::Bytes | Unit::Change | Unit::Seconds | Unit::Hours);
        let mut step = step((high - low) / size / 5.0);
        if is_whole && size == 1.0 {
            step = step.max(1.0);
        }
        let first = (low / size / step).floor();
        let last = (high / size / step).ceil().max(first + 1.0);
        // A thousandth is the least step.
        let digits = if step < 1.0 { 1 + usize::from(step < 0.1) + usize::from(step < 0.01) } else { 0 };
        let mut ticks = Vec::new();
        let mut at = first;
        while at <= last {
            let digits = if at == 0.0 { 0 } else { digits };
            ticks.push((at * step * size, format!("{:.digits$}{name}", at * step)));
            at += 1.0;
        }
        Self { low: first * step * size, high: last * step * size, ticks }
    }

    /// How far up a value lies, from 0 to 1.
    pub(super) fn share(&self, value: f64) -> f64 {
        ((bounded(value) - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

fn bounded(value: f64) -> f64 {
    if value.is_finite() { value.clamp(-LARGEST, LARGEST) } else { 0.0 }
}

/// What the labels of an axis that reaches this far count in: its size, and its name.
fn measure(unit: Unit, highest: f64) -> (f64, &'static str) {
    const HOUR: f64 = 3_600.0;
    let sizes: &[(f64, &str)] = match unit {
        Unit::Bytes | Unit::Change => &[
            (1.0, " B"),
            (1024.0, " KiB"),
            (1_048_576.0, " MiB"),
            (1_073_741_824.0, " GiB"),
            (1_099_511_627_776.0, " TiB"),
            (1_125_899_906_842_624.0, " PiB"),
        ],
        Unit::Seconds => &[(1.0, " s"), (60.0, " min"), (HOUR, " h"), (24.0 * HOUR, " d")],
        Unit::Hours => &[(1.0, " h"), (24.0, " d")],
        Unit::Percent => &[(1.0, " %")],
        Unit::Times => &[(1.0, " ×")],
        Unit::Count | Unit::Text | Unit::Message | Unit::Result | Unit::Time | Unit::Day | Unit::Month | Unit::Bool => {
            &[(1.0, "")]
        }
    };
    // One and a half hours are 90 min, two are 2 h.
    *sizes.iter().rev().find(|(size, _)| highest >= size * 2.0).unwrap_or(&sizes[0])
}

/// The next larger of 1, 2, 5, 10, 20, 50 and so on.
fn step(least: f64) -> f64 {
    let least = if least > 0.0 { least.max(0.001) } else { 1.0 };
    let power = 10.0_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0].map(|n| n * power).into_iter().find(|step| *step >= least * 0.999).unwrap_or(10.0 * power)
}

/// Moments from one to another, at most about `most`, as shares of the way and as the clocks of the zone show them:
/// days, hours or quarters of an hour.
pub(super) fn times(from: DateTime<Utc>, to: DateTime<Utc>, zone: Tz, most: i64) -> Vec<(f64, String)> {
    let span = (to - from).num_seconds();
    if span <= 0 {
        return Vec::new();
    }
    let share = |moment: DateTime<Utc>| (moment - from).num_milliseconds() as f64 / (span as f64 * 1000.0);
    let quarters = span / QUARTER_HOUR;
    let Some(step) = [1, 2, 4, 8, 12, 16, 24, 48].into_iter().find(|step| quarters / i64::from(*step) <= most) else {
        return days(from, to, zone, most).into_iter().map(|(moment, label)| (share(moment), label)).collect();
    };
    // Each quarter of an hour that is really there is asked what the clocks show: no hour is missed or made up where
    // they are changed.
    let first = (from.timestamp() + QUARTER_HOUR - 1).div_euclid(QUARTER_HOUR);
    let last = to.timestamp().div_euclid(QUARTER_HOUR);
    let moments = (first..=last).filter_map(|quarter| DateTime::from_timestamp(quarter * QUARTER_HOUR, 0));
    let shown = moments.filter_map(|moment| {
        let local = moment.with_timezone(&zone);
        let is_tick = local.minute() % 15 == 0 && (local.hour() * 4 + local.minute() / 15) % step == 0;
        is_tick.then(|| {
            let is_midnight = local.hour() == 0 && local.minute() == 0;
            (share(moment), if is_midnight { short(local.date_naive()) } else { local.format("%H:%M").to_string() })
        })
    });
    shown.collect()
}

/// Beginnings of days.
fn days(from: DateTime<Utc>, to: DateTime<Utc>, zone: Tz, most: i64) -> Vec<(DateTime<Utc>, String)> {
    let span = (to - from).num_days();
    let is_long = span > 300;
    // A month with its year is a longer label.
    let step = usize::try_from(span / if is_long { (most - 2).max(1) } else { most } + 1).unwrap_or(usize::MAX);
    let label = |day: NaiveDate| if is_long { day.format("%b %Y").to_string() } else { short(day) };
    let first = from.with_timezone(&zone).date_naive();
    first
        .iter_days()
        .step_by(step)
        .filter_map(|day| Some((beginning(day, zone)?, label(day))))
        .skip_while(|(moment, _)| *moment < from)
        .take_while(|(moment, _)| *moment <= to)
        .collect()
}

/// When a day begins, which is not at midnight where the clocks are changed then.
fn beginning(day: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    let at = |hour| zone.from_local_datetime(&day.and_time(NaiveTime::from_hms_opt(hour, 0, 0)?)).earliest();
    at(0).or_else(|| at(1)).map(|local| local.to_utc())
}

#[cfg(test)]
mod tests {
    use chrono_tz::{Europe::Berlin, UTC};

    use super::*;

    fn labels(unit: Unit, values: &[f64]) -> Vec<String> {
        Scale::new(unit, values.iter().copied()).ticks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn values_have_round_labels_in_a_unit_that_suits_them() {
        const GIB: f64 = 1_073_741_824.0;
        for (unit, values, expected) in [
            (Unit::Count, vec![], vec!["0", "1"]),
            (Unit::Count, vec![0.0, 0.0], vec!["0", "1"]),
            (Unit::Count, vec![1.0, 3.0], vec!["0", "1", "2", "3"]),
            (Unit::Count, vec![13.0], vec!["0", "5", "10", "15"]),
            (Unit::Bytes, vec![700.0 * GIB], vec!["0 GiB", "200 GiB", "400 GiB", "600 GiB", "800 GiB"]),
            (
                Unit::Bytes,
                vec![2.5 * 1024.0 * GIB],
                vec!["0 TiB", "0.5 TiB", "1.0 TiB", "1.5 TiB", "2.0 TiB", "2.5 TiB"],
            ),
            (Unit::Change, vec![-GIB, 3.0 * GIB], vec!["-1 GiB", "0 GiB", "1 GiB", "2 GiB", "3 GiB"]),
            (Unit::Seconds, vec![5_400.0], vec!["0 min", "20 min", "40 min", "60 min", "80 min", "100 min"]),
            (Unit::Seconds, vec![14_400.0], vec!["0 h", "1 h", "2 h", "3 h", "4 h"]),
            (Unit::Hours, vec![30.0], vec!["0 h", "10 h", "20 h", "30 h"]),
            (Unit::Times, vec![1.2], vec!["0 ×", "0.5 ×", "1.0 ×", "1.5 ×"]),
        ] {
            assert_eq!(labels(unit, &values), expected, "{unit:?} {values:?}");
        }
    }

    #[test]
    fn any_value_has_its_place() {
        for unit in [Unit::Count, Unit::Bytes, Unit::Seconds, Unit::Percent] {
            for values in [
                &[f64::NAN][..],
                &[f64::INFINITY, f64::NEG_INFINITY],
                &[f64::MAX, f64::MIN],
                &[f64::MIN_POSITIVE],
                &[1e-300, -1e-300],
                &[-5.0],
            ] {
                let scale = Scale::new(unit, values.iter().copied());
                assert!((2..=8).contains(&scale.ticks.len()), "{unit:?} {values:?}: {}", scale.ticks.len());
                for value in values {
                    assert!((0.0..=1.0).contains(&scale.share(*value)), "{unit:?} {value}");
                }
            }
        }
    }

    #[test]
    fn hours_are_those_of_the_clocks_on_the_wall() {
        let shown = |from: &str, to: &str, zone| {
            let ticks = times(from.parse().unwrap(), to.parse().unwrap(), zone, 9);
            ticks.into_iter().map(|(share, label)| format!("{share:.3} {label}")).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(
            shown("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", UTC),
            "0.000 1 Mar, 0.125 03:00, 0.250 06:00, 0.375 09:00, 0.500 12:00, 0.625 15:00, 0.750 18:00, 0.875 21:00, \
             1.000 2 Mar"
        );
        // 23 hours, then 25.
        assert_eq!(
            shown("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", Berlin),
            "0.000 29 Mar, 0.087 03:00, 0.217 06:00, 0.348 09:00, 0.478 12:00, 0.609 15:00, 0.739 18:00, 0.870 21:00, \
             1.000 30 Mar"
        );
        assert_eq!(
            shown("2026-10-24T22:00:00Z", "2026-10-25T05:00:00Z", Berlin),
            "0.000 25 Oct, 0.143 01:00, 0.286 02:00, 0.429 02:00, 0.571 03:00, 0.714 04:00, 0.857 05:00, 1.000 06:00"
        );
        assert_eq!(
            shown("2026-03-27T12:00:00Z", "2026-03-30T12:00:00Z", Berlin),
            "0.153 28 Mar, 0.319 12:00, 0.486 29 Mar, 0.639 12:00, 0.806 30 Mar, 0.972 12:00"
        );
        assert_eq!(
            shown("2026-03-01T00:00:00Z", "2026-03-31T00:00:00Z", UTC),
            "0.000 1 Mar, 0.133 5 Mar, 0.267 9 Mar, 0.400 13 Mar, 0.533 17 Mar, 0.667 21 Mar, 0.800 25 Mar, 0.933 29 Mar"
        );
        assert_eq!(shown("2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z", UTC), "");
        assert_eq!(shown("2026-03-01T00:00:00Z", "2026-02-01T00:00:00Z", UTC), "");
    }

    #[test]
    fn a_day_without_a_midnight_has_a_beginning() {
        let zone = chrono_tz::America::Santiago;
        let day = NaiveDate::from_ymd_opt(2026, 9, 6).unwrap();
        assert_eq!(beginning(day, zone).unwrap().with_timezone(&zone).to_string(), "2026-09-06 01:00:00 -03");
    }
}
