//! What the pages say of the database is what the database says itself. Where they are old, this writes them anew:
//! `VEMSYNC_WRITE_DOCS=1 cargo test --test it docs`.

use std::fmt::Write as _;
use std::path::Path;

use chrono::{DateTime, Utc};
use vemsync::timestamp;

use crate::support::answer::Answer;
use crate::support::database::{Database, both};
use crate::support::program::{Place, run};

/// What `docs/REPORTS.md` is about; each has an example there.
const VIEWS: [&str; 15] = [
    "sessions",
    "job_runs",
    "job_status",
    "job_daily_results",
    "vm_protection",
    "vm_daily_status",
    "failures",
    "running_sessions",
    "restore_audit",
    "failover_audit",
    "cdp_status",
    "size_growth",
    "daily_results",
    "audit_monthly",
    "sync_freshness",
];

#[tokio::test]
async fn the_data_dictionary_page_is_what_both_databases_say() {
    let [sqlite, postgres] = both().await;
    for database in [&sqlite, &postgres] {
        database.open().await.close().await;
    }
    // Postgres alone knows the columns of a view in their order.
    let columns = postgres
        .query(
            "select d.table_name, d.column_name, d.data_type, d.description from data_dictionary d
             left join information_schema.columns c
               on c.table_schema = current_schema() and c.table_name = d.table_name and c.column_name = d.column_name
             order by d.table_name collate \"C\", c.ordinal_position nulls first",
        )
        .await;
    let types = sqlite.query("select table_name, column_name, data_type from data_dictionary").await;
    let sqlite_type = |table: &str, column: &str| {
        let found = types.iter().find(|row| row[0].as_deref() == Some(table) && row[1].as_deref() == Some(column));
        found.and_then(|row| row[2].clone()).unwrap_or_default()
    };

    let mut page = DICTIONARY.to_owned();
    for row in &columns {
        let [table, column, ty, text] = [0, 1, 2, 3].map(|at| row[at].as_deref());
        let (table, ty, text) =
            (table.expect("a table"), ty.expect("a type"), text.expect("a comment").replace('|', "\\|"));
        match column {
            None => {
                let _ = write!(
                    page,
                    "\n## {table}\n\n{text}. ({ty})\n\n| column | Postgres | SQLite | meaning |\n|---|---|---|---|\n"
                );
            }
            Some(column) => {
                let _ = writeln!(page, "| `{column}` | {ty} | {} | {text} |", sqlite_type(table, column));
            }
        }
    }
    settle("docs/DATA_DICTIONARY.md", &page);
}

const DICTIONARY: &str = "# Data dictionary

Every table and view with its columns, as the view `data_dictionary` lists them on both databases. [SCHEMA.md](SCHEMA.md) explains the tables, [REPORTS.md](REPORTS.md) the views for reports. SQLite names no type for some computed columns; their values are as the type of Postgres says, by the conventions in SCHEMA.md.

This page is written by a test: `VEMSYNC_WRITE_DOCS=1 cargo test --test it docs`.
";

#[tokio::test]
async fn every_example_of_the_reports_page_answers_alike_on_both_and_as_it_stands_there() {
    let [sqlite, postgres] = both().await;
    for database in [&sqlite, &postgres] {
        demonstrate(database).await;
    }
    let old = read("docs/REPORTS.md");
    let mut page = String::new();
    let mut examples = Vec::new();
    let mut rest = old.as_str();
    while let Some((before, query, after)) = next_example(rest) {
        let answer = Answer::of(&sqlite, query).await;
        assert_eq!(answer, Answer::of(&postgres, query).await, "{query}");
        assert!((1..=5).contains(&answer.rows.len()), "{} rows: {query}", answer.rows.len());
        let _ = write!(page, "{before}{answer}");
        examples.push(query);
        rest = after;
    }
    page.push_str(rest);
    for view in VIEWS {
        let is_shown = examples.iter().any(|query| query.contains(&format!("from {view}\n")));
        assert!(is_shown, "{view} has no example");
    }
    settle("docs/REPORTS.md", &page);
}

/// The data of `vemsync demo`, at a moment that stands in the page.
async fn demonstrate(database: &Database) {
    let now: DateTime<Utc> = timestamp::parse("2026-03-02T09:20:00Z").expect("a time");
    let store = database.open().await;
    // The demonstration ends when it was run for the first time.
    store.manager("demo", "", None, now).await.expect("a manager");
    store.close().await;
    let place = Place::new("demo");
    let ended = run(place.command(&["demo", "--database", &database.url])).await;
    assert_eq!(ended.status, Some(0), "{}", ended.err);
    let now = timestamp::format(now);
    database.execute(&format!("update report_settings set as_of = '{now}'")).await;
    // When a stream was read is the only thing that this machine's clock decides.
    database.execute(&format!("update sync_marks set scanned_at = '{now}'")).await;
}

/// What stands before the next example's answer, its query, and what stands after the answer.
fn next_example(page: &str) -> Option<(&str, &str, &str)> {
    let begin = page.find("```sql\n")? + "```sql\n".len();
    let end = begin + page[begin..].find(";\n```\n\n```text\n").expect("a query with an answer");
    let answer = end + ";\n```\n\n```text\n".len();
    let after = answer + page[answer..].find("```").expect("an end");
    Some((&page[..answer], &page[begin..end], &page[after..]))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap_or_default()
}

/// Fails if the page is not as it has to be, or writes it where that is wished for.
fn settle(name: &str, page: &str) {
    if std::env::var_os("VEMSYNC_WRITE_DOCS").is_some() {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(name), page).expect("a written page");
        return;
    }
    let old = read(name);
    let different = old.lines().zip(page.lines()).position(|(old, new)| old != new);
    let line = different.unwrap_or_else(|| old.lines().count().min(page.lines().count()));
    assert!(
        old == page,
        "{name} is old: line {} should be\n{}\nwrite it anew with VEMSYNC_WRITE_DOCS=1 cargo test --test it docs",
        line + 1,
        page.lines().nth(line).unwrap_or_default()
    );
}
