//! Answers queries: which rows, in which order, and which page of them.
//!
//! A filter is first turned into spans of the indexes (by creation, by end, by UID) that hold every row which could
//! match; only those rows are looked at. A plain range of creation whose rows are all visible is not looked at at all:
//! its page is a slice of the index.

use std::ops::Range;

use super::filter::{self, Expr, Value};
use super::types::{Field, Kind, ParentType, QueryType};
use super::world::{Moment, Table, World};

mod spans;
mod values;

use spans::{Bounds, Span, Spans, candidates};
use values::{parent_value, session_value};

/// A query that was understood.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    pub(super) of: QueryType,
    pub(super) filter: Option<Expr>,
    /// The field, and whether it descends.
    pub(super) sort: Option<(Field, bool)>,
    pub(super) entities: bool,
    /// From 1.
    pub(super) page: usize,
    pub(super) page_size: usize,
}

/// One page of the rows that match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// Rows on all pages.
    pub(super) total: usize,
    /// Positions in the table, or in the list of parents.
    pub(super) rows: Vec<u32>,
}

impl Selection {
    /// Reads the parameters of a query. The error is what the server would say.
    pub(super) fn read(
        of: QueryType,
        parameters: &[(String, String)],
        default_page_size: usize,
        max_page_size: Option<usize>,
    ) -> Result<Selection, String> {
        let get = |name: &str| {
            parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
        };
        let number = |name: &str, default: usize| match get(name) {
            None => Ok(default),
            Some(text) => match text.parse() {
                Ok(number @ 1..) => Ok(number),
                _ => Err(format!("Parameter [{name}] is not valid: [{text}]")),
            },
        };
        let field = |name: &str| {
            of.field(name).ok_or_else(|| format!("Property [{name}] is not defined for type [{}]", of.name()))
        };
        let sort = match (get("sortAsc"), get("sortDesc")) {
            (Some(_), Some(_)) => return Err("Only one sorting is possible".to_owned()),
            (Some(name), None) => Some((field(name)?, false)),
            (None, Some(name)) => Some((field(name)?, true)),
            (None, None) => None,
        };
        let page_size = number("pageSize", default_page_size)?;
        Ok(Selection {
            of,
            filter: get("filter").filter(|text| !text.is_empty()).map(|text| filter::parse(of, text)).transpose()?,
            sort,
            entities: get("format")
                .is_some_and(|format| format.eq_ignore_ascii_case("entities") || format.eq_ignore_ascii_case("entity")),
            page: number("page", 1)?,
            page_size: max_page_size.map_or(page_size, |max| page_size.min(max)),
        })
    }

    pub(super) fn pages(&self, total: usize) -> usize {
        total.div_ceil(self.page_size).max(1)
    }

    fn range(&self, total: usize) -> Range<usize> {
        let start = (self.page - 1).saturating_mul(self.page_size).min(total);
        start..start.saturating_add(self.page_size).min(total)
    }
}

/// The page that a selection asks for. With `shuffle`, rows that no sorting tells apart come in a new order each time.
pub(super) fn select(
    world: &World,
    moment: &Moment,
    selection: &Selection,
    shuffle: Option<&mut fastrand::Rng>,
) -> Page {
    match selection.of {
        QueryType::Session(kind) => {
            if let (None, Some(page)) = (&shuffle, slice(world.table(kind), moment, selection)) {
                return page;
            }
            let rows = matching(world, world.table(kind), moment, kind, selection, shuffle);
            let range = selection.range(rows.len());
            Page { total: rows.len(), rows: rows[range].to_vec() }
        }
        QueryType::Parent(kind) => {
            let mut rows = matching_parents(world, moment, kind, selection);
            if let Some(rng) = shuffle {
                rng.shuffle(&mut rows);
            }
            sort(&mut rows, selection.sort, |id, field| parent_value(world, kind, id as usize, field));
            let range = selection.range(rows.len());
            Page { total: rows.len(), rows: rows[range].to_vec() }
        }
    }
}

/// A range of creation, all of it visible, in order of creation: nothing to decide row by row.
fn slice(table: &Table, moment: &Moment, selection: &Selection) -> Option<Page> {
    let Some((Field::Creation, descending)) = selection.sort else { return None };
    let mut bounds = Bounds::default();
    let exact = selection.filter.as_ref().is_none_or(|expr| bounds.take_all(expr, Field::Creation));
    let span = bounds.span(&table.by_creation, |id| table.creation(id));
    let ids = &table.by_creation[span];
    let (Some(&first), Some(&last)) = (ids.first(), ids.last()) else { return None };
    let settled = table.creation(last).plus_secs(table.max_delay_secs) <= moment.oldest
        && table.creation(first) >= moment.kept_from
        && moment.knows_all()
        && moment.is_plain;
    if !exact || !settled {
        return None;
    }
    let range = selection.range(ids.len());
    let rows = if descending {
        ids[ids.len() - range.end..ids.len() - range.start].iter().rev().copied().collect()
    } else {
        ids[range].to_vec()
    };
    Some(Page { total: ids.len(), rows })
}

fn matching(
    world: &World,
    table: &Table,
    moment: &Moment,
    kind: Kind,
    selection: &Selection,
    shuffle: Option<&mut fastrand::Rng>,
) -> Vec<u32> {
    let candidates = selection.filter.as_ref().and_then(|expr| candidates(table, moment, kind, expr));
    let all = Spans(vec![Span::Creation(0..table.by_creation.len())]);
    let mut rows = Vec::new();
    candidates.unwrap_or(all).visit(table, &mut |id| {
        let Some(row) = table.row(id) else { return };
        let Some(collected) = moment.shows(row) else { return };
        let passes = selection.filter.as_ref().is_none_or(|expr| {
            let view = row.view(collected);
            expr.matches(&|field| session_value(world, row, view, field))
        });
        if passes {
            rows.push(id);
        }
    });
    if let Some(rng) = shuffle {
        rng.shuffle(&mut rows);
    } else if selection.sort.is_none() {
        // Neither by time nor by name: real answers have no visible order either.
        rows.sort_unstable_by_key(|id| table.row(*id).map(|row| row.uid));
    }
    match selection.sort {
        Some((Field::Creation, false)) => rows.sort_by_key(|id| table.creation(*id)),
        Some((Field::Creation, true)) => rows.sort_by_key(|id| std::cmp::Reverse(table.creation(*id))),
        by => sort(&mut rows, by, |id, field| {
            let row = table.row(id)?;
            session_value(world, row, row.view(moment.shows(row)?), field)
        }),
    }
    rows
}

/// Missing values come first in ascending order, as they do in SQL Server.
fn sort(rows: &mut [u32], by: Option<(Field, bool)>, value: impl Fn(u32, Field) -> Option<Value>) {
    match by {
        None => {}
        Some((field, false)) => rows.sort_by_cached_key(|id| value(*id, field)),
        Some((field, true)) => rows.sort_by_cached_key(|id| std::cmp::Reverse(value(*id, field))),
    }
}

fn matching_parents(world: &World, moment: &Moment, kind: ParentType, selection: &Selection) -> Vec<u32> {
    world
        .parents(moment, kind)
        .into_iter()
        .filter(|at| {
            let passes = |expr: &Expr| expr.matches(&|field| parent_value(world, kind, *at, field));
            selection.filter.as_ref().is_none_or(passes)
        })
        .map(|at| u32::try_from(at).expect("few parents"))
        .collect()
}
