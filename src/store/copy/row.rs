//! Rows in the one form that both databases have in common, which is what SQLite keeps: numbers and text, times in a
//! text of fixed width, identities in lower case, JSON without spaces and with sorted keys.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::super::database;
use super::super::database::Tx;
use super::super::{Error, Result};
use super::table::{Column, Order, Table, Ty};
use super::{CopyError, End, Outcome};
use crate::timestamp;

/// A value. The order is that of keys.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(Arc<str>),
}

pub(super) type Row = Vec<Cell>;

/// A batch ends with the first of the two.
const MOST_ROWS: usize = 2048;
const MOST_BYTES: usize = 4 << 20;

/// The rows of a table, one by one, until the token says that it is enough.
pub(super) struct Rows<'a> {
    stream: BoxStream<'a, Result<database::Row>>,
    table: &'a Table,
    order: Order,
    last_key: Row,
    end: End,
    cancel: &'a CancellationToken,
}

impl<'a> Rows<'a> {
    pub(super) fn of(
        (end, tx): (End, &'a mut Tx),
        table: &'a Table,
        order: Order,
        cancel: &'a CancellationToken,
    ) -> Self {
        let select = table.select(tx.dialect(), order);
        Self { stream: tx.stream(select, Vec::new()), table, order, last_key: Vec::new(), end, cancel }
    }

    pub(super) async fn next(&mut self) -> Outcome<Option<Row>> {
        if self.cancel.is_cancelled() {
            return Err(CopyError::Interrupted);
        }
        let Some(row) = self.stream.next().await else { return Ok(None) };
        let row = row.and_then(|row| self.read(&row)).map_err(self.end.failed())?;
        Ok(Some(row))
    }

    /// So many rows as can be kept in memory; none at the end.
    pub(super) async fn batch(&mut self) -> Outcome<Vec<Row>> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while rows.len() < MOST_ROWS && bytes < MOST_BYTES {
            let Some(row) = self.next().await? else { break };
            bytes += row.iter().map(|cell| if let Cell::Text(text) = cell { text.len() } else { 0 }).sum::<usize>();
            rows.push(row);
        }
        Ok(rows)
    }

    fn read(&mut self, row: &database::Row) -> Result<Row> {
        let columns = self.table.columns.iter().enumerate();
        let cells = columns.map(|(at, column)| cell(row, at, column, self.table.name)).collect::<Result<Row>>()?;
        if self.order == Order::Key {
            let key = &cells[..self.table.key];
            // A key that SQLite keeps in another spelling than its own could come twice, or out of turn.
            if !self.last_key.is_empty() && self.last_key.as_slice() >= key {
                return Err(Error::Value(format!("{}: {}", self.table.name, spelt(key))));
            }
            self.last_key = key.to_vec();
        }
        Ok(cells)
    }
}

/// A key as it can be shown.
pub(super) fn spelt(key: &[Cell]) -> String {
    let spelt = key.iter().map(|cell| match cell {
        Cell::Null => "null".to_owned(),
        Cell::Int(value) => value.to_string(),
        Cell::Real(value) => value.to_string(),
        Cell::Text(text) => text.to_string(),
    });
    spelt.collect::<Vec<_>>().join(" ")
}

fn cell(row: &database::Row, at: usize, column: &Column, table: &str) -> Result<Cell> {
    let text = match column.ty {
        Ty::Int => return Ok(row.maybe_int(at)?.map_or(Cell::Null, Cell::Int)),
        Ty::Bool => return Ok(row.maybe_bool(at)?.map_or(Cell::Null, |value| Cell::Int(value.into()))),
        Ty::Real => return Ok(row.maybe_real(at)?.map_or(Cell::Null, Cell::Real)),
        Ty::Text => row.text(at)?,
        Ty::Uid => row.maybe_uid(at)?.map(|uid| uid.hyphenated().to_string()),
        Ty::Time => row.maybe_time(at)?.map(|time| known_time(time, column, table)).transpose()?,
        Ty::Json => row.text(at)?.map(|text| json(&text, column, table)).transpose()?,
    };
    Ok(text.map_or(Cell::Null, |text| Cell::Text(text.into())))
}

/// Postgres has times that SQLite's text cannot hold.
fn known_time(time: chrono::DateTime<chrono::Utc>, column: &Column, table: &str) -> Result<String> {
    let text = timestamp::format(time);
    let is_kept = timestamp::parse(&text) == Some(time);
    if is_kept { Ok(text) } else { Err(Error::Value(format!("{table}.{}: {time}", column.name))) }
}

fn json(text: &str, column: &Column, table: &str) -> Result<String> {
    match serde_json::from_str::<serde_json::Value>(text) {
        // Objects are sorted maps here.
        Ok(value) => Ok(value.to_string()),
        Err(_) => {
            let beginning: String = text.chars().take(80).collect();
            Err(Error::Value(format!("{table}.{}: {beginning}", column.name)))
        }
    }
}

/// The sum of a table's rows, which have to come in the order of their keys.
#[derive(Default)]
pub(super) struct Digest {
    pub(super) rows: u64,
    sum: Sha256,
}

impl Digest {
    pub(super) fn add(&mut self, row: &[Cell]) {
        self.rows += 1;
        for cell in row {
            match cell {
                Cell::Null => self.sum.update(b"n"),
                Cell::Int(value) => {
                    self.sum.update(b"i");
                    self.sum.update(value.to_le_bytes());
                }
                Cell::Real(value) => {
                    self.sum.update(b"r");
                    // SQLite has no negative zero.
                    self.sum.update((value + 0.0).to_bits().to_le_bytes());
                }
                Cell::Text(text) => {
                    self.sum.update(b"t");
                    self.sum.update((text.len() as u64).to_le_bytes());
                    self.sum.update(text.as_bytes());
                }
            }
        }
    }

    /// 64 hexadecimal digits.
    pub(super) fn hex(self) -> String {
        self.sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
