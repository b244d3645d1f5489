//! Values over time.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use maud::{Markup, html};

use super::scale::{self, Scale};
use super::{BOTTOM, Drawing, HEIGHT, LABEL_HEIGHT, TOP, axis, marks, percent, pixels, plot};
use crate::report::form::html::clean;
use crate::report::form::value;
use crate::report::{Line, Unit};
use crate::store::Cell;

/// How many colours there are in the style sheet; lines beyond that are dashed.
const COLOURS: usize = 6;
/// The least width of the plot: a telephone's.
const LEAST: f64 = 280.0;
/// So many points are not drawn, and still say what they are.
const MANY: usize = 70;

pub(super) fn draw(unit: Unit, lines: &[Line], zone: Tz) -> Option<Drawing> {
    let times = || lines.iter().flat_map(finite).map(|(time, _)| time);
    let (first, last) = (times().min()?, times().max()?);
    let span = (last - first).num_milliseconds() as f64;
    // A single moment stands in the middle.
    let across = |time: DateTime<Utc>| if span > 0.0 { (time - first).num_milliseconds() as f64 / span } else { 0.5 };
    let scale = Scale::new(unit, lines.iter().flat_map(finite).map(|(_, value)| value));
    let up = |value| HEIGHT * (1.0 - scale.share(value));
    let (left, grid) = axis(&scale);

    let content = html! {
        (grid)
        (marks(&scale::times(first, last, zone, 6), LEAST, TOP + HEIGHT, LABEL_HEIGHT))
        // A viewport of its own, since a line can't be given in percent.
        svg y=(pixels(TOP)) width="100%" height=(pixels(HEIGHT)) viewBox={ "0 0 1000 " (pixels(HEIGHT)) }
            preserveAspectRatio="none" overflow="visible" {
            @for (n, line) in lines.iter().enumerate() {
                polyline.line.(colour(n)) vector-effect="non-scaling-stroke"
                    points=(points(finite(line).map(|(time, value)| (across(time) * 1000.0, up(value))))) {}
            }
        }
        @for (n, line) in lines.iter().enumerate() {
            @for (time, value) in finite(line) {
                circle.point.dense[line.points.len() > MANY].(colour(n)) cx=(percent(across(time)))
                    cy=(pixels(TOP + up(value))) r="3" { title { (said(line, time, value, unit, zone)) } }
            }
        }
    };
    let label = summary(lines, unit, zone, (first, last));
    let legend = html! { ul.legend { @for (n, line) in lines.iter().enumerate() { (key(n, &line.name)) } } };
    Some(Drawing { left, plot: plot(LEAST, TOP + HEIGHT + BOTTOM, false, &label, &content), legend })
}

fn finite(line: &Line) -> impl Iterator<Item = (DateTime<Utc>, f64)> {
    line.points.iter().copied().filter(|(_, value)| value.is_finite())
}

fn points(points: impl Iterator<Item = (f64, f64)>) -> String {
    points.map(|(x, y)| format!("{},{}", pixels(x), pixels(y))).collect::<Vec<_>>().join(" ")
}

fn colour(n: usize) -> String {
    format!("series-{}{}", n % COLOURS, if n / COLOURS % 2 == 1 { " dashed" } else { "" })
}

fn key(n: usize, name: &str) -> Markup {
    html! {
        li {
            svg.swatch width="18" height="12" aria-hidden="true" {
                line.line.(colour(n)) x1="0" x2="18" y1="6" y2="6" {}
            }
            span.name title=(clean(name)) { (clean(name)) }
        }
    }
}

fn said(line: &Line, time: DateTime<Utc>, value: f64, unit: Unit, zone: Tz) -> String {
    format!("{}, {}: {}", clean(&line.name), value::time(time, zone), value::text(&Cell::Real(value), unit, zone))
}

fn summary(lines: &[Line], unit: Unit, zone: Tz, (first, last): (DateTime<Utc>, DateTime<Utc>)) -> String {
    const NAMED: usize = 6;
    let each = lines.iter().take(NAMED).map(|line| match finite(line).last() {
        Some((_, value)) => format!("{} {}", line.name, value::text(&Cell::Real(value), unit, zone)),
        None => format!("{} has no values", line.name),
    });
    let more = if lines.len() > NAMED { format!(", and {} more", lines.len() - NAMED) } else { String::new() };
    let [first, last] = [first, last].map(|time| value::time(time, zone));
    format!("Lines from {first} to {last}. At the end: {}{more}.", each.collect::<Vec<_>>().join(", "))
}
