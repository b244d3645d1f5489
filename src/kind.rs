//! The vocabulary in which a session type is described: no I/O, no logic beyond looking things up.
//!
//! [`crate::kinds`] holds the entries. An entry answers four questions about a type: what the API calls it
//! and its query parameters, which states are open, in which table it lands, and which part of an entity's XML
//! fills which column. The decoder, the queries, the upserts in both dialects, `vemsync schema` and the labels in
//! status and metrics all read the same entry.

/// The SQL type of a column, named for what it holds. The conventions of both databases are in `docs/SCHEMA.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ty {
    /// A GUID: `uuid` on Postgres, lower-case text on SQLite.
    Uid,
    /// Text as the API spells it.
    Text,
    /// UTC, floored to the microsecond.
    Time,
    /// A count, a size in bytes or a percentage.
    Bigint,
    /// `true` or `false`.
    Bool,
    /// A JSON document: `jsonb` on Postgres, text on SQLite.
    Json,
}

/// The part of an entity that fills a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// An attribute of the row element.
    Attr(&'static str),
    /// A child element that holds only text.
    Elem(&'static str),
    /// A child element, or, where it is absent or empty, the GUID in the Href of an `Up` link of this type.
    ElemOrUp(&'static str, &'static str),
    /// The GUID in the Href of the `Up` link of this type.
    Up(&'static str),
    /// The GUID in the Href of the first link of this type that points to something related.
    Related(&'static str),
    /// The Name of the first link of this type that points to something related.
    RelatedName(&'static str),
    /// The GUIDs of all links of this type, sorted, as a JSON array.
    RelatedAll(&'static str),
    /// The group of a message: the text of the named column with its names, paths, numbers and GUIDs taken out.
    GroupOf(&'static str),
    /// The column of that name in the parent session's row; the API does not send it. The store fills it.
    Parent(&'static str),
    /// Filled by the store from evidence of its own.
    Derived,
}

/// One column of a table and where its value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The column's name, which is part of the public contract.
    pub name: &'static str,
    /// Its type.
    pub ty: Ty,
    /// The part of the entity that fills it.
    pub source: Source,
}

/// The API's names of the query parameters that a sync filters and sorts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryNames {
    /// Identity: `UID` for most types, `Id` for the CDP types.
    pub uid: &'static str,
    /// When the session started.
    pub creation: &'static str,
    /// When it ended.
    pub end: &'static str,
}

/// The table whose rows a task's session points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParentSession {
    /// The query type of the parent session.
    pub kind: &'static str,
    /// The column here that holds the parent session's UID.
    pub link: &'static str,
    /// The column that is copied from the parent's row, which has the same name there.
    pub filled: &'static str,
}

/// The things sessions hang below, whose rows must exist before a session's row can refer to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParentLink {
    /// The referencing column.
    pub column: &'static str,
    /// The referenced table.
    pub table: &'static str,
    /// The column that holds the parent's name, where the entity carries one.
    pub name: Option<&'static str>,
    /// The column that holds the parent's type, with its column in the parent's table.
    pub type_column: Option<(&'static str, &'static str)>,
}

/// One session type of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionKind {
    /// The API's query type, which is also its name in flags, logs and the sync's own tables.
    pub name: &'static str,
    /// The table it lands in.
    pub table: &'static str,
    /// The API's names of the parameters that a sync uses.
    pub query: QueryNames,
    /// States of a session that has not ended.
    pub open: &'static [&'static str],
    /// States of a session that has ended. Any other state is stored and treated as not ended, and so is one of these
    /// without an end time: null end times are read again until they are filled.
    pub finished: &'static [&'static str],
    /// The session that a task belongs to.
    pub parent_session: Option<ParentSession>,
    /// Enforced references.
    pub parents: &'static [ParentLink],
    /// The rows inside an entity, which have no identity of their own.
    pub inner: Option<Inner>,
    /// Every column but those that the store adds (`em_id`, `extra`, `first_seen_at`, …).
    pub columns: &'static [Column],
}

impl SessionKind {
    /// The type as the decoder and the stores see it.
    #[must_use]
    pub const fn entity(&self) -> Entity {
        Entity { name: self.name, table: self.table, parents: self.parents, inner: self.inner, columns: self.columns }
    }

    /// The position of a column among [`SessionKind::columns`].
    #[must_use]
    pub const fn position(&self, name: &str) -> Option<usize> {
        position(self.columns, name)
    }
}

/// A type of row as the decoder and the stores see it: a session type without what only a sync asks for, or one of
/// the objects that sessions hang below, which are read whole at every wide pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entity {
    /// The API's query type, which is the Type attribute of its rows too.
    pub name: &'static str,
    /// The table it lands in; three types of job share one.
    pub table: &'static str,
    /// Enforced references.
    pub parents: &'static [ParentLink],
    /// The rows inside an entity.
    pub inner: Option<Inner>,
    /// Every column but those that the store adds.
    pub columns: &'static [Column],
}

/// Rows inside an entity: the children of the element named `container`, wherever in the entity it is. They are
/// keyed by their owner and their position, from 0, and replaced as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inner {
    /// The element whose children are the rows.
    pub container: &'static str,
    /// The table they land in.
    pub table: &'static str,
    /// The column of the owner's UID.
    pub owner: &'static str,
    /// The column of the position.
    pub position: &'static str,
    /// All other columns.
    pub columns: &'static [Column],
}

/// The position of a column, usable in constants.
#[must_use]
pub const fn position(columns: &[Column], name: &str) -> Option<usize> {
    let mut i = 0;
    while i < columns.len() {
        if same(columns[i].name, name) {
            return Some(i);
        }
        i += 1;
    }
    None
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// A GUID column.
#[must_use]
pub const fn uid(name: &'static str, source: Source) -> Column {
    Column { name, ty: Ty::Uid, source }
}

/// A text column.
#[must_use]
pub const fn text(name: &'static str, source: Source) -> Column {
    Column { name, ty: Ty::Text, source }
}

/// A time column.
#[must_use]
pub const fn time(name: &'static str, source: Source) -> Column {
    Column { name, ty: Ty::Time, source }
}

/// A column of counts, sizes or percentages.
#[must_use]
pub const fn bigint(name: &'static str, source: Source) -> Column {
    Column { name, ty: Ty::Bigint, source }
}

/// A column of truth values.
#[must_use]
pub const fn boolean(name: &'static str, source: Source) -> Column {
    Column { name, ty: Ty::Bool, source }
}

/// A column of JSON.
#[must_use]
pub const fn json(name: &'static str, source: Source) -> Column {
    Column { name, ty: Ty::Json, source }
}

/// The [`Source`] of the same name.
#[must_use]
pub const fn attr(name: &'static str) -> Source {
    Source::Attr(name)
}

/// The [`Source`] of the same name.
#[must_use]
pub const fn elem(name: &'static str) -> Source {
    Source::Elem(name)
}
