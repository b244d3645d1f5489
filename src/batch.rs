//! Rows in columns: one typed vector a column, the form in which both databases take them fastest.
//!
//! Raw text becomes a typed value in [`Builder::finish`] and nowhere else.

use std::collections::HashMap;
use std::ops::Range;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::kind::{Entity, Ty};
use crate::kinds::common;

mod builder;

pub use builder::{Builder, Defect};
pub(crate) use builder::{guid, quoted};

/// The values of one column.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// [`Ty::Uid`]
    Uid(Vec<Option<Uuid>>),
    /// [`Ty::Text`] and [`Ty::Json`]
    Text(TextValues),
    /// [`Ty::Time`]
    Time(Vec<Option<DateTime<Utc>>>),
    /// [`Ty::Bigint`]
    Bigint(Vec<Option<i64>>),
    /// [`Ty::Bool`]
    Bool(Vec<Option<bool>>),
}

/// Texts end to end in one allocation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TextValues {
    text: String,
    spans: Vec<Option<Range<usize>>>,
}

impl TextValues {
    fn push(&mut self, value: Option<&str>) {
        self.spans.push(value.map(|value| {
            let start = self.text.len();
            self.text.push_str(value);
            start..self.text.len()
        }));
    }

    /// The text of that row.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&str> {
        self.spans[row].clone().map(|span| &self.text[span])
    }

    /// The texts of all rows.
    pub fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        (0..self.spans.len()).map(|row| self.get(row))
    }
}

impl Values {
    fn new(ty: Ty) -> Self {
        match ty {
            Ty::Uid => Self::Uid(Vec::new()),
            Ty::Text | Ty::Json => Self::Text(TextValues::default()),
            Ty::Time => Self::Time(Vec::new()),
            Ty::Bigint => Self::Bigint(Vec::new()),
            Ty::Bool => Self::Bool(Vec::new()),
        }
    }

    fn push_none(&mut self) {
        match self {
            Self::Uid(values) => values.push(None),
            Self::Text(values) => values.push(None),
            Self::Time(values) => values.push(None),
            Self::Bigint(values) => values.push(None),
            Self::Bool(values) => values.push(None),
        }
    }

    fn truncate(&mut self, rows: usize) {
        match self {
            Self::Uid(values) => values.truncate(rows),
            Self::Text(values) => values.spans.truncate(rows),
            Self::Time(values) => values.truncate(rows),
            Self::Bigint(values) => values.truncate(rows),
            Self::Bool(values) => values.truncate(rows),
        }
    }

    fn keep(&mut self, kept: &[bool]) {
        match self {
            Self::Uid(values) => retain(values, kept),
            Self::Text(values) => retain(&mut values.spans, kept),
            Self::Time(values) => retain(values, kept),
            Self::Bigint(values) => retain(values, kept),
            Self::Bool(values) => retain(values, kept),
        }
    }
}

fn retain<T>(values: &mut Vec<T>, kept: &[bool]) {
    let mut kept = kept.iter();
    values.retain(|_| kept.next().copied().unwrap_or(true));
}

/// Rows of one type, as one answer gave them.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// What the rows are.
    pub entity: Entity,
    /// One entry a column of [`Entity::columns`].
    pub values: Vec<Values>,
    /// Leaf elements and attributes that no column knows, as a JSON object.
    pub extra: TextValues,
    /// The names that links give to the rows' parents, by their UID: stubs are made from them.
    pub link_names: HashMap<Uuid, String>,
    /// The rows inside these rows.
    pub inner: Option<InnerBatch>,
    len: usize,
}

/// Rows inside other rows.
#[derive(Debug, Clone, PartialEq)]
pub struct InnerBatch {
    /// The row of the batch that each is inside of, in that order.
    pub owners: Vec<usize>,
    /// One entry a column of [`crate::kind::Inner::columns`].
    pub values: Vec<Values>,
}

impl Batch {
    /// A batch without rows.
    #[must_use]
    pub fn new(entity: Entity) -> Self {
        Self {
            entity,
            values: entity.columns.iter().map(|column| Values::new(column.ty)).collect(),
            extra: TextValues::default(),
            link_names: HashMap::new(),
            inner: entity.inner.map(|inner| InnerBatch {
                owners: Vec::new(),
                values: inner.columns.iter().map(|column| Values::new(column.ty)).collect(),
            }),
            len: 0,
        }
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The row's identity.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn uid(&self, row: usize) -> Uuid {
        self.uid_at(common::UID, row).expect("a row without identity is rejected before it gets here")
    }

    /// All rows' identities.
    pub fn uids(&self) -> impl Iterator<Item = Uuid> + use<'_> {
        (0..self.len).map(|row| self.uid(row))
    }

    /// The GUID in that column.
    #[must_use]
    pub fn uid_at(&self, column: usize, row: usize) -> Option<Uuid> {
        match &self.values[column] {
            Values::Uid(values) => values[row],
            _ => None,
        }
    }

    /// The time in that column.
    #[must_use]
    pub fn time_at(&self, column: usize, row: usize) -> Option<DateTime<Utc>> {
        match &self.values[column] {
            Values::Time(values) => values[row],
            _ => None,
        }
    }

    /// The text in that column.
    #[must_use]
    pub fn text_at(&self, column: usize, row: usize) -> Option<&str> {
        match &self.values[column] {
            Values::Text(values) => values.get(row),
            _ => None,
        }
    }

    /// The text in the column of that name, if the type has it.
    #[must_use]
    pub fn text_of(&self, column: &str, row: usize) -> Option<&str> {
        crate::kind::position(self.entity.columns, column).and_then(|column| self.text_at(column, row))
    }

    /// Drops what was inside a row that is not appended after all.
    pub fn forget_unfinished(&mut self) {
        let finished = self.len;
        if let Some(inner) = &mut self.inner {
            let rows = inner.owners.partition_point(|owner| *owner < finished);
            inner.owners.truncate(rows);
            inner.values.iter_mut().for_each(|values| values.truncate(rows));
        }
    }

    /// Leaves only the last of several rows of one UID: Postgres refuses the same key twice in one statement.
    pub fn deduplicate(&mut self) {
        let mut last = HashMap::with_capacity(self.len);
        for row in 0..self.len {
            last.insert(self.uid(row), row);
        }
        if last.len() == self.len {
            return;
        }
        let kept: Vec<bool> = (0..self.len).map(|row| last[&self.uid(row)] == row).collect();
        if let Some(inner) = &mut self.inner {
            inner.keep(&kept);
        }
        self.values.iter_mut().for_each(|values| values.keep(&kept));
        retain(&mut self.extra.spans, &kept);
        self.len = last.len();
    }
}

impl InnerBatch {
    /// Keeps the rows inside the owners that are kept, and counts the owners anew.
    fn keep(&mut self, kept_owners: &[bool]) {
        let kept: Vec<bool> = self.owners.iter().map(|owner| kept_owners[*owner]).collect();
        self.values.iter_mut().for_each(|values| values.keep(&kept));
        retain(&mut self.owners, &kept);
        let mut before = 0;
        let places: Vec<usize> = kept_owners
            .iter()
            .map(|kept| {
                before += usize::from(*kept);
                before - usize::from(*kept)
            })
            .collect();
        for owner in &mut self.owners {
            *owner = places[*owner];
        }
    }
}
