//! The configuration file: TOML in, located values out.
//!
//! [`SECTIONS`] and [`MANAGER`] say which keys exist and what they look like. Everything that the file holds beyond
//! them is a problem, because a mistyped key that is silently ignored is found months later, in an audit.
//! Values leave here as text with the line they stand on; what they mean is decided where they are used.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use toml_edit::{Document, Item, TableLike};

use super::layers::Given;
use super::problem::{Place, Problems, nearest};

/// What a key's value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    /// One text, or an array of them.
    Texts,
    Integer,
    Boolean,
}

/// One key: its name, its shape, and a value as one would write it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub(super) name: &'static str,
    shape: Shape,
    example: &'static str,
}

const fn key(name: &'static str, shape: Shape, example: &'static str) -> Key {
    Key { name, shape, example }
}

/// The sections that stand at most once.
pub(super) const SECTIONS: &[(&str, &[Key])] = &[
    (
        "database",
        &[key("url", Shape::Text, "\"sqlite:vemsync.db\""), key("password_file", Shape::Text, "\"database.password\"")],
    ),
    (
        "sync",
        &[
            key("kinds", Shape::Texts, "[\"BackupJobSession\"]"),
            key("page_size", Shape::Integer, "500"),
            key("backfill", Shape::Text, "\"90d\""),
            key("interval", Shape::Text, "\"60s\""),
            key("overlap", Shape::Text, "\"2h\""),
        ],
    ),
    ("retention", &[key("keep", Shape::Text, "\"7y\"")]),
    (
        "http",
        &[
            key("listen", Shape::Text, "\"127.0.0.1:9399\""),
            key("basic_auth_file", Shape::Text, "\"http.account\""),
            key("public", Shape::Boolean, "false"),
        ],
    ),
    ("log", &[key("format", Shape::Text, "\"text\""), key("level", Shape::Text, "\"info\"")]),
    ("failover", &[key("enabled", Shape::Boolean, "false")]),
];

/// The section that stands once for every Enterprise Manager.
pub(super) const MANAGER_SECTION: &str = "enterprise_manager";

/// Its keys.
pub(super) const MANAGER: &[Key] = &[
    key("name", Shape::Text, "\"default\""),
    key("url", Shape::Text, "\"https://em.example:9398\""),
    key("username", Shape::Text, "'EXAMPLE\\svc-vemsync'"),
    key("password_file", Shape::Text, "\"vemsync.password\""),
    key("ca_file", Shape::Text, "\"em-ca.pem\""),
    key("certificate_sha256", Shape::Texts, "\"AA:BB:…\""),
    key("insecure", Shape::Boolean, "false"),
    key("allow_plain_http", Shape::Boolean, "false"),
];

/// The section below it.
pub(super) const MANAGER_FAILOVER: (&str, &[Key]) = (
    "failover",
    &[
        key("username", Shape::Text, "'EXAMPLE\\svc-failover'"),
        key("password_file", Shape::Text, "\"failover.password\""),
    ],
);

/// What a file holds.
#[derive(Default)]
pub(super) struct File {
    /// Where the file lies; relative paths in it begin there.
    pub(super) folder: PathBuf,
    sections: BTreeMap<&'static str, Section>,
    pub(super) managers: Vec<Manager>,
}

impl File {
    /// A file without a setting, in this folder.
    pub(super) fn empty(folder: PathBuf) -> Self {
        Self { folder, ..Self::default() }
    }

    /// A key's values, without those that had the wrong type.
    pub(super) fn all(&self, section: &str, key: &str) -> Vec<Given> {
        self.sections.get(section).map(|section| section.all(key)).unwrap_or_default()
    }

    /// A key's value.
    pub(super) fn one(&self, section: &str, key: &str) -> Option<Given> {
        self.all(section, key).into_iter().next()
    }
}

/// The keys of one section.
pub(super) struct Section {
    /// The section's header.
    pub(super) at: Place,
    values: BTreeMap<&'static str, Vec<Given>>,
}

impl Section {
    pub(super) fn all(&self, key: &str) -> Vec<Given> {
        self.values.get(key).cloned().unwrap_or_default()
    }

    pub(super) fn one(&self, key: &str) -> Option<Given> {
        self.all(key).into_iter().next()
    }

    /// Whether the key stands here, be its value usable or not.
    pub(super) fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }
}

/// One `[[enterprise_manager]]`.
pub(super) struct Manager {
    pub(super) keys: Section,
    pub(super) failover: Option<Section>,
}

/// Reads a file's text. `None` means that it is no TOML at all, which is a problem then.
pub(super) fn parse(text: &str, shown: &str, folder: PathBuf, problems: &mut Problems) -> Option<File> {
    let mut reader = Reader { text, file: shown.into(), problems };
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            reader.not_toml(error.message(), error.span());
            return None;
        }
    };
    let mut file = File::empty(folder);
    let root = document.as_table();
    for (name, item) in root {
        let at = reader.key_place(root, name, item);
        if name == MANAGER_SECTION {
            file.managers = reader.managers(item, &at);
        } else if let Some((name, keys)) = SECTIONS.iter().find(|(known, _)| *known == name) {
            if let Some(table) = reader.table(item, name, &at) {
                file.sections.insert(name, reader.section(table, &format!("[{name}]"), keys, &[], at));
            }
        } else {
            reader.unknown_at_top(name, item, &at);
        }
    }
    Some(file)
}

struct Reader<'a> {
    text: &'a str,
    file: Arc<str>,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn managers(&mut self, item: &Item, at: &Place) -> Vec<Manager> {
        let tables: Vec<(&dyn TableLike, Option<Range<usize>>)> = match item {
            Item::ArrayOfTables(tables) => tables.iter().map(|table| (table as &dyn TableLike, table.span())).collect(),
            Item::Value(toml_edit::Value::Array(array)) if array.iter().all(toml_edit::Value::is_inline_table) => array
                .iter()
                .filter_map(toml_edit::Value::as_inline_table)
                .map(|table| (table as &dyn TableLike, table.span()))
                .collect(),
            _ => {
                self.problems.add(
                    at,
                    format!("{MANAGER_SECTION} is not a list of sections"),
                    format!("write [[{MANAGER_SECTION}]], with two brackets on each side, once for each"),
                );
                return Vec::new();
            }
        };
        tables.into_iter().map(|(table, span)| self.manager(table, self.place(span, at))).collect()
    }

    fn manager(&mut self, table: &dyn TableLike, at: Place) -> Manager {
        let (name, keys) = MANAGER_FAILOVER;
        let failover = table.get(name).and_then(|item| {
            let full = format!("{MANAGER_SECTION}.{name}");
            let at = self.key_place(table, name, item);
            let below = self.table(item, &full, &at)?;
            Some(self.section(below, &format!("[{full}]"), keys, &[], at))
        });
        Manager { keys: self.section(table, &format!("[[{MANAGER_SECTION}]]"), MANAGER, &[name], at), failover }
    }

    fn table<'i>(&mut self, item: &'i Item, name: &str, at: &Place) -> Option<&'i dyn TableLike> {
        let table = item.as_table_like();
        if table.is_none() {
            let what = format!("{name} is {}", with_article(item.type_name()));
            self.problems.add(at, what, format!("write it as a section, once: [{name}]"));
        }
        table
    }

    fn section(
        &mut self,
        table: &dyn TableLike,
        shown: &str,
        keys: &'static [Key],
        below: &[&'static str],
        at: Place,
    ) -> Section {
        let mut values = BTreeMap::new();
        for (name, item) in table.iter() {
            if below.contains(&name) {
                continue;
            }
            let at = self.key_place(table, name, item);
            match keys.iter().find(|key| key.name == name) {
                Some(key) => {
                    values.insert(key.name, self.values(key, item, &at));
                }
                None => {
                    let known = keys.iter().map(|key| key.name).chain(below.iter().copied());
                    let mend = if name.eq_ignore_ascii_case("password") {
                        "a password does not stand in this file: put it into a file of its own, name that as password_file"
                            .to_owned()
                    } else if let Some(near) = nearest(name, known.clone()) {
                        format!("did you mean {near}?")
                    } else {
                        format!("{shown} has: {}", known.collect::<Vec<_>>().join(", "))
                    };
                    self.problems.add(&at, format!("unknown key {name} in {shown}"), mend);
                }
            }
        }
        Section { at, values }
    }

    fn values(&mut self, key: &Key, item: &Item, at: &Place) -> Vec<Given> {
        let given = |text: String| Given { text, place: at.clone() };
        let values = match key.shape {
            Shape::Text => item.as_str().map(|text| vec![given(text.to_owned())]),
            Shape::Integer => item.as_integer().map(|number| vec![given(number.to_string())]),
            Shape::Boolean => item.as_bool().map(|truth| vec![given(truth.to_string())]),
            Shape::Texts => match item.as_array() {
                None => item.as_str().map(|text| vec![given(text.to_owned())]),
                Some(array) => array
                    .iter()
                    .map(|value| {
                        let place = self.place(value.span(), at);
                        value.as_str().map(|text| Given { text: text.to_owned(), place })
                    })
                    .collect(),
            },
        };
        if let Some(values) = values {
            if values.is_empty() {
                self.problems.add(at, format!("{} is empty", key.name), "name at least one, or remove the key");
            }
            return values;
        }
        let wanted = match key.shape {
            Shape::Text => "text",
            Shape::Texts => "text, or an array of texts",
            Shape::Integer => "a whole number without quotes",
            Shape::Boolean => "true or false, without quotes",
        };
        let what = match item.as_array() {
            Some(_) if key.shape == Shape::Texts => format!("{} holds something else than text", key.name),
            _ => format!("{} is {}", key.name, with_article(item.type_name())),
        };
        self.problems.add(at, what, format!("give {wanted}, such as {} = {}", key.name, key.example));
        Vec::new()
    }

    fn unknown_at_top(&mut self, name: &str, item: &Item, at: &Place) {
        let is_section = item.is_table_like() || item.is_array_of_tables();
        let what = if is_section { format!("unknown section [{name}]") } else { format!("unknown key {name}") };
        let mut homes = SECTIONS
            .iter()
            .filter(|(_, keys)| !is_section && keys.iter().any(|key| key.name == name))
            .map(|(section, _)| format!("[{section}]"))
            .chain(
                (!is_section && MANAGER.iter().any(|key| key.name == name)).then(|| format!("[[{MANAGER_SECTION}]]")),
            )
            .peekable();
        let sections = || SECTIONS.iter().map(|(section, _)| *section).chain([MANAGER_SECTION]);
        let mend = if homes.peek().is_some() {
            format!("put it below {}", homes.collect::<Vec<_>>().join(" or "))
        } else if let Some(near) = nearest(name, sections()) {
            let shown = if near == MANAGER_SECTION { format!("[[{near}]]") } else { format!("[{near}]") };
            format!("did you mean {shown}?")
        } else {
            format!("the sections are: {}", sections().collect::<Vec<_>>().join(", "))
        };
        self.problems.add(at, what, mend);
    }

    /// The parser's own rendering quotes the line, which may hold a secret; only its description is used.
    fn not_toml(&mut self, description: &str, span: Option<Range<usize>>) {
        let start = span.clone().map_or(0, |span| span.start.min(self.text.len()));
        let line_start = self.text.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        let line = self.text.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
        let mend = if line.contains('\\') {
            "write a backslash as \\\\, or the text in single quotes: 'EXAMPLE\\svc'"
        } else {
            "correct this line; `vemsync init` writes an example"
        };
        let at = self.place(span, &Place::File { file: self.file.clone(), line: 0 });
        self.problems.add(&at, format!("this is not TOML: {description}"), mend);
    }

    fn key_place(&self, table: &dyn TableLike, name: &str, item: &Item) -> Place {
        let span = table.key(name).and_then(toml_edit::Key::span).or_else(|| item.span());
        self.place(span, &Place::File { file: self.file.clone(), line: 0 })
    }

    fn place(&self, span: Option<Range<usize>>, otherwise: &Place) -> Place {
        let Some(before) = span.and_then(|span| self.text.as_bytes().get(..span.start)) else {
            return otherwise.clone();
        };
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Place::File { file: self.file.clone(), line }
    }
}

fn with_article(type_name: &str) -> String {
    let article = if type_name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {type_name}")
}
