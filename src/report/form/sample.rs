//! A small report with everything that one can have in it, and text that nobody should trust.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Europe::Berlin;
use uuid::Uuid;

use crate::report::{
    Bar, Body, Chart, Column, Figure, Freshness, GanttRow, HeatRow, Line, Part, Period, Report, Section, Table, Tone,
    Unit,
};
use crate::store::Cell;

pub(super) fn report() -> Report {
    Report {
        name: "sample",
        title: "Job \"Nightly\" <b>& more</b>".to_owned(),
        period: Period {
            since: time("2026-02-28T23:00:00Z"),
            until: time("2026-03-07T23:00:00Z"),
            as_of: time("2026-03-08T05:00:00Z"),
            zone: Berlin,
        },
        sections: vec![
            section("summary", "Summary", "What counts & what does not.", Body::Figures(figures())),
            section("units", "One of each", "", Body::Table(units())),
            section("days", "A chart <script>alert(1)</script>", "", Body::Chart(columns())),
            section("odd", "Odd names", "", Body::Table(odd())),
            section(
                "late",
                "Late",
                "",
                Body::Table(Table {
                    columns: odd().columns,
                    rows: vec![],
                    if_empty: "None is late.",
                    sessions: vec![],
                }),
            ),
        ],
        freshness: Freshness {
            read_until: Some(time("2026-03-08T04:55:00Z")),
            behind: vec!["server \u{1b}[31m<lyon> has sent nothing since 2026-03-02".to_owned()],
        },
    }
}

pub(super) fn section(id: &'static str, title: &str, note: &str, body: Body) -> Section {
    Section { id, title: title.to_owned(), note: note.to_owned(), body }
}

fn figures() -> Vec<Figure> {
    let figure = |name, label: &str, value, unit, tone| Figure { name, label: label.to_owned(), value, unit, tone };
    vec![
        figure("runs", "Runs", Cell::Int(12_345), Unit::Count, Tone::Plain),
        figure("success_pct", "Success rate", Cell::Real(99.96), Unit::Percent, Tone::Good),
        figure("longest_gap_hours", "Longest gap", Cell::Int(51), Unit::Hours, Tone::Bad),
        figure("change_bytes", "Change", Cell::Int(-1_610_612_736), Unit::Change, Tone::Warning),
        figure("next", "Next <run>", Cell::Null, Unit::Time, Tone::Plain),
    ]
}

/// A row with a value of each unit, one where all are null.
fn units() -> Table {
    let columns = vec![
        column("job_name", "Job", Unit::Text),
        column("job_uid", "UID", Unit::Text),
        column("result", "Result", Unit::Result),
        column("runs", "Runs", Unit::Count),
        column("success_pct", "Success", Unit::Percent),
        column("times_median", "Of its median", Unit::Times),
        column("total_size_bytes", "Size", Unit::Bytes),
        column("change_7d_bytes", "In 7 days", Unit::Change),
        column("duration_seconds", "Took", Unit::Seconds),
        column("hours_since_good", "Since good", Unit::Hours),
        column("end_time", "Ended", Unit::Time),
        column("day", "Day", Unit::Day),
        column("month", "Month", Unit::Month),
        column("within_rpo", "Within RPO", Unit::Bool),
        column("message", "Message", Unit::Message),
    ];
    let day = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
    let row = vec![
        text("Nightly"),
        Cell::Uid(Uuid::from_u128(7)),
        text("Failed"),
        Cell::Int(1_204),
        Cell::Real(98.25),
        Cell::Real(2.5),
        Cell::Int(1_649_267_441_664),
        Cell::Int(-1_024),
        Cell::Int(3_900),
        Cell::Int(51),
        Cell::Time(time("2026-03-01T01:30:00.5Z")),
        Cell::Day(day),
        Cell::Day(day),
        Cell::Bool(true),
        text("The first line,\r\nand \"another\""),
    ];
    let nothing = vec![Cell::Null; columns.len()];
    Table { columns, rows: vec![row, nothing], if_empty: "", sessions: vec![] }
}

fn odd() -> Table {
    let names = [
        "<script>alert(1)</script>".to_owned(),
        "quotes \" ' & <b>".to_owned(),
        "=1+1".to_owned(),
        "-2+3,\"x\"".to_owned(),
        "@sum".to_owned(),
        "\tTab".to_owned(),
        "two\nlines".to_owned(),
        "\u{1b}[31mred\u{9b}".to_owned(),
        "\u{202e}gnp.exe".to_owned(),
        "שרת גיבוי".to_owned(),
        "💾 备份服务器".to_owned(),
        "long".repeat(30),
        String::new(),
    ];
    let results = ["Success", "Warning", "Failed"].into_iter().cycle();
    let row = |((name, result), n)| vec![Cell::Text(name), text(result), Cell::Int(n)];
    Table {
        columns: vec![
            column("name", "Name", Unit::Text),
            column("result", "Result", Unit::Result),
            column("n", "N", Unit::Count),
        ],
        rows: names.into_iter().zip(results).zip(-3..).map(row).collect(),
        if_empty: "",
        sessions: vec![],
    }
}

/// A chart of each kind.
pub(super) fn charts() -> Vec<Chart> {
    let (from, to) = (time("2026-03-01T00:00:00Z"), time("2026-03-02T00:00:00Z"));
    let bar = Bar { from, to: time("2026-03-01T02:00:00Z"), tone: Tone::Bad, text: "Failed <i>".to_owned() };
    vec![
        columns(),
        Chart::Lines {
            unit: Unit::Seconds,
            lines: vec![Line { name: "<Nightly>".to_owned(), points: vec![(from, 60.0), (to, 7_200.0)] }],
        },
        Chart::HeatMap {
            days: days(2),
            rows: vec![HeatRow {
                name: "<Nightly>".to_owned(),
                fields: vec![Some((Tone::Warning, "a & b".to_owned())), None],
            }],
        },
        Chart::Gantt { from, to, rows: vec![GanttRow { name: "<Nightly>".to_owned(), bars: vec![bar] }] },
    ]
}

fn columns() -> Chart {
    let part = |name: &str, tone, values: &[i64]| Part { name: name.to_owned(), tone, values: values.to_vec() };
    Chart::Columns {
        days: days(3),
        parts: vec![part("Success", Tone::Good, &[3, 0, 4]), part("<Failed>", Tone::Bad, &[1, 0])],
    }
}

pub(super) fn days(count: usize) -> Vec<NaiveDate> {
    NaiveDate::from_ymd_opt(2026, 3, 1).unwrap().iter_days().take(count).collect()
}

fn column(name: &'static str, title: &'static str, unit: Unit) -> Column {
    Column { name, title, unit }
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

pub(super) fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}
