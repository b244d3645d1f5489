//! A column a day, in parts.

use chrono::NaiveDate;
use maud::html;

use super::scale::Scale;
use super::{BOTTOM, Drawing, FEW, HEIGHT, TOP, axis, class, day_marks, long, percent, pixels, plot, swatch};
use crate::report::form::html::clean;
use crate::report::{Part, Unit};

/// The narrowest that a day may become.
const DAY: f64 = 9.0;

pub(super) fn draw(days: &[NaiveDate], parts: &[Part]) -> Option<Drawing> {
    let totals = (0..days.len()).map(|at| parts.iter().map(|part| value(part, at)).sum());
    let totals: Vec<f64> = totals.collect();
    if totals.iter().all(|total| *total == 0.0) {
        return None;
    }
    let scale = Scale::new(Unit::Count, totals.into_iter());
    let (left, grid) = axis(&scale);
    let slot = 1.0 / days.len() as f64;
    let least = (days.len() as f64 * DAY).max(280.0);
    let content = html! {
        (grid)
        (day_marks(days, least, TOP + HEIGHT))
        @for (at, day) in days.iter().enumerate() {
            g.day {
                title { (said(*day, parts, at)) }
                rect.reach x=(percent(at as f64 * slot)) width=(percent(slot)) y="0" height=(pixels(TOP + HEIGHT)) {}
                @for (n, part) in parts.iter().enumerate().filter(|(_, part)| value(part, at) > 0.0) {
                    @let below: f64 = parts[..n].iter().map(|part| value(part, at)).sum();
                    @let (bottom, top) = (scale.share(below), scale.share(below + value(part, at)));
                    rect.mark.(colour(parts, n)) x=(percent((at as f64 + 0.14) * slot)) width=(percent(slot * 0.72))
                        y=(pixels(TOP + HEIGHT * (1.0 - top))) height=(pixels(HEIGHT * (top - bottom))) {}
                }
            }
        }
    };
    let legend = html! {
        ul.legend {
            @for (n, part) in parts.iter().enumerate() { li { (swatch(&colour(parts, n))) (clean(&part.name)) } }
        }
    };
    Some(Drawing {
        left,
        plot: plot(least, TOP + HEIGHT + BOTTOM, days.len() <= FEW, &summary(days, parts), &content),
        legend,
    })
}

fn value(part: &Part, at: usize) -> f64 {
    part.values.get(at).map_or(0.0, |value| (*value).max(0) as f64)
}

/// The classes of a part: a second one of the same tone is paler.
fn colour(parts: &[Part], n: usize) -> String {
    let tone = parts[n].tone;
    let is_second = parts[..n].iter().any(|part| part.tone == tone);
    format!("{}{}", class(tone), if is_second { " pale" } else { "" })
}

fn said(day: NaiveDate, parts: &[Part], at: usize) -> String {
    let parts: Vec<String> = parts.iter().map(|part| format!("{} {}", clean(&part.name), value(part, at))).collect();
    format!("{}: {}", long(day), parts.join(", "))
}

fn summary(days: &[NaiveDate], parts: &[Part]) -> String {
    let sum = |part: &Part| (0..days.len()).map(|at| value(part, at)).sum::<f64>();
    let sums: Vec<String> = parts.iter().map(|part| format!("{} {}", part.name, sum(part))).collect();
    let [first, last] = [days.first(), days.last()].map(|day| day.map(|day| long(*day)).unwrap_or_default());
    format!("Columns, one a day, from {first} to {last}. In all: {}.", sums.join(", "))
}
