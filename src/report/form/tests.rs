//! What holds for any report, whatever text and numbers are in it.

use chrono::DateTime;
use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::sample::{charts, days, report, section, time};
use super::{csv, html, json, table};
use crate::report::{Bar, Body, Chart, Column, Figure, GanttRow, HeatRow, Line, Part, Report, Table, Tone, Unit};
use crate::store::Cell;

const UNITS: [Unit; 14] = [
    Unit::Text,
    Unit::Message,
    Unit::Result,
    Unit::Count,
    Unit::Percent,
    Unit::Times,
    Unit::Bytes,
    Unit::Change,
    Unit::Seconds,
    Unit::Hours,
    Unit::Time,
    Unit::Day,
    Unit::Month,
    Unit::Bool,
];

#[test]
fn the_sample_is_safe_html_without_script_or_anything_from_elsewhere() {
    let mut report = report();
    report.sections.extend(charts().into_iter().map(|chart| section("chart", "<Chart>", "", Body::Chart(chart))));
    let html = written(|out| html(&report, out));
    for forbidden in ["<script", "<i>", "<b>", "style=", "http", "@import", "NaN", "\u{1b}", "\u{9b}", "\u{202e}"] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    assert_well_formed(&html);
    for expected in [
        "<td class=\"short\"><span class=\"pill bad\">Failed</span></td>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "<title>Sun 1 Mar 2026: Success 3, &lt;Failed&gt; 1</title>",
        "Job &quot;Nightly&quot; &lt;b&gt;&amp; more&lt;/b&gt;",
        "None is late.",
        "to be mended",
    ] {
        assert!(html.contains(expected), "{expected}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_report_is_well_formed_in_all_forms(
        texts in prop::collection::vec(any::<String>(), 1..8),
        numbers in prop::collection::vec((any::<f64>(), any::<i64>(), -2_000_000_000..4_000_000_000_i64), 0..8),
        width in proptest::option::of(0..200_u16),
    ) {
        let report = any_report(&texts, &numbers);
        assert_well_formed(&written(|out| html(&report, out)));
        written(|out| table(&report, width, true, out));

        let json: serde_json::Value = serde_json::from_str(&written(|out| json(&report, out))).unwrap();
        prop_assert_eq!(&json["sections"][0]["rows"][0]["c0"], &texts[0]);

        let written = written(|out| csv(&report, None, out));
        let read: Vec<_> = ::csv::Reader::from_reader(written.as_bytes()).into_records().map(Result::unwrap).collect();
        prop_assert_eq!(read.len(), texts.len());
        for (record, text) in read.iter().zip(&texts) {
            prop_assert_eq!(record[0].strip_prefix('\'').unwrap_or(&record[0]), text.strip_prefix('\'').unwrap_or(text));
            prop_assert!(!record[0].starts_with(['=', '+', '-', '@']));
        }
    }

    #[test]
    fn no_line_is_wider_than_the_terminal(
        texts in prop::collection::vec("[ -~]{0,60}", 1..6),
        numbers in prop::collection::vec((-1e9..1e9, any::<i32>().prop_map(i64::from), 0..4_000_000_000_i64), 0..6),
        width in 40..200_u16,
    ) {
        let report = any_report(&texts, &numbers);
        for line in written(|out| table(&report, Some(width), false, out)).lines() {
            prop_assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
        }
    }
}

/// A report with these texts and numbers wherever there can be one, and every chart.
fn any_report(texts: &[String], numbers: &[(f64, i64, i64)]) -> Report {
    let text = |at: usize| texts[at % texts.len()].clone();
    let cell = |at: usize, row: usize| match numbers.get((at + row) % numbers.len().max(1)) {
        None => Cell::Null,
        Some((real, _, _)) if at % 4 == 1 => Cell::Real(*real),
        Some((_, whole, _)) if at % 4 == 2 => Cell::Int(*whole),
        Some((_, _, seconds)) if at % 4 == 3 => Cell::Time(DateTime::from_timestamp(*seconds, 0).unwrap()),
        Some(_) => Cell::Text(text(at + row)),
    };
    let names = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "c10", "c11", "c12", "c13"];
    let columns = UNITS.iter().zip(names).map(|(unit, name)| Column { name, title: "Two words", unit: *unit });
    let row = |(row, text): (usize, &String)| {
        let first = std::iter::once(Cell::Text(text.clone()));
        first.chain((1..UNITS.len()).map(|at| cell(at, row))).collect()
    };
    let table = Table {
        columns: columns.collect(),
        rows: texts.iter().enumerate().map(row).collect(),
        if_empty: "",
        sessions: vec![],
    };
    let figure = |(at, unit): (usize, &Unit)| Figure {
        name: names[at],
        label: text(at),
        value: cell(at, 1),
        unit: *unit,
        tone: tone(at),
    };
    let mut report = report();
    report.title = text(0);
    report.freshness.behind = texts.to_vec();
    report.sections = vec![
        section("table", &text(1), &text(2), Body::Table(table)),
        section("figures", &text(3), "", Body::Figures(UNITS.iter().enumerate().map(figure).collect())),
    ];
    let charts = any_charts(&text, numbers);
    report.sections.extend(charts.into_iter().map(|chart| section("chart", &text(4), "", Body::Chart(chart))));
    report
}

fn any_charts(text: &dyn Fn(usize) -> String, numbers: &[(f64, i64, i64)]) -> Vec<Chart> {
    let moment = |seconds: i64| DateTime::from_timestamp(seconds, 0).unwrap();
    let values: Vec<i64> = numbers.iter().map(|(_, whole, _)| *whole).collect();
    let part = |at| Part { name: text(at), tone: tone(at), values: values.clone() };
    let points: Vec<_> = numbers.iter().map(|(real, _, seconds)| (moment(*seconds), *real)).collect();
    let line = |at| Line { name: text(at), points: points.iter().skip(at).copied().collect() };
    let fields = numbers.iter().enumerate().map(|(at, (real, _, _))| (*real > 0.0).then(|| (tone(at), text(at))));
    let bar = |(at, (_, whole, seconds)): (usize, &(f64, i64, i64))| Bar {
        from: moment(*seconds),
        to: moment(seconds + whole % 100_000),
        tone: tone(at),
        text: text(at),
    };
    let (from, to) = (time("2026-03-01T00:00:00Z"), moment(numbers.first().map_or(0, |(_, _, seconds)| *seconds)));
    let mut charts: Vec<Chart> =
        UNITS.iter().map(|unit| Chart::Lines { unit: *unit, lines: (0..3).map(line).collect() }).collect();
    charts.extend([
        Chart::Columns { days: days(3), parts: (0..4).map(part).collect() },
        Chart::HeatMap { days: days(3), rows: vec![HeatRow { name: text(0), fields: fields.collect() }] },
        Chart::Gantt {
            from,
            to,
            rows: vec![GanttRow { name: text(1), bars: numbers.iter().enumerate().map(bar).collect() }],
        },
    ]);
    charts
}

fn tone(at: usize) -> Tone {
    [Tone::Plain, Tone::Good, Tone::Warning, Tone::Bad][at % 4]
}

fn written(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The body is well-formed XML, and every place and length in it is a number.
fn assert_well_formed(html: &str) {
    assert!(html.starts_with("<!DOCTYPE html><html lang=\"en\"><head>"));
    let (start, end) = (html.find("<body>").unwrap(), html.find("</body>").unwrap());
    let mut reader = Reader::from_str(&html[start..end + "</body>".len()]);
    let mut depth = 0;
    loop {
        match reader.read_event().unwrap() {
            Event::Start(element) => {
                depth += 1;
                assert_attributes(&element);
            }
            Event::End(_) => depth -= 1,
            Event::GeneralRef(name) => {
                assert!(["amp", "lt", "gt", "quot"].contains(&&*name), "{name:?}");
            }
            Event::Text(text) => {
                assert!(!text.contains(|c: char| c.is_control() && !"\n\t".contains(c)));
            }
            Event::Eof => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(depth, 0);
}

fn assert_attributes(element: &BytesStart<'_>) {
    const NUMBERS: [&str; 11] = ["x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height"];
    for attribute in element.attributes() {
        let attribute = attribute.unwrap();
        let (name, value) = (attribute.key.0, attribute.value);
        assert!(!name.starts_with("on") && name != "style", "{name}");
        let numbers: Vec<&str> = match name {
            "points" => value.split([' ', ',']).filter(|number| !number.is_empty()).collect(),
            name if NUMBERS.contains(&name) => vec![value.trim_end_matches('%')],
            _ => vec![],
        };
        for number in numbers {
            let number: f64 = number.parse().unwrap();
            assert!(
                number.is_finite() && (!["width", "height", "r"].contains(&name) || number >= 0.0),
                "{name}={value}"
            );
        }
    }
}
