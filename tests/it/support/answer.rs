//! The answer to any query, the same on both databases: spelt as SQLite spells it, drawn as its shell draws it.

use std::fmt::{self, Display, Formatter};

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column as _, Connection as _, Row, TypeInfo as _, ValueRef as _};

use super::database::Database;

#[derive(Debug, PartialEq)]
pub struct Answer {
    columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Answer {
    pub async fn of(database: &Database, sql: &str) -> Self {
        // A plain statement: Postgres then sends every value as text.
        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        if database.is_postgres {
            let mut conn = PgConnection::connect(&database.url).await.expect("a connection");
            let rows = query.fetch_all(&mut conn).await.expect(sql);
            Self { columns: names(&rows), rows: rows.iter().map(|row| cells(row, postgres_cell)).collect() }
        } else {
            let mut conn = SqliteConnection::connect(&database.url).await.expect("a connection");
            let rows = query.fetch_all(&mut conn).await.expect(sql);
            Self { columns: names(&rows), rows: rows.iter().map(|row| cells(row, sqlite_cell)).collect() }
        }
    }
}

fn names<R: Row>(rows: &[R]) -> Vec<String> {
    rows.first().map(|row| row.columns().iter().map(|column| column.name().to_owned()).collect()).unwrap_or_default()
}

fn cells<R: Row>(row: &R, cell: fn(&R, usize) -> String) -> Vec<String> {
    (0..row.len()).map(|at| cell(row, at)).collect()
}

fn sqlite_cell(row: &SqliteRow, at: usize) -> String {
    let value = row.try_get_raw(at).expect("a value");
    match value.type_info().name() {
        _ if value.is_null() => String::new(),
        "REAL" => format!("{:?}", row.get_unchecked::<f64, _>(at)),
        "INTEGER" => row.get_unchecked::<i64, _>(at).to_string(),
        _ => row.get_unchecked(at),
    }
}

fn postgres_cell(row: &PgRow, at: usize) -> String {
    let value = row.try_get_raw(at).expect("a value");
    if value.is_null() {
        return String::new();
    }
    let ty = value.type_info().name().to_owned();
    let text = value.as_str().expect("text");
    match ty.as_str() {
        "BOOL" => i32::from(text == "t").to_string(),
        "FLOAT8" => format!("{:?}", text.parse::<f64>().expect("a number")),
        // 2026-03-02 09:20:00.123+00
        "TIMESTAMPTZ" => {
            let (time, zone) = text.rsplit_once('+').expect("a zone");
            assert_eq!(zone, "00", "the session's zone is UTC");
            let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
            format!("{}.{fraction:0<6}Z", seconds.replace(' ', "T"))
        }
        _ => text.to_owned(),
    }
}

impl Display for Answer {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let width = |text: &String| text.chars().count();
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|at| self.rows.iter().map(|row| &row[at]).chain([&self.columns[at]]).map(width).max().unwrap_or(0))
            .collect();
        let rule = |left: &str, middle: &str, right: &str| {
            let lines: Vec<String> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
            format!("{left}{}{right}", lines.join(middle))
        };
        let line = |cells: &[String]| {
            let padded: Vec<String> =
                cells.iter().zip(&widths).map(|(cell, width)| format!(" {cell:<width$} ")).collect();
            format!("│{}│", padded.join("│"))
        };
        writeln!(out, "{}\n{}", rule("┌", "┬", "┐"), line(&self.columns))?;
        writeln!(out, "{}", rule("├", "┼", "┤"))?;
        for row in &self.rows {
            writeln!(out, "{}", line(row))?;
        }
        writeln!(out, "{}", rule("└", "┴", "┘"))
    }
}
