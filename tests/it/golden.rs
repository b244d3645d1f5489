//! A golden world: a history small enough to check by hand, and what every view has to answer to it. The answers were
//! derived from what the views are said to mean (the comments on their columns), never from what they answered.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use vemsync::report::views::VIEWS;
use vemsync::store::{Cell, SqlStore, View};

use crate::support::database::{Database, both};
use crate::views::{answer, open};
use story::Story;

mod audit;
mod autumn;
mod jobs;
mod machines;
mod sessions;
mod story;
mod week;

/// A view, and the rows that it has to have: a line a row, cells between bars, null as a hyphen. The year 2026 is left
/// out of moments and days; lines that begin with a # explain.
type Expected = (&'static View, &'static str);

/// Tells the story to databases of both kinds and compares.
async fn check(story: Story, now: &str, all: &[Expected]) {
    let mut complaints = Vec::new();
    for database in both().await {
        story.fill(&database, now).await;
        let store = open(&database).await;
        let product = if database.is_postgres { "Postgres" } else { "SQLite" };
        for (view, expected) in all {
            let found = compare(&story, &store, view, expected).await;
            complaints.extend(found.iter().map(|line| format!("{product}: {} {line}", view.name)));
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

async fn compare(story: &Story, store: &SqlStore, view: &'static View, expected: &str) -> Vec<String> {
    let tidy = |line: &str| line.split('|').map(str::trim).collect::<Vec<_>>().join(" | ");
    let lines = expected.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut missing: Vec<String> = lines.map(tidy).collect();
    let mut surplus = Vec::new();
    for row in answer(store, view).await {
        let row = row.iter().map(|cell| render(story, cell)).collect::<Vec<_>>().join(" | ");
        match missing.iter().position(|line| *line == row) {
            Some(at) => drop(missing.remove(at)),
            None => surplus.push(format!("has   {row}")),
        }
    }
    missing.iter().map(|row| format!("lacks {row}")).chain(surplus).collect()
}

fn render(story: &Story, cell: &Cell) -> String {
    let of_the_year = |text: String| text.strip_prefix("2026-").map_or(text.clone(), str::to_owned);
    match cell {
        Cell::Null => "-".to_owned(),
        Cell::Text(text) => text.clone(),
        Cell::Uid(uid) => story.label(*uid).to_owned(),
        Cell::Int(value) => value.to_string(),
        Cell::Real(value) => value.to_string(),
        Cell::Time(time) => {
            let text = of_the_year(time.format("%Y-%m-%d %H:%M:%S%.f").to_string());
            text.strip_suffix(":00").map_or(text.clone(), str::to_owned)
        }
        Cell::Day(day) => of_the_year(day.to_string()),
        Cell::Bool(true) => "yes".to_owned(),
        Cell::Bool(false) => "no".to_owned(),
    }
}

#[tokio::test]
async fn golden_sessions() {
    check(week::story(), week::NOW, &[sessions::EXPECTED, &[sessions::of_machines()]].concat()).await;
}

#[tokio::test]
async fn golden_jobs() {
    check(week::story(), week::NOW, jobs::EXPECTED).await;
}

#[tokio::test]
async fn golden_machines() {
    check(week::story(), week::NOW, machines::EXPECTED).await;
}

#[tokio::test]
async fn golden_audit() {
    check(week::story(), week::NOW, audit::EXPECTED).await;
}

#[tokio::test]
async fn golden_months() {
    check(autumn::story(), autumn::NOW, autumn::EXPECTED).await;
}

#[test]
fn golden_answers_are_given_for_every_view() {
    let known =
        [sessions::EXPECTED, &[sessions::of_machines()], jobs::EXPECTED, machines::EXPECTED, audit::EXPECTED].concat();
    for view in VIEWS {
        assert_eq!(known.iter().filter(|(other, _)| other.name == view.name).count(), 1, "{}", view.name);
    }
}

/// A client may have any time zone, and some days of Berlin have 23 hours, others 25.
#[tokio::test]
async fn golden_answers_do_not_depend_on_the_clients_time_zone() {
    for (story, now) in [(week::story(), week::NOW), (autumn::story(), autumn::NOW)] {
        let database = Database::postgres().await;
        story.fill(&database, now).await;
        let mut conn = PgConnection::connect(&database.url).await.expect("a connection");
        // Compiling a large statement takes longer than running it.
        sqlx::raw_sql("set jit to off").execute(&mut conn).await.expect("a setting");
        for view in VIEWS {
            let sql = format!(
                "set timezone to 'UTC'; create temp table utc_{name} as select * from {name}; set timezone to 'Europe/Berlin'",
                name = view.name
            );
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.expect("an answer");
            let sql = format!(
                "select count(*) from ((table {name} except all table utc_{name}) union all (table utc_{name} except all table {name})) d",
                name = view.name
            );
            let rows: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut conn).await.expect("a number");
            assert_eq!(rows, 0, "{} answers otherwise in Berlin", view.name);
        }
    }
}
