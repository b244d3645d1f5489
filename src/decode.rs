//! From the XML of an answer to columns.
//!
//! One pass of events over the body; text goes straight into the columns of [`crate::kinds`]. What is wrong with the
//! document as a whole is an [`Error`], and nothing of it is stored; what is wrong with one record is a [`Reject`],
//! and the others are stored.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use uuid::Uuid;

use crate::batch::{Batch, Builder, Defect, guid, quoted};
use crate::kind::Entity;
use crate::kinds::PARENTS;

mod references;
mod text;

pub use references::{References, references};

use text::attribute_value;
use text::is_known;
pub(crate) use text::{push_reference, push_text};

/// Elements may nest this deep; the API's own answers stay below 20.
const MAX_DEPTH: usize = 64;

/// Records in an answer; the largest page that can be asked for.
const MAX_RECORDS: usize = 10_000;

/// Raw text of a rejected record that is kept, in bytes.
const MAX_RAW: usize = 64 * 1024;

/// Why a document is not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are no UTF-8.
    #[error("the answer is not UTF-8")]
    Encoding,
    /// The XML breaks off or breaks the rules.
    #[error("malformed XML at byte {at}: {reason}")]
    Malformed {
        /// Where.
        at: u64,
        /// What the parser says.
        reason: String,
    },
    /// A document type declaration, which no answer of the API has.
    #[error("the answer declares a DOCTYPE")]
    Doctype,
    /// Deeper than any answer of the API.
    #[error("the answer nests deeper than {MAX_DEPTH} elements")]
    Depth,
    /// XML, but not an answer to a query.
    #[error("the answer is a {0}, not a QueryResult")]
    Root(String),
    /// More records than the largest page that can be asked for.
    #[error("the answer holds more than {MAX_RECORDS} records")]
    Records,
    /// An answer to a query without its page numbers.
    #[error("the answer has no usable PagingInfo")]
    NoPaging,
}

/// Where in the listing an answer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// The page, from 1.
    pub page: u32,
    /// How many rows a page holds.
    pub size: u32,
    /// How many pages there are; 0 or 1 where all rows came at once.
    pub pages: u32,
}

/// A record that cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Its UID as it was sent.
    pub uid: Option<String>,
    /// What is wrong with it.
    pub reason: String,
    /// Its text, up to 64 KiB.
    pub raw: String,
}

/// An answer to a query for entities.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The rows, without repetitions.
    pub batch: Batch,
    /// What could not be stored.
    pub rejects: Vec<Reject>,
    /// The page.
    pub paging: Paging,
    /// Records in the answer: rows, repetitions and rejects.
    pub records: usize,
    /// Whether the answer had a container for rows at all: an empty list and a missing one are not the same.
    pub has_container: bool,
}

impl Decoded {
    /// What the answer lists: the rows, and what could not be stored as far as its identity can be read.
    pub fn identities(&self) -> impl Iterator<Item = Uuid> {
        let rejected = self.rejects.iter().filter_map(|reject| guid(reject.uid.as_deref()?));
        self.batch.uids().chain(rejected)
    }
}

/// Decodes the answer to a query for entities of one type.
///
/// # Errors
/// If the document as a whole cannot be trusted.
pub fn decode(entity: Entity, body: &[u8]) -> Result<Decoded, Error> {
    let text = document_text(body)?;
    let mut decoder = Decoder::new(entity, text);
    decoder.run()?;
    let paging = decoder.paging.ok_or(Error::NoPaging)?;
    let mut batch = decoder.batch;
    let records = batch.len() + decoder.rejects.len();
    batch.deduplicate();
    Ok(Decoded { batch, rejects: decoder.rejects, paging, records, has_container: decoder.has_container })
}

/// The body as text, without a byte order mark.
pub(crate) fn document_text(body: &[u8]) -> Result<&str, Error> {
    let text = std::str::from_utf8(body).map_err(|_| Error::Encoding)?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Events with the checks that every document gets: well-formed to the end, no DOCTYPE, bounded depth.
pub(crate) struct Events<'a> {
    reader: Reader<&'a [u8]>,
    depth: usize,
    rooted: bool,
}

impl<'a> Events<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { reader: Reader::from_str(text), depth: 0, rooted: false }
    }

    /// How many elements are open.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Bytes read.
    pub(crate) fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    pub(crate) fn next(&mut self) -> Result<Event<'a>, Error> {
        let event = self.reader.read_event().map_err(|error| self.malformed(&error.to_string()))?;
        match &event {
            Event::Start(_) | Event::Empty(_) if self.depth == 0 && self.rooted => {
                return Err(self.malformed("a second document element"));
            }
            Event::Start(_) => {
                self.depth += 1;
                self.rooted = true;
                if self.depth > MAX_DEPTH {
                    return Err(Error::Depth);
                }
            }
            Event::Empty(_) => self.rooted = true,
            Event::GeneralRef(reference) if !is_known(reference) => {
                return Err(self.malformed("a reference to an entity that is not declared"));
            }
            Event::End(_) => self.depth -= 1,
            Event::DocType(_) => return Err(Error::Doctype),
            Event::Eof if self.depth > 0 => return Err(self.malformed("it ends before its elements do")),
            Event::Eof if !self.rooted => return Err(self.malformed("there is no element in it")),
            Event::Text(text) if self.depth == 0 && !text.trim_ascii().is_empty() => {
                return Err(self.malformed("text outside the document element"));
            }
            _ => {}
        }
        Ok(event)
    }

    fn malformed(&self, reason: &str) -> Error {
        Error::Malformed { at: self.reader.buffer_position(), reason: reason.to_owned() }
    }
}

/// Calls back with the local name and the text, references resolved, of every attribute.
pub(crate) fn attributes(start: &BytesStart<'_>, mut each: impl FnMut(&str, &str)) -> Result<(), String> {
    // Without the check for repeated names, which is quadratic: a hostile element can carry 100,000 attributes.
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let name = attribute.key.as_ref();
        if name.starts_with("xmlns") || name.contains(':') {
            continue;
        }
        each(name, &attribute_value(&attribute.value));
    }
    Ok(())
}

/// The page numbers of a PagingInfo, if all of them can be read.
fn paging(start: &BytesStart<'_>) -> Result<Option<Paging>, String> {
    let (mut page, mut size, mut pages) = (None, None, None);
    attributes(start, |name, value| match name {
        "PageNum" => page = value.trim_ascii().parse().ok(),
        "PageSize" => size = value.trim_ascii().parse().ok(),
        "PagesCount" => pages = value.trim_ascii().parse().ok(),
        _ => {}
    })?;
    Ok(page.zip(size).zip(pages).map(|((page, size), pages)| Paging { page, size, pages }))
}

/// Whether rows of that type may come for this one: its own, or another that shares its table, as the types of jobs do.
fn is_of(entity: Entity, found: &str) -> bool {
    let shares = |other: &Entity| other.name.eq_ignore_ascii_case(found) && other.table == entity.table;
    entity.name.eq_ignore_ascii_case(found) || PARENTS.iter().any(shares)
}

struct Decoder<'a> {
    events: Events<'a>,
    text: &'a str,
    entity: Entity,
    batch: Batch,
    builder: Builder,
    inner_builder: Option<Builder>,
    rejects: Vec<Reject>,
    paging: Option<Paging>,
    has_container: bool,
    /// Text of the element that is being read.
    leaf: String,
    /// The link that is being read.
    link: Link,
}

/// A link's attributes; every row has several, so their memory is used again.
#[derive(Default)]
struct Link {
    rel: String,
    target: String,
    href: String,
    name: String,
}

impl Link {
    fn clear(&mut self) {
        for text in [&mut self.rel, &mut self.target, &mut self.href, &mut self.name] {
            text.clear();
        }
    }
}

impl<'a> Decoder<'a> {
    fn new(entity: Entity, text: &'a str) -> Self {
        Self {
            events: Events::new(text),
            text,
            entity,
            batch: Batch::new(entity),
            builder: Builder::new(entity.columns),
            inner_builder: entity.inner.map(|inner| Builder::new(inner.columns)),
            rejects: Vec::new(),
            paging: None,
            has_container: false,
            leaf: String::new(),
            link: Link::default(),
        }
    }

    /// `QueryResult/Entities/<container>/<row>` and `QueryResult/PagingInfo`; everything else is passed over.
    fn run(&mut self) -> Result<(), Error> {
        let mut in_entities = false;
        loop {
            let before = self.events.position();
            let event = self.events.next()?;
            let depth = self.events.depth();
            match event {
                Event::Start(start) => {
                    let name = start.local_name().into_inner();
                    match depth {
                        1 if name != "QueryResult" => return Err(Error::Root(name.chars().take(80).collect())),
                        2 if name == "Entities" => in_entities = true,
                        2 if name == "PagingInfo" => self.read_paging(&start)?,
                        3 if in_entities => self.has_container = true,
                        4 if in_entities => self.read_row(&start, before, false)?,
                        _ => {}
                    }
                }
                Event::Empty(start) => {
                    let name = start.local_name().into_inner();
                    match depth {
                        0 if name != "QueryResult" => return Err(Error::Root(name.chars().take(80).collect())),
                        1 if name == "PagingInfo" => self.read_paging(&start)?,
                        2 if in_entities => self.has_container = true,
                        3 if in_entities => self.read_row(&start, before, true)?,
                        _ => {}
                    }
                }
                Event::End(_) if depth == 1 => in_entities = false,
                Event::Eof => return Ok(()),
                _ => {}
            }
        }
    }

    fn read_paging(&mut self, start: &BytesStart<'_>) -> Result<(), Error> {
        let found = paging(start).map_err(|reason| self.events.malformed(&reason))?;
        self.paging = found.or(self.paging);
        Ok(())
    }

    /// Reads one row to its end and appends it to the batch or to the rejects.
    fn read_row(&mut self, start: &BytesStart<'_>, from: usize, is_empty: bool) -> Result<(), Error> {
        if self.batch.len() + self.rejects.len() >= MAX_RECORDS {
            return Err(Error::Records);
        }
        self.builder.clear();
        let mut row_type = None;
        attributes(start, |name, value| match name {
            "Type" => row_type = Some(quoted(value)),
            "Href" => {}
            _ => self.builder.attribute(name, value),
        })
        .map_err(|reason| self.events.malformed(&reason))?;
        if !is_empty {
            self.read_children()?;
        }
        let outcome = match row_type {
            Some(found) if !is_of(self.entity, &found) => Err(Defect::Type { found, expected: self.entity.name }),
            _ => self.builder.finish(&mut self.batch),
        };
        if let Err(defect) = outcome {
            self.batch.forget_unfinished();
            let raw = &self.text[from..self.events.position()];
            self.rejects.push(Reject {
                uid: self.builder.uid().map(|uid| uid.to_string()).or_else(|| self.builder.uid_text()),
                reason: defect.to_string(),
                raw: raw[..raw.floor_char_boundary(MAX_RAW)].replace('\0', "\u{fffd}"),
            });
        }
        Ok(())
    }

    /// Everything inside a row, to its end. The path from the row names what no column knows.
    fn read_children(&mut self) -> Result<(), Error> {
        let row_depth = self.events.depth();
        let mut path: Vec<&'a str> = Vec::new();
        // The depth of the inner row that is being read: the child of an inner container.
        let mut inner_at: Option<usize> = None;
        let mut is_leaf = false;
        loop {
            match self.events.next()? {
                Event::Start(start) => {
                    let name = local_name(self.text, &start);
                    let parent = path.last().copied();
                    path.push(name);
                    self.begin(&start, &path, parent, &mut inner_at)?;
                    self.leaf.clear();
                    is_leaf = true;
                }
                Event::Empty(start) => {
                    let name = local_name(self.text, &start);
                    let parent = path.last().copied();
                    path.push(name);
                    self.begin(&start, &path, parent, &mut inner_at)?;
                    self.leaf.clear();
                    self.end(&path, true, &mut inner_at);
                    path.pop();
                    is_leaf = false;
                }
                Event::End(_) => {
                    if self.events.depth() < row_depth {
                        return Ok(());
                    }
                    self.end(&path, is_leaf, &mut inner_at);
                    path.pop();
                    is_leaf = false;
                }
                Event::Text(text) if is_leaf => push_text(&mut self.leaf, &text),
                Event::CData(text) if is_leaf => push_text(&mut self.leaf, &text),
                Event::GeneralRef(reference) if is_leaf => push_reference(&mut self.leaf, &reference),
                _ => {}
            }
        }
    }

    fn begin(
        &mut self,
        start: &BytesStart<'_>,
        path: &[&str],
        parent: Option<&str>,
        inner_at: &mut Option<usize>,
    ) -> Result<(), Error> {
        let name = path[path.len() - 1];
        if name == "Links" {
            return Ok(());
        }
        if inner_at.is_none()
            && let (Some(inner), Some(builder)) = (self.entity.inner, &mut self.inner_builder)
            && parent == Some(inner.container)
        {
            *inner_at = Some(path.len());
            builder.clear();
        }
        let builder = match (&*inner_at, &mut self.inner_builder) {
            (Some(_), Some(inner)) => inner,
            _ => &mut self.builder,
        };
        if name.ends_with("Link") {
            let link = &mut self.link;
            link.clear();
            attributes(start, |name, value| match name {
                "Rel" => value.clone_into(&mut link.rel),
                "Type" => value.clone_into(&mut link.target),
                "Href" => value.clone_into(&mut link.href),
                "Name" => value.clone_into(&mut link.name),
                _ => {}
            })
            .map_err(|reason| self.events.malformed(&reason))?;
            builder.link(&link.rel, &link.target, &link.href, &link.name);
            return Ok(());
        }
        let is_inner_row = *inner_at == Some(path.len());
        attributes(start, |attribute, value| {
            if matches!(attribute, "Type" | "Href") {
            } else if is_inner_row {
                builder.attribute(attribute, value);
            } else {
                builder.extra(&format!("{}.{attribute}", path.join(".")), value);
            }
        })
        .map_err(|reason| self.events.malformed(&reason))
    }

    fn end(&mut self, path: &[&str], is_leaf: bool, inner_at: &mut Option<usize>) {
        let Some((name, above)) = path.split_last() else {
            return;
        };
        if let (Some(depth), Some(inner)) = (*inner_at, &mut self.inner_builder) {
            if depth == path.len() {
                for (name, values) in inner.finish_inner(&mut self.batch) {
                    let name = format!("{}.{name}", path.join("."));
                    values.iter().for_each(|value| self.builder.extra(&name, value));
                }
                *inner_at = None;
            } else if is_leaf
                && !name.ends_with("Link")
                && !(depth + 1 == path.len() && inner.element(name, &self.leaf))
            {
                // The table of inner rows keeps no extras; their owner does, under the whole path.
                self.builder.extra(&path.join("."), &self.leaf);
            }
            return;
        }
        let is_container = self.entity.inner.is_some_and(|inner| inner.container == *name);
        if !is_leaf || is_container || name.ends_with("Link") || above.contains(&"Links") || *name == "Links" {
            return;
        }
        if !(above.is_empty() && self.builder.element(name, &self.leaf)) {
            self.builder.extra(&path.join("."), &self.leaf);
        }
    }
}

/// The element's name, borrowed from the document rather than from the event.
fn local_name<'a>(text: &'a str, start: &BytesStart<'_>) -> &'a str {
    let name = start.local_name().into_inner();
    // Events of a slice reader borrow from the slice, so the name is a part of the text.
    let offset = (name.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
    text.get(offset..offset.wrapping_add(name.len())).unwrap_or("")
}

#[cfg(test)]
mod tests;
