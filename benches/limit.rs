//! The limit that a fresh load into SQLite is compared with: the rows of a loaded database, held in memory, go by
//! prepared statements of many rows into an empty table of the same shape, through the same driver. `scripts/bench`
//! runs it.
//!
//! Arguments: the loaded database, a file for the copy. Prints the seconds that the inserts took, commits included.

use std::sync::Arc;
use std::time::Instant;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _, SqliteConnection, ValueRef as _};

const TABLE: &str = "backup_task_sessions";

/// Rows in a statement and in a transaction, as many as a sync has.
const STATEMENT: usize = 128;
const TRANSACTION: usize = 2000;

enum Cell {
    Null,
    Int(i64),
    Text(Arc<str>),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> sqlx::Result<()> {
    let mut files = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let (Some(source), Some(target)) = (files.next(), files.next()) else {
        // `cargo bench` without arguments has nothing to compare with.
        return Ok(());
    };
    let mut source = SqliteConnectOptions::new().filename(source).read_only(true).connect().await?;
    let mut target = SqliteConnectOptions::new()
        .filename(target)
        .create_if_missing(true)
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Normal)
        .pragma("temp_store", "memory")
        .journal_mode(SqliteJournalMode::Wal)
        .pragma("cache_size", "-20000")
        .pragma("wal_autocheckpoint", "16000")
        .connect()
        .await?;
    for parent in ["enterprise_managers", "backup_servers"] {
        make_table(&mut source, &mut target, parent).await?;
        let rows = read(&mut source, parent).await?;
        insert(&mut target, parent, &rows).await?;
    }
    make_table(&mut source, &mut target, TABLE).await?;
    let rows = read(&mut source, TABLE).await?;

    let begun = Instant::now();
    insert(&mut target, TABLE, &rows).await?;
    #[expect(clippy::print_stdout, reason = "the result")]
    {
        println!("{:.3}", begun.elapsed().as_secs_f64());
    }
    target.close().await
}

/// The table with its indexes and foreign keys, as it stands in the loaded database.
async fn make_table(source: &mut SqliteConnection, target: &mut SqliteConnection, table: &str) -> sqlx::Result<()> {
    let statements = sqlx::query_scalar("select sql from sqlite_master where tbl_name = ? and sql is not null");
    let statements: Vec<String> = statements.bind(table).fetch_all(source).await?;
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *target).await?;
    }
    Ok(())
}

/// All rows, in the order in which they were stored.
async fn read(source: &mut SqliteConnection, table: &str) -> sqlx::Result<Vec<Vec<Cell>>> {
    let query = format!("select * from {table} order by rowid");
    sqlx::query(AssertSqlSafe(query))
        .try_map(|row: SqliteRow| (0..row.len()).map(|n| cell(&row, n)).collect())
        .fetch_all(source)
        .await
}

fn cell(row: &SqliteRow, column: usize) -> sqlx::Result<Cell> {
    use sqlx::{TypeInfo as _, Value as _};
    let value = row.try_get_raw(column)?.to_owned();
    Ok(match value.type_info().name() {
        _ if value.is_null() => Cell::Null,
        "INTEGER" => Cell::Int(row.try_get(column)?),
        _ => Cell::Text(row.try_get::<String, _>(column)?.into()),
    })
}

async fn insert(target: &mut SqliteConnection, table: &str, rows: &[Vec<Cell>]) -> sqlx::Result<()> {
    let columns = rows.first().map_or(0, Vec::len);
    let row = format!("({})", vec!["?"; columns].join(","));
    let statement =
        |rows| Arc::<str>::from(format!("insert into {table} values {}", vec![row.as_str(); rows].join(",")));
    let whole = statement(STATEMENT);
    for transaction in rows.chunks(TRANSACTION) {
        let mut tx = target.begin_with("begin immediate").await?;
        for some in transaction.chunks(STATEMENT) {
            let text = if some.len() == STATEMENT { whole.clone() } else { statement(some.len()) };
            let mut query = sqlx::query(AssertSqlSafe(text));
            for cell in some.iter().flatten() {
                query = match cell {
                    Cell::Null => query.bind(None::<&str>),
                    Cell::Int(value) => query.bind(*value),
                    Cell::Text(text) => query.bind(text.clone()),
                };
            }
            query.execute(&mut *tx).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}
