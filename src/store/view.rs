//! Reading the views of the contract: which columns, which rows, in which order. What a view means is written in its SQL.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::database::{SqlStore, Tx, Value};
use super::sql::Dialect;
use super::{Error, Result};

/// A value out of a view.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing is known.
    Null,
    /// A name, a message, a state or a result.
    Text(String),
    /// An identity.
    Uid(Uuid),
    /// A count, a size in bytes or a duration in whole seconds or hours.
    Int(i64),
    /// A share in percent, or how many times a median.
    Real(f64),
    /// A moment.
    Time(DateTime<Utc>),
    /// A day; a month is its first day.
    Day(NaiveDate),
    /// Yes or no.
    Bool(bool),
}

/// What a column of a view holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// See [`Cell::Text`].
    Text,
    /// See [`Cell::Uid`].
    Uid,
    /// See [`Cell::Int`].
    Int,
    /// See [`Cell::Real`].
    Real,
    /// See [`Cell::Time`].
    Time,
    /// See [`Cell::Day`].
    Day,
    /// See [`Cell::Bool`].
    Bool,
}

/// A view of the contract: its name, and its columns in their order.
#[derive(Debug)]
pub struct View {
    /// Its name.
    pub name: &'static str,
    /// Names and types of its columns.
    pub columns: &'static [(&'static str, Type)],
}

/// Which rows of a view are wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// The column is this or more.
    From(&'static str, Cell),
    /// The column is less than this.
    Before(&'static str, Cell),
    /// The column is this.
    Is(&'static str, Cell),
}

/// A question to a view.
#[derive(Debug, Clone)]
pub struct Select {
    view: &'static View,
    columns: Vec<(&'static str, Type)>,
    filters: Vec<Filter>,
    order: &'static str,
    limit: Option<u32>,
}

impl Select {
    /// These columns of a view.
    ///
    /// # Panics
    /// If the view has no such column.
    #[must_use]
    pub fn new(view: &'static View, columns: &[&'static str]) -> Self {
        let typed = |name: &&'static str| {
            let column = view.columns.iter().find(|(column, _)| column == name);
            *column.unwrap_or_else(|| panic!("{} has no column {name}", view.name))
        };
        Self { view, columns: columns.iter().map(typed).collect(), filters: Vec::new(), order: "", limit: None }
    }

    /// Only rows for which this holds, too.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filters.push(filter);
        self
    }

    /// In this order: what stands behind `order by`.
    #[must_use]
    pub fn order(mut self, order: &'static str) -> Self {
        self.order = order;
        self
    }

    /// No more rows than this.
    #[must_use]
    pub fn limit(mut self, rows: u32) -> Self {
        self.limit = Some(rows);
        self
    }

    /// Names of the columns, in their order.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.columns.iter().map(|(name, _)| *name).collect()
    }

    fn sql(&self, dialect: Dialect) -> (String, Vec<Value>) {
        let mut sql = format!("select {} from {}", self.names().join(", "), self.view.name);
        let mut values = Vec::new();
        for (n, filter) in self.filters.iter().enumerate() {
            let (column, operator, cell) = match filter {
                Filter::From(column, cell) => (column, ">=", cell),
                Filter::Before(column, cell) => (column, "<", cell),
                Filter::Is(column, cell) => (column, "=", cell),
            };
            let joint = if n == 0 { "where" } else { "and" };
            let cast = if dialect == Dialect::Postgres && matches!(cell, Cell::Day(_)) { "::date" } else { "" };
            sql.push_str(&format!(" {joint} {column} {operator} ${}{cast}", n + 1));
            values.push(bound(cell));
        }
        if !self.order.is_empty() {
            sql.push_str(&format!(" order by {}", self.order));
        }
        if let Some(rows) = self.limit {
            sql.push_str(&format!(" limit {rows}"));
        }
        (sql, values)
    }
}

fn bound(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Text(None),
        Cell::Text(text) => Value::Text(Some(text.clone())),
        Cell::Uid(uid) => Value::Uid(Some(*uid)),
        Cell::Int(value) => Value::Int(Some(*value)),
        Cell::Real(value) => Value::Real(*value),
        Cell::Time(time) => Value::Time(Some(*time)),
        Cell::Day(day) => Value::Text(Some(day.to_string())),
        Cell::Bool(value) => Value::Bool(Some(*value)),
    }
}

/// What the reports need of a database.
#[async_trait]
pub trait Views: Send + Sync {
    /// The rows that a question asks for, a cell a column.
    async fn select(&self, select: &Select) -> Result<Vec<Vec<Cell>>>;
}

impl SqlStore {
    /// Lets the reports take this moment for the present, unless they take another one already.
    ///
    /// # Errors
    /// If it cannot be written.
    pub async fn stop_clock(&self, at: DateTime<Utc>) -> Result<()> {
        let mut tx = self.begin().await?;
        let statement = "update report_settings set as_of = $1 where job_uid = $2 and as_of is null";
        tx.execute(statement, vec![at.into(), Uuid::nil().into()]).await?;
        tx.commit().await
    }
}

#[async_trait]
impl Views for SqlStore {
    async fn select(&self, select: &Select) -> Result<Vec<Vec<Cell>>> {
        rows(&mut self.begin_read().await?, select).await
    }
}

pub(super) async fn rows(tx: &mut Tx, select: &Select) -> Result<Vec<Vec<Cell>>> {
    let (sql, values) = select.sql(tx.dialect());
    let cells =
        |row: &super::database::Row| select.columns.iter().enumerate().map(|(at, (_, ty))| row.cell(at, *ty)).collect();
    tx.map(&sql, values, cells).await
}

impl super::database::Row {
    pub(super) fn cell(&self, column: usize, ty: Type) -> Result<Cell> {
        let cell = match ty {
            Type::Text => self.text(column)?.map(Cell::Text),
            Type::Uid => self.maybe_uid(column)?.map(Cell::Uid),
            Type::Int => self.maybe_int(column)?.map(Cell::Int),
            Type::Real => self.maybe_real(column)?.map(Cell::Real),
            Type::Time => self.maybe_time(column)?.map(Cell::Time),
            Type::Day => self.maybe_day(column)?.map(Cell::Day),
            Type::Bool => self.maybe_bool(column)?.map(Cell::Bool),
        };
        Ok(cell.unwrap_or(Cell::Null))
    }
}

/// The day of a text like `2026-03-01`, as SQLite stores it.
pub(super) fn day(text: String) -> Result<NaiveDate> {
    text.parse().map_err(|_| Error::Value(text))
}
