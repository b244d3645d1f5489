//! A row a job, a column a day.

use chrono::NaiveDate;
use maud::html;

use super::{Drawing, FEW, HEAD, ROW, class, day_marks, long, names, percent, pixels, plot, tones, trouble};
use crate::report::form::html::clean;
use crate::report::{HeatRow, Tone};

/// The narrowest that a day may become.
const DAY: f64 = 10.0;

pub(super) fn draw(days: &[NaiveDate], rows: &[HeatRow]) -> Option<Drawing> {
    let tones_of =
        |row: &HeatRow| row.fields.iter().take(days.len()).flatten().map(|(tone, _)| *tone).collect::<Vec<Tone>>();
    let found: Vec<Tone> = rows.iter().flat_map(tones_of).collect();
    if found.is_empty() {
        return None;
    }
    let slot = 1.0 / days.len() as f64;
    let least = (days.len() as f64 * DAY).max(180.0);
    let content = html! {
        (day_marks(days, least, 2.0))
        @for (n, row) in rows.iter().enumerate() {
            @let y = pixels(HEAD + n as f64 * ROW + 2.0);
            @for (at, day) in days.iter().enumerate() {
                @let field = row.fields.get(at).and_then(Option::as_ref);
                rect.mark.(field.map_or("nothing", |(tone, _)| class(*tone))) x=(percent((at as f64 + 0.05) * slot))
                    width=(percent(slot * 0.9)) y=(y) height=(pixels(ROW - 4.0)) {
                    title { (said(&row.name, *day, field.map_or("nothing ran", |(_, text)| text))) }
                }
            }
        }
    };
    let [first, last] = [days.first(), days.last()].map(|day| day.map(|day| long(*day)).unwrap_or_default());
    let trouble = trouble(&found);
    let label = format!("Rows: {}, a column a day from {first} to {last}: {trouble}.", rows.len());
    let has_gap = found.len() < rows.len() * days.len();
    Some(Drawing {
        left: names(rows.iter().map(|row| row.name.as_str())),
        plot: plot(least, HEAD + rows.len() as f64 * ROW, days.len() <= FEW, &label, &content),
        legend: tones(found, has_gap),
    })
}

fn said(name: &str, day: NaiveDate, text: &str) -> String {
    format!("{}, {}: {}", clean(name), long(day), clean(text))
}
