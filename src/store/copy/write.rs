//! Storing copied rows: one statement that inserts what is new, brings to the source's state what differs, and writes
//! nothing for the rest.

use sqlx::{AssertSqlSafe, PgConnection, SqliteConnection};

use super::super::Result;
use super::super::database::{Pools, Tx};
use super::super::sql::Dialect;
use super::row::{Cell, Row};
use super::table::{Table, Ty};

/// Rows in one statement on SQLite. Smaller rests use powers of two, so that few statements are prepared.
const CHUNK: usize = 128;

/// Stores rows in a transaction of their own, and returns how many were new or different.
pub(super) async fn write(pools: &Pools, table: &Table, rows: &[Row]) -> Result<u64> {
    let mut tx = pools.begin().await?;
    let written = match &mut tx {
        Tx::Postgres(tx) => postgres(tx, table, rows).await?,
        Tx::Sqlite(tx) => sqlite(tx, table, rows).await?,
    };
    tx.commit().await?;
    Ok(written)
}

/// Deletes all rows of a table.
pub(super) async fn empty(pools: &Pools, table: &str) -> Result<()> {
    let mut tx = pools.begin().await?;
    tx.execute(&format!("delete from {table}"), vec![]).await?;
    tx.commit().await
}

/// Lets the numbers that a table gives by itself go on after the greatest one that was copied. SQLite does so anyway.
pub(super) async fn go_on(pools: &Pools, table: &Table) -> Result<()> {
    let mut tx = pools.begin().await?;
    if tx.dialect() == Dialect::Postgres {
        let next = "select setval(pg_get_serial_sequence($1, 'id'), coalesce(max(id), 1), max(id) is not null) from";
        tx.query(&format!("{next} {}", table.name), vec![table.name.into()]).await?;
    }
    tx.commit().await
}

async fn postgres(conn: &mut PgConnection, table: &Table, rows: &[Row]) -> Result<u64> {
    let (mut casts, mut arrays) = (Vec::new(), Vec::new());
    for (at, column) in table.columns.iter().enumerate() {
        let (array, cast) = match column.ty {
            Ty::Int => ("bigint[]", ""),
            Ty::Bool => ("bigint[]", " <> 0"),
            Ty::Real => ("double precision[]", ""),
            Ty::Text => ("text[]", ""),
            Ty::Uid => ("text[]", "::uuid"),
            Ty::Time => ("text[]", "::timestamptz"),
            Ty::Json => ("text[]", "::jsonb"),
        };
        casts.push(format!("{name}{cast} as {name}", name = column.name));
        arrays.push(format!("${}::{array}", at + 1));
    }
    let names: Vec<&str> = table.names().collect();
    let source = format!("(select {} from unnest({}) as u({}))", casts.join(", "), arrays.join(", "), names.join(", "));
    let of =
        |alias: &str, names: &[&str]| names.iter().map(|name| format!("{alias}.{name}")).collect::<Vec<_>>().join(", ");
    let (key, _) = names.split_at(table.key);
    // A conflicting row is locked, and so written, even where nothing is updated: those that are the same must not get
    // that far. The offset keeps the planner from reading the whole table for each batch.
    let sql = format!(
        "insert into {} ({}) overriding system value select * from {source} v\n\
         where not exists (select from {} o where ({}) = ({}) and ({}) is not distinct from ({}) offset 0)\n\
         on conflict ({}) do update set {}",
        table.name,
        names.join(", "),
        table.name,
        of("o", key),
        of("v", key),
        of("o", &names),
        of("v", &names),
        key.join(", "),
        fresh(table),
    );
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
    for (at, column) in table.columns.iter().enumerate() {
        let cells = rows.iter().map(|row| &row[at]);
        query = match column.ty {
            Ty::Int | Ty::Bool => query.bind(cells.map(int).collect::<Vec<_>>()),
            Ty::Real => query.bind(cells.map(real).collect::<Vec<_>>()),
            Ty::Text | Ty::Uid | Ty::Time | Ty::Json => query.bind(cells.map(text).collect::<Vec<_>>()),
        };
    }
    Ok(query.execute(conn).await?.rows_affected())
}

fn int(cell: &Cell) -> Option<i64> {
    if let Cell::Int(value) = cell { Some(*value) } else { None }
}

fn real(cell: &Cell) -> Option<f64> {
    if let Cell::Real(value) = cell { Some(*value) } else { None }
}

fn text(cell: &Cell) -> Option<&str> {
    if let Cell::Text(text) = cell { Some(text) } else { None }
}

async fn sqlite(conn: &mut SqliteConnection, table: &Table, mut rows: &[Row]) -> Result<u64> {
    let names: Vec<&str> = table.names().collect();
    let (key, others) = names.split_at(table.key);
    let of = |alias: &str| others.iter().map(|name| format!("{alias}.{name}")).collect::<Vec<_>>().join(", ");
    let one = format!("({})", vec!["?"; names.len()].join(","));
    let mut written = 0;
    while !rows.is_empty() {
        let count = if rows.len() >= CHUNK { CHUNK } else { 1 << rows.len().ilog2() };
        let (chunk, rest) = rows.split_at(count);
        let sql = format!(
            "insert into {} as t ({}) values {} on conflict ({}) do update set {} where ({}) is distinct from ({})",
            table.name,
            names.join(", "),
            vec![one.as_str(); count].join(","),
            key.join(", "),
            fresh(table),
            of("t"),
            of("excluded"),
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for cell in chunk.iter().flatten() {
            query = match cell {
                Cell::Null => query.bind(None::<i64>),
                Cell::Int(value) => query.bind(*value),
                Cell::Real(value) => query.bind(*value),
                Cell::Text(text) => query.bind(text.clone()),
            };
        }
        written += query.execute(&mut *conn).await?.rows_affected();
        rows = rest;
    }
    Ok(written)
}

/// All columns but the key, as they come.
fn fresh(table: &Table) -> String {
    let others = table.names().skip(table.key);
    others.map(|name| format!("{name} = excluded.{name}")).collect::<Vec<_>>().join(", ")
}
