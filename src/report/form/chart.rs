//! Charts as inline SVG: coloured by the page's style sheet, so that they follow it into the dark and onto paper, with
//! what each mark stands for in its `<title>`.
//!
//! What lies across is given in percent and what lies up and down in pixels: a chart takes the width that there is, and
//! its text keeps its size. Where there is less than its least width, it scrolls in its box, and the names and axis
//! labels on its left stay.

use chrono::NaiveDate;
use chrono_tz::Tz;
use maud::{Markup, html};

use super::html::clean;
use crate::report::{Chart, Tone};

mod columns;
mod gantt;
mod heat;
mod lines;
mod scale;

/// Height of the part that values are drawn in, in pixels.
const HEIGHT: f64 = 176.0;
/// Above and below it: half a line of text, and the labels of the axis.
const TOP: f64 = 8.0;
const BOTTOM: f64 = 22.0;
/// Height of a row of a heat map or Gantt chart; the style sheet has the same for their names.
const ROW: f64 = 26.0;
/// Height of the labels above such rows; the style sheet has it, too.
const HEAD: f64 = 24.0;
/// What the label of a day or time takes, in pixels.
const LABEL_WIDTH: f64 = 44.0;
const LABEL_HEIGHT: f64 = 18.0;
/// So many days are few, and do not need all the width that there is.
const FEW: usize = 10;

/// A chart, or a sentence where there is nothing to draw.
pub(super) fn chart(chart: &Chart, title: &str, zone: Tz) -> Markup {
    let drawn = match chart {
        Chart::Columns { days, parts } => columns::draw(days, parts),
        Chart::Lines { unit, lines } => lines::draw(*unit, lines, zone),
        Chart::HeatMap { days, rows } => heat::draw(days, rows),
        Chart::Gantt { from, to, rows } => gantt::draw((*from, *to), rows, zone),
    };
    let Some(Drawing { left, plot, legend }) = drawn else {
        return html! { p.empty { "There is nothing to draw for this time." } };
    };
    html! {
        figure.chart {
            div.scroll.sides tabindex="0" role="region" aria-label={ "Chart: " (clean(title)) } { (left) (plot) }
            (legend)
        }
    }
}

/// The parts of a chart.
struct Drawing {
    /// Names or axis labels, which stay when the plot is scrolled.
    left: Markup,
    plot: Markup,
    legend: Markup,
}

/// Patterns that tell tones apart without colour. A page has them once; its charts refer to them.
pub(super) fn patterns() -> Markup {
    let pattern = |tone, lines: &str| {
        html! {
            pattern id={ "fill-" (class(tone)) } width="6" height="6" patternUnits="userSpaceOnUse" {
                rect.(class(tone)) width="6" height="6" {}
                path.hatch d=(lines) {}
            }
        }
    };
    html! {
        svg.patterns width="0" height="0" aria-hidden="true" {
            defs {
                (pattern(Tone::Warning, "M0 6L6 0M-1 1L1 -1M5 7L7 5"))
                (pattern(Tone::Bad, "M0 0L6 6M0 6L6 0"))
            }
        }
    }
}

/// The plot itself: as wide as there is room, and no narrower than `least`.
fn plot(least: f64, height: f64, is_few: bool, label: &str, content: &Markup) -> Markup {
    html! {
        svg.plot.few[is_few] width=(pixels(least)) height=(pixels(height)) role="img" aria-label=(clean(label)) { (content) }
    }
}

/// Values to the left of a plot, and a line through it at each.
fn axis(scale: &scale::Scale) -> (Markup, Markup) {
    let y = |value| pixels(TOP + HEIGHT * (1.0 - scale.share(value)));
    let left = html! {
        svg.axis width="60" height=(pixels(TOP + HEIGHT + BOTTOM)) aria-hidden="true" {
            @for (value, label) in &scale.ticks {
                text x="54" y=(y(*value)) dy="0.35em" text-anchor="end" { (label) }
            }
        }
    };
    let grid = html! {
        @for (value, _) in &scale.ticks { line.grid x1="0" x2="100%" y1=(y(*value)) y2=(y(*value)) {} }
    };
    (left, grid)
}

/// Names to the left of rows.
fn names<'a>(names: impl Iterator<Item = &'a str>) -> Markup {
    html! {
        ul.names aria-hidden="true" {
            @for name in names.map(clean) { li title=(name) { (name) } }
        }
    }
}

/// Lines down a plot from `y`, with a label beside each. What would stand out on the right is left out.
fn marks(places: &[(f64, String)], least: f64, y: f64, length: f64) -> Markup {
    html! {
        @for (share, label) in places.iter().filter(|(share, _)| (1.0 - share) * least >= LABEL_WIDTH) {
            line.grid x1=(percent(*share)) x2=(percent(*share)) y1=(pixels(y)) y2=(pixels(y + length)) {}
            text x=(percent(*share)) dx="4" y=(pixels(y + 16.0)) { (label) }
        }
    }
}

/// The same for as many of the days as have room, in steps of weeks where not for every other day.
fn day_marks(days: &[NaiveDate], least: f64, y: f64) -> Markup {
    const MOST: usize = 12;
    let count = days.len();
    let has_room = |step: &usize| count / step <= MOST && *step as f64 * least >= LABEL_WIDTH * count as f64;
    let step = [1, 2, 7, 14, 28].into_iter().find(has_room).unwrap_or(count / MOST + 1);
    let named = days.iter().enumerate().step_by(step);
    let places: Vec<_> = named.map(|(at, day)| (at as f64 / count as f64, short(*day))).collect();
    marks(&places, least, y, LABEL_HEIGHT)
}

/// What the tones in a chart mean.
fn tones(mut found: Vec<Tone>, with_nothing: bool) -> Markup {
    found.sort_unstable();
    found.dedup();
    html! {
        ul.legend {
            @for tone in found { li { (swatch(class(tone))) (word(tone)) } }
            @if with_nothing { li { (swatch("nothing")) "nothing ran" } }
        }
    }
}

fn swatch(class: &str) -> Markup {
    html! { svg.swatch width="12" height="12" aria-hidden="true" { rect.mark.(class) width="12" height="12" rx="2" {} } }
}

/// The class that a mark of this tone has.
#[must_use]
pub fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "plain",
        Tone::Good => "good",
        Tone::Warning => "warning",
        Tone::Bad => "bad",
    }
}

fn word(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "other",
        Tone::Good => "good",
        Tone::Warning => "warning",
        Tone::Bad => "failed",
    }
}

/// How many marks there are of what is not good, in words.
fn trouble(tones: &[Tone]) -> String {
    let count = |wanted| tones.iter().filter(|tone| **tone == wanted).count();
    format!("{} failed, {} with a warning", count(Tone::Bad), count(Tone::Warning))
}

/// A day as the axis has it, and as a sentence has it.
fn short(day: NaiveDate) -> String {
    day.format("%-d %b").to_string()
}

fn long(day: NaiveDate) -> String {
    day.format("%a %-d %b %Y").to_string()
}

/// A share of the width.
fn percent(share: f64) -> String {
    format!("{}%", pixels(share.clamp(0.0, 1.0) * 100.0))
}

/// A number without needless digits; what is no number is 0.
fn pixels(value: f64) -> String {
    let value = if value.is_finite() { (value * 100.0).round() / 100.0 } else { 0.0 };
    value.to_string()
}

#[cfg(test)]
mod tests {
    use chrono_tz::{Europe::Berlin, UTC};

    use super::*;
    use crate::report::form::sample::{charts, days, time};
    use crate::report::{Bar, GanttRow, HeatRow, Line, Part, Unit};

    fn drawn(chart: &Chart) -> String {
        super::chart(chart, "Title", Berlin).into_string()
    }

    fn part(values: &[i64]) -> Part {
        Part { name: "Success".to_owned(), tone: Tone::Good, values: values.to_vec() }
    }

    fn line(points: &[(&str, f64)]) -> Chart {
        let points = points.iter().map(|(at, value)| (time(at), *value)).collect();
        Chart::Lines { unit: Unit::Seconds, lines: vec![Line { name: "Nightly".to_owned(), points }] }
    }

    #[test]
    fn what_has_nothing_to_show_says_so() {
        let (from, to) = (time("2026-03-01T00:00:00Z"), time("2026-03-02T00:00:00Z"));
        let bar = Bar { from: to, to, tone: Tone::Good, text: String::new() };
        let row = GanttRow { name: String::new(), bars: vec![bar] };
        for chart in [
            Chart::Columns { days: vec![], parts: vec![] },
            Chart::Columns { days: vec![], parts: vec![part(&[1])] },
            Chart::Columns { days: days(2), parts: vec![part(&[0, -1])] },
            Chart::Lines { unit: Unit::Bytes, lines: vec![] },
            line(&[]),
            line(&[("2026-03-01T00:00:00Z", f64::NAN)]),
            Chart::HeatMap { days: days(2), rows: vec![] },
            Chart::HeatMap { days: vec![], rows: vec![HeatRow { name: String::new(), fields: vec![None] }] },
            Chart::HeatMap { days: days(1), rows: vec![HeatRow { name: String::new(), fields: vec![None] }] },
            Chart::Gantt { from, to, rows: vec![] },
            Chart::Gantt { from, to, rows: vec![row.clone()] },
            Chart::Gantt { from: to, to, rows: vec![row] },
        ] {
            assert_eq!(drawn(&chart), "<p class=\"empty\">There is nothing to draw for this time.</p>", "{chart:?}");
        }
    }

    #[test]
    fn each_chart_has_a_summary_in_words_and_says_what_a_mark_is() {
        for (chart, expected) in charts().iter().zip([
            [
                "Columns, one a day, from Sun 1 Mar 2026 to Tue 3 Mar 2026. In all: Success 7, &lt;Failed&gt; 1.",
                "<title>Tue 3 Mar 2026: Success 4, &lt;Failed&gt; 0</title>",
            ],
            [
                "Lines from 2026-03-01 01:00 to 2026-03-02 01:00. At the end: &lt;Nightly&gt; 2 h 00 min.",
                "<title>&lt;Nightly&gt;, 2026-03-02 01:00: 2 h 00 min</title>",
            ],
            [
                "Rows: 1, a column a day from Sun 1 Mar 2026 to Mon 2 Mar 2026: 0 failed, 1 with a warning.",
                "<title>&lt;Nightly&gt;, Sun 1 Mar 2026: a &amp; b</title>",
            ],
            [
                "What ran from 2026-03-01 01:00 to 2026-03-02 01:00. Rows: 1, runs: 1: 1 failed, 0 with a warning.",
                "<title>&lt;Nightly&gt;, 2026-03-01 01:00 to 2026-03-01 03:00: Failed &lt;i&gt;</title>",
            ],
        ]) {
            let drawn = drawn(chart);
            assert!(
                drawn.contains(
                    "<div class=\"scroll sides\" tabindex=\"0\" role=\"region\" aria-label=\"Chart: Title\">"
                )
            );
            assert!(drawn.contains(&format!("role=\"img\" aria-label=\"{}\"", expected[0])), "{drawn}");
            assert!(drawn.contains(expected[1]), "{drawn}");
        }
    }

    #[test]
    fn columns_are_stacked_to_scale() {
        let chart = Chart::Columns { days: days(1), parts: vec![part(&[1]), part(&[3])] };
        let drawn = drawn(&chart);
        assert!(
            drawn.contains("<rect class=\"mark good\" x=\"14%\" width=\"72%\" y=\"140\" height=\"44\">"),
            "{drawn}"
        );
        assert!(
            drawn.contains("<rect class=\"mark good pale\" x=\"14%\" width=\"72%\" y=\"8\" height=\"132\">"),
            "{drawn}"
        );
    }

    #[test]
    fn one_moment_stands_in_the_middle() {
        for points in
            [&[("2026-03-01T00:00:00Z", 0.0)][..], &[("2026-03-01T00:00:00Z", 5.0), ("2026-03-01T00:00:00Z", 5.0)]]
        {
            let drawn = drawn(&line(points));
            assert_eq!(drawn.matches("cx=\"50%\"").count(), points.len(), "{drawn}");
        }
    }

    #[test]
    fn a_run_is_cut_at_the_edge_and_a_short_one_is_still_seen() {
        let (from, to) = (time("2026-03-01T00:00:00Z"), time("2026-03-02T00:00:00Z"));
        let bar = |from, to| Bar { from: time(from), to: time(to), tone: Tone::Good, text: String::new() };
        let bars = vec![
            bar("2026-02-27T00:00:00Z", "2026-03-01T12:00:00Z"),
            bar("2026-03-01T18:00:00Z", "2026-03-05T00:00:00Z"),
            bar("2026-03-01T23:59:59Z", "2026-03-01T23:59:59Z"),
        ];
        let chart = Chart::Gantt { from, to, rows: vec![GanttRow { name: "Nightly".to_owned(), bars }] };
        let drawn = super::chart(&chart, "", UTC).into_string();
        for expected in ["x=\"0%\" width=\"50%\"", "x=\"75%\" width=\"25%\"", "x=\"99.6%\" width=\"0.4%\""] {
            assert!(drawn.contains(expected), "{expected} {drawn}");
        }
    }
}
