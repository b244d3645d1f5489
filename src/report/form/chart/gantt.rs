//! What ran when: a row a job.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use maud::html;

use super::{Drawing, HEAD, ROW, class, marks, names, percent, pixels, plot, scale, tones, trouble};
use crate::report::form::html::clean;
use crate::report::form::value;
use crate::report::{Bar, GanttRow, Tone};

/// The least width of the plot.
const LEAST: f64 = 480.0;
/// The least share of it that a run takes: short ones are seen, too.
const SHORTEST: f64 = 0.004;

pub(super) fn draw((from, to): (DateTime<Utc>, DateTime<Utc>), rows: &[GanttRow], zone: Tz) -> Option<Drawing> {
    let shown: Vec<Vec<&Bar>> =
        rows.iter().map(|row| row.bars.iter().filter(|bar| bar.from < to && bar.to >= from).collect()).collect();
    let found: Vec<Tone> = shown.iter().flatten().map(|bar| bar.tone).collect();
    if found.is_empty() || to <= from {
        return None;
    }
    let span = (to - from).num_milliseconds().max(1) as f64;
    let share = |time: DateTime<Utc>| ((time - from).num_milliseconds() as f64 / span).clamp(0.0, 1.0);
    let height = HEAD + rows.len() as f64 * ROW;
    let content = html! {
        (marks(&scale::times(from, to, zone, 8), LEAST, 2.0, height - 2.0))
        @for (n, bars) in shown.iter().enumerate() {
            @let y = HEAD + n as f64 * ROW;
            line.grid x1="0" x2="100%" y1=(pixels(y)) y2=(pixels(y)) {}
            @for bar in bars {
                @let length = (share(bar.to) - share(bar.from)).max(SHORTEST);
                rect.mark.bar.(class(bar.tone)) x=(percent(share(bar.from).min(1.0 - length))) width=(percent(length))
                    y=(pixels(y + 5.0)) height=(pixels(ROW - 10.0)) rx="2" { title { (said(&rows[n].name, bar, zone)) } }
            }
        }
    };
    let [first, last] = [from, to].map(|time| value::time(time, zone));
    let (runs, trouble) = (found.len(), trouble(&found));
    let label = format!("What ran from {first} to {last}. Rows: {}, runs: {runs}: {trouble}.", rows.len());
    Some(Drawing {
        left: names(rows.iter().map(|row| row.name.as_str())),
        plot: plot(LEAST, height, false, &label, &content),
        legend: tones(found, false),
    })
}

fn said(name: &str, bar: &Bar, zone: Tz) -> String {
    let [from, to] = [bar.from, bar.to].map(|time| value::time(time, zone));
    format!("{}, {from} to {to}: {}", clean(name), clean(&bar.text))
}
