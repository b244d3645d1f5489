//! Rows in columns: one typed vector a column, the form in which both databases take them fastest.
//!
//! Raw text becomes a typed value here and nowhere else, in [`Builder::finish`].

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::kind::{Column, Entity, Source, Ty};
use crate::kinds::common;
use crate::{message, timestamp};

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
        let kept: Vec<bool> = (0..=self.len).map(|owner| owner < self.len).collect();
        if let Some(inner) = &mut self.inner {
            inner.keep(&kept);
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
        for owner in &mut self.owners {
            *owner = kept_owners[..*owner].iter().filter(|kept| **kept).count();
        }
    }
}

/// Why a record is not stored. Its raw text goes to `sync_rejects`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// Nothing identifies the record.
    #[error("no usable UID ({0:?})")]
    Uid(String),
    /// The record has no start.
    #[error("no CreationTime")]
    NoCreationTime,
    /// A time that is none.
    #[error("{element} is no usable time ({text:?})")]
    Time {
        /// The element's name.
        element: &'static str,
        /// What it holds.
        text: String,
    },
    /// A session without a state cannot be told running from ended.
    #[error("no State")]
    NoState,
    /// A row of another type.
    #[error("a {found} where a {expected} was asked for")]
    Type {
        /// The row's Type attribute.
        found: String,
        /// The type that the query named.
        expected: &'static str,
    },
}

/// One row while its text is being read: a span of scratch text per column.
#[derive(Debug)]
pub struct Builder {
    columns: &'static [Column],
    scratch: String,
    spans: Vec<Option<Range<usize>>>,
    lists: Vec<(usize, Uuid)>,
    extra: BTreeMap<String, Vec<String>>,
    names: Vec<(Uuid, Range<usize>)>,
}

impl Builder {
    /// A builder for rows with these columns.
    #[must_use]
    pub fn new(columns: &'static [Column]) -> Self {
        Self {
            columns,
            scratch: String::new(),
            spans: vec![None; columns.len()],
            lists: Vec::new(),
            extra: BTreeMap::new(),
            names: Vec::new(),
        }
    }

    /// Forgets the row.
    pub fn clear(&mut self) {
        self.scratch.clear();
        self.spans.fill(None);
        self.lists.clear();
        self.extra.clear();
        self.names.clear();
    }

    /// An attribute of the row; what no column knows becomes an extra.
    pub fn attribute(&mut self, name: &str, value: &str) {
        match self.columns.iter().position(|column| matches!(column.source, Source::Attr(known) if known == name)) {
            Some(column) => self.set(column, value),
            None => self.extra(name, value),
        }
    }

    /// The text of a child element. Returns whether a column knows it.
    pub fn element(&mut self, name: &str, value: &str) -> bool {
        let known = self.columns.iter().position(
            |column| matches!(column.source, Source::Elem(known) | Source::ElemOrUp(known, _) if known == name),
        );
        if let Some(column) = known {
            // An element outranks the link that may have filled its column already.
            self.set(column, value);
        }
        known.is_some()
    }

    /// A leaf that no column knows.
    pub fn extra(&mut self, path: &str, value: &str) {
        if !value.is_empty() {
            self.extra.entry(path.to_owned()).or_default().push(value.to_owned());
        }
    }

    /// A link of the row. Links of types that no column asks for are not kept: the server makes them from identities.
    pub fn link(&mut self, rel: &str, link_type: &str, href: &str, name: &str) {
        let target = link_type.strip_suffix("Reference").unwrap_or(link_type);
        let up = rel.eq_ignore_ascii_case("Up");
        let uid = last_guid(href);
        for column in 0..self.columns.len() {
            match self.columns[column].source {
                Source::Up(wanted) | Source::ElemOrUp(_, wanted) if up && wanted == target => {
                    if let Some(uid) = uid {
                        if self.spans[column].is_none() {
                            self.set(column, uid.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
                        }
                        if !name.is_empty() {
                            let start = self.scratch.len();
                            self.scratch.push_str(name);
                            self.names.push((uid, start..self.scratch.len()));
                        }
                    }
                }
                Source::Related(wanted) if !up && wanted == target && self.spans[column].is_none() => {
                    if let Some(uid) = uid {
                        self.set(column, uid.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
                    }
                }
                Source::RelatedName(wanted) if !up && wanted == target && self.spans[column].is_none() => {
                    self.set(column, name);
                }
                Source::RelatedAll(wanted) if !up && wanted == target => {
                    self.lists.extend(uid.map(|uid| (column, uid)));
                }
                _ => {}
            }
        }
    }

    fn set(&mut self, column: usize, value: &str) {
        let start = self.scratch.len();
        self.scratch.push_str(value);
        self.spans[column] = (!value.is_empty()).then_some(start..self.scratch.len());
    }

    fn raw(&self, column: usize) -> Option<&str> {
        self.spans[column].clone().map(|span| &self.scratch[span])
    }

    /// Appends the row to a batch, all of it or none of it.
    ///
    /// # Errors
    /// The first defect for which the record cannot be stored.
    pub fn finish(&mut self, batch: &mut Batch) -> Result<(), Defect> {
        self.check(batch.entity)?;
        for (column, values) in batch.values.iter_mut().enumerate() {
            self.push(column, values);
        }
        let extra = self.extra_json();
        batch.extra.push(extra.as_deref());
        for (uid, name) in self.names.drain(..) {
            batch.link_names.entry(uid).or_insert_with(|| self.scratch[name].to_owned());
        }
        batch.len += 1;
        Ok(())
    }

    /// Appends a row inside the row that is being read. Nothing in it can keep its owner from being stored.
    ///
    /// Returns what it could not hold, for the owner's extras: the table of inner rows has none.
    pub fn finish_inner(&mut self, batch: &mut Batch) -> impl Iterator<Item = (String, Vec<String>)> + use<> {
        let owner = batch.len;
        if let Some(inner) = &mut batch.inner {
            for (column, values) in inner.values.iter_mut().enumerate() {
                self.push(column, values);
            }
            inner.owners.push(owner);
        }
        std::mem::take(&mut self.extra).into_iter()
    }

    /// The UID text as it was sent, for a record that is rejected.
    #[must_use]
    pub fn uid_text(&self) -> Option<&str> {
        self.raw(common::UID)
    }

    /// The row's identity, if it has one.
    #[must_use]
    pub fn uid(&self) -> Option<Uuid> {
        self.raw(common::UID).and_then(guid)
    }

    fn check(&self, entity: Entity) -> Result<(), Defect> {
        if self.uid().is_none() {
            return Err(Defect::Uid(self.uid_text().unwrap_or_default().to_owned()));
        }
        let is_session = entity.columns.get(common::CREATION_TIME).is_some_and(|column| column.name == "creation_time");
        if !is_session {
            return Ok(());
        }
        let Some(creation) = self.raw(common::CREATION_TIME) else {
            return Err(Defect::NoCreationTime);
        };
        for (element, text) in [("CreationTimeUTC", Some(creation)), ("EndTimeUTC", self.raw(common::END_TIME))] {
            if let Some(text) = text.filter(|text| timestamp::parse(text).is_none()) {
                return Err(Defect::Time { element, text: text.to_owned() });
            }
        }
        if self.raw(common::STATE).is_none() { Err(Defect::NoState) } else { Ok(()) }
    }

    /// Types one value. A text that its type cannot hold leaves the column null and is kept among the extras.
    fn push(&mut self, column: usize, values: &mut Values) {
        let Column { source, name, .. } = self.columns[column];
        if let Source::RelatedAll(_) = source {
            return self.push_list(column, values);
        }
        if let Source::GroupOf(message) = source {
            let group = crate::kind::position(self.columns, message)
                .and_then(|message| self.raw(message))
                .and_then(message::group);
            if let Values::Text(values) = values {
                values.push(group.as_deref());
            }
            return;
        }
        let raw = self.raw(column);
        let typed = match (&mut *values, raw) {
            // A session without a result has none, which the API otherwise spells out.
            (Values::Text(values), None) if name == "result" => {
                values.push(Some("None"));
                true
            }
            (values, None) => {
                values.push_none();
                true
            }
            (Values::Text(values), raw) => {
                values.push(raw);
                true
            }
            (Values::Uid(values), Some(raw)) => push_parsed(values, guid(raw)),
            (Values::Time(values), Some(raw)) => push_parsed(values, timestamp::parse(raw)),
            (Values::Bigint(values), Some(raw)) => push_parsed(values, raw.trim_ascii().parse().ok()),
            (Values::Bool(values), Some(raw)) => push_parsed(values, truth(raw)),
        };
        if !typed && let (Source::Elem(known) | Source::ElemOrUp(known, _), Some(raw)) = (source, raw) {
            let raw = raw.to_owned();
            self.extra(known, &raw);
        }
    }

    fn push_list(&mut self, column: usize, values: &mut Values) {
        let mut uids: Vec<Uuid> = self.lists.iter().filter(|(of, _)| *of == column).map(|(_, uid)| *uid).collect();
        uids.sort_unstable();
        uids.dedup();
        let list = (!uids.is_empty()).then(|| serde_json::json!(uids).to_string());
        if let Values::Text(values) = values {
            values.push(list.as_deref());
        }
    }

    fn extra_json(&self) -> Option<String> {
        if self.extra.is_empty() {
            return None;
        }
        let object: serde_json::Map<String, serde_json::Value> = self
            .extra
            .iter()
            .map(|(path, values)| {
                let value = match values.as_slice() {
                    [one] => serde_json::json!(one),
                    several => serde_json::json!(several),
                };
                (path.clone(), value)
            })
            .collect();
        Some(serde_json::Value::Object(object).to_string())
    }
}

fn push_parsed<T>(values: &mut Vec<Option<T>>, parsed: Option<T>) -> bool {
    let typed = parsed.is_some();
    values.push(parsed);
    typed
}

/// The GUID of a URN (`urn:veeam:Job:<guid>`) or a bare one.
#[must_use]
pub fn guid(text: &str) -> Option<Uuid> {
    let text = text.trim_ascii();
    let last = text.rsplit(':').next().unwrap_or(text);
    (last.len() == 36).then(|| Uuid::try_parse(last).ok()).flatten()
}

/// The GUID that ends a link's path, without its query.
fn last_guid(href: &str) -> Option<Uuid> {
    let path = href.split(['?', '#']).next().unwrap_or(href);
    path.trim_end_matches('/').rsplit('/').next().and_then(guid)
}

fn truth(text: &str) -> Option<bool> {
    let text = text.trim_ascii();
    if text.eq_ignore_ascii_case("true") || text == "1" {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") || text == "0" {
        Some(false)
    } else {
        None
    }
}
