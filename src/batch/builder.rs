//! One row while its text is being read, and how its text becomes typed values.

use std::collections::BTreeMap;
use std::ops::Range;

use uuid::Uuid;

use super::{Batch, Values};
use crate::kind::{Column, Entity, Source};
use crate::kinds::common;
use crate::{message, timestamp};

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
    /// More unknown elements than any record of the API has.
    #[error("more than {MAX_EXTRA} bytes of unknown elements")]
    TooMuch,
    /// More text in its columns than any record of the API has.
    #[error("more than {MAX_TEXT} bytes of text")]
    TooLong,
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
    extra_bytes: usize,
    names: Vec<(Uuid, Range<usize>)>,
}

/// Text of unknown leaves that one record may carry, in bytes. A job's settings stay far below it.
const MAX_EXTRA: usize = 1024 * 1024;

/// Text that all columns of one record may hold, in bytes. It is copied several times on its way to the database.
const MAX_TEXT: usize = 1024 * 1024;

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
            extra_bytes: 0,
            names: Vec::new(),
        }
    }

    /// Forgets the row.
    pub fn clear(&mut self) {
        self.scratch.clear();
        self.spans.fill(None);
        self.lists.clear();
        self.extra.clear();
        self.extra_bytes = 0;
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
        if let Some(column) = known.filter(|_| !value.is_empty()) {
            // An element outranks the link that may have filled its column already; an empty one is as good as none.
            self.set(column, value);
        }
        known.is_some()
    }

    /// A leaf that no column knows.
    pub fn extra(&mut self, path: &str, value: &str) {
        if !value.is_empty() {
            self.extra_bytes += path.len() + value.len();
            if self.extra_bytes <= MAX_EXTRA {
                self.extra.entry(path.to_owned()).or_default().push(value.to_owned());
            }
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

    /// The UID text as it was sent, shortened, for a record that is rejected.
    #[must_use]
    pub fn uid_text(&self) -> Option<String> {
        self.raw(common::UID).map(quoted)
    }

    /// The row's identity, if it has one.
    #[must_use]
    pub fn uid(&self) -> Option<Uuid> {
        self.raw(common::UID).and_then(guid)
    }

    fn check(&self, entity: Entity) -> Result<(), Defect> {
        if self.uid().is_none() {
            return Err(Defect::Uid(self.uid_text().unwrap_or_default()));
        }
        if self.extra_bytes > MAX_EXTRA {
            return Err(Defect::TooMuch);
        }
        if self.scratch.len() > MAX_TEXT {
            return Err(Defect::TooLong);
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
                return Err(Defect::Time { element, text: quoted(text) });
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

/// The beginning of a text that is quoted beside the record that it stands in: the record's own text is kept anyway.
#[must_use]
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 200;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn push_parsed<T>(values: &mut Vec<Option<T>>, parsed: Option<T>) -> bool {
    let typed = parsed.is_some();
    values.push(parsed);
    typed
}

/// The GUID of a URN (`urn:veeam:Job:<guid>`) or a bare one.
#[must_use]
pub(crate) fn guid(text: &str) -> Option<Uuid> {
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
