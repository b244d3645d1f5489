//! Answers as no person would write them and any server might: whatever is put into a row comes out of it, however it
//! is spelt, in whatever order, and between whatever else.

use std::collections::BTreeMap;

use proptest::prelude::{ProptestConfig, any, proptest};
use uuid::Uuid;
use vemsync::batch::{Batch, Values};
use vemsync::decode::decode;
use vemsync::kind::{Column, Entity, SessionKind, Source, Ty};
use vemsync::kinds::{KINDS, PARENTS};
use vemsync::{message, timestamp};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_put_into_a_row_comes_out_of_it(choices in proptest::collection::vec(any::<u8>(), 0..3000)) {
        check(&mut Dice(&choices));
    }
}

fn check(dice: &mut Dice<'_>) {
    let types: Vec<Entity> = KINDS.iter().map(SessionKind::entity).chain(PARENTS.iter().copied()).collect();
    let entity = types[dice.below(types.len())];
    let (mut body, mut expected, mut broken) = (String::new(), Vec::new(), Vec::new());
    for n in 0..1 + dice.below(4) {
        let row = Row::new(dice, entity, Uuid::from_u128(0xabc << 64 | n as u128));
        let text = row.xml(dice, entity);
        body.push_str(&text);
        if row.is_broken {
            broken.push(text);
        } else {
            expected.push(row);
        }
        body.push_str(dice.noise());
    }
    let paging = "<PagingInfo Odd='1' PagesCount=\"1\" PageNum=\"1\" PageSize=\"100\"><Links/></PagingInfo>";
    let is_first = dice.chance();
    let page = format!(
        "{}{}<QueryResult xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns='http://x'>{}{}<Entities>{}<Rows>{body}</Rows></Entities>{}</QueryResult>{}",
        if dice.chance() { "\u{feff}" } else { "" },
        if dice.chance() { "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n" } else { "" },
        if is_first { paging } else { "" },
        dice.noise(),
        dice.noise(),
        if is_first { "" } else { paging },
        dice.noise(),
    );
    let decoded = decode(entity, page.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{page}"));
    let raws: Vec<&String> = decoded.rejects.iter().map(|reject| &reject.raw).collect();
    assert_eq!(raws, broken.iter().collect::<Vec<_>>(), "{page}");
    assert_eq!((decoded.records, decoded.batch.len()), (broken.len() + expected.len(), expected.len()), "{page}");
    for (at, row) in expected.iter().enumerate() {
        for (index, column) in entity.columns.iter().enumerate() {
            let wanted = row.wanted(entity, column);
            assert_eq!(text_at(&decoded.batch, index, at), wanted, "{} of {page}", column.name);
        }
        let extra = decoded.batch.extra.get(at).map(|extra| serde_json::from_str(extra).expect("JSON"));
        assert_eq!(extra, row.wanted_extra(), "extras of {page}");
    }
}

/// A row: what its columns are to hold, by name, and what no column knows.
struct Row {
    values: BTreeMap<&'static str, String>,
    extra: BTreeMap<&'static str, Vec<String>>,
    is_broken: bool,
}

const UNKNOWN: [&str; 4] = ["Zone", "Deep.Er", "Deep.Er.Est", "Näme"];

impl Row {
    fn new(dice: &mut Dice<'_>, entity: Entity, uid: Uuid) -> Self {
        let is_session = KINDS.iter().any(|kind| kind.name == entity.name);
        let mut values = BTreeMap::new();
        for column in entity.columns {
            let is_needed = is_session && matches!(column.name, "creation_time" | "state");
            if column.name == "uid" {
                values.insert(column.name, uid.to_string());
            } else if is_needed || dice.below(4) > 0 {
                values.insert(column.name, dice.value(column.ty));
            }
        }
        if is_session {
            values.entry("state").and_modify(|state| state.insert(0, 'S'));
        }
        values.retain(|_, value| !value.is_empty());
        let mut extra: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for _ in 0..dice.below(4) {
            let value = dice.text();
            if !value.is_empty() {
                extra.entry(UNKNOWN[dice.below(UNKNOWN.len())]).or_default().push(value);
            }
        }
        let is_broken = dice.below(5) == 4;
        if is_broken {
            values.remove("uid");
        }
        Self { values, extra, is_broken }
    }

    /// What the decoder is to make of a column.
    fn wanted(&self, entity: Entity, column: &Column) -> Option<String> {
        let value = |name: &str| self.values.get(name).cloned();
        match column.source {
            Source::Parent(_) | Source::Derived => None,
            Source::GroupOf(of) => value(of).and_then(|text| message::group(&text)),
            Source::RelatedName(target) => {
                // The name stands on the link whose GUID another column holds; without that there is no link.
                let of = entity.columns.iter().find(|other| other.source == Source::Related(target));
                of.and_then(|of| value(of.name)).and_then(|_| value(column.name))
            }
            _ if column.name == "result" => Some(value("result").unwrap_or_else(|| "None".to_owned())),
            _ => value(column.name),
        }
    }

    fn wanted_extra(&self) -> Option<serde_json::Value> {
        let json = |values: &Vec<String>| match values.as_slice() {
            [one] => serde_json::json!(one),
            several => serde_json::json!(several),
        };
        let object: serde_json::Map<_, _> =
            self.extra.iter().map(|(path, values)| ((*path).to_owned(), json(values))).collect();
        (!object.is_empty()).then_some(serde_json::Value::Object(object))
    }

    fn xml(&self, dice: &mut Dice<'_>, entity: Entity) -> String {
        let mut attributes = vec![format!("Type=\"{}\"", entity.name), "Href=\"http://elsewhere/x\"".to_owned()];
        let (mut children, mut links) = (Vec::new(), vec!["<Link Rel=\"Stop\" Href=\"?\"/>".to_owned()]);
        for column in entity.columns {
            let value = self.values.get(column.name);
            match (column.source, value) {
                (Source::Attr(name), Some(value)) => {
                    attributes.push(format!("{name}={}", dice.attribute(value, column.ty)));
                }
                (Source::Elem(name), None) => children.push(dice.nothing(name)),
                (Source::Elem(name), Some(value)) => {
                    children.push(format!("<{name}>{}</{name}>", dice.element(value, column.ty)));
                }
                (Source::ElemOrUp(name, target), Some(value)) => {
                    let as_element = dice.chance();
                    if as_element {
                        children.push(format!("<{name}>{}</{name}>", dice.element(value, Ty::Uid)));
                    }
                    // Where both stand, the element is right.
                    if !as_element || dice.chance() {
                        let uid = if as_element { Uuid::max().to_string() } else { value.clone() };
                        links.push(dice.link("Up", target, &uid, "x"));
                    }
                }
                (Source::Up(target), Some(value)) => links.push(dice.link("Up", target, value, "x")),
                (Source::Related(target), Some(value)) => {
                    let is_named = |other: &&Column| other.source == Source::RelatedName(target);
                    let named = entity.columns.iter().find(is_named).and_then(|named| self.values.get(named.name));
                    links.push(dice.link("Related", target, value, named.map_or("", String::as_str)));
                }
                (Source::RelatedAll(target), Some(value)) => {
                    let uids: Vec<String> = serde_json::from_str(value).expect("JSON");
                    // Each twice, and backwards.
                    for uid in uids.iter().chain(&uids).rev() {
                        let rel = ["Related", "Down"][dice.below(2)];
                        links.push(dice.link(rel, target, uid, "x"));
                    }
                }
                _ => {}
            }
        }
        for (path, values) in &self.extra {
            for value in values {
                let text = dice.element(value, Ty::Text);
                let names: Vec<&str> = path.split('.').collect();
                let open: String = names.iter().map(|name| format!("<{name}>")).collect();
                let close: String = names.iter().rev().map(|name| format!("</{name}>")).collect();
                children.push(format!("{open}{text}{close}"));
            }
        }
        // Repeated extras are listed in their order; everything else may stand anywhere.
        if self.extra.values().all(|values| values.len() == 1) {
            dice.shuffle(&mut children);
        }
        dice.shuffle(&mut attributes);
        dice.shuffle(&mut links);
        let at = dice.below(children.len() + 1);
        children.insert(at, format!("<Links>{}</Links>", links.concat()));
        let tag = ["Row", entity.name, "x:Row"][dice.below(3)];
        let mut xml = format!("<{tag} {}>", attributes.join(" "));
        for child in children {
            xml.push_str(dice.noise());
            xml.push_str(&child);
        }
        xml + &format!("</{tag}>")
    }
}

/// Choices out of a tape that proptest makes and shortens; where it ends, the first choice every time.
struct Dice<'a>(&'a [u8]);

impl Dice<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, most: usize) -> usize {
        usize::from(self.byte()) % most
    }

    fn chance(&mut self) -> bool {
        self.below(2) == 1
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }

    /// What may stand between elements and means nothing.
    fn noise(&mut self) -> &'static str {
        ["", "\n  ", "<!-- </Rows> & -->", "<?pi <Row/> ?>", "\r\n\t"][self.below(5)]
    }

    fn text(&mut self) -> String {
        const ODD: [&str; 14] = [
            "&amp;",
            "<",
            "]]>",
            "\"",
            "'",
            "{\"a\":[1]}",
            "\u{0}",
            "\u{fffe}",
            "\r",
            "\n",
            "\t",
            "😀",
            "\u{feff}",
            " ",
        ];
        let piece = |dice: &mut Self| match dice.below(3) {
            0 => ODD[dice.below(ODD.len())].to_owned(),
            1 => char::from(b' ' + dice.byte() % 95).to_string(),
            _ => char::from_u32(u32::from(dice.byte()) << 8 | u32::from(dice.byte())).unwrap_or('é').to_string(),
        };
        let text: String = (0..self.below(12)).map(|_| piece(self)).collect();
        // What XML cannot hold arrives as a mark in its place.
        text.chars().map(|c| if is_text(c) { c } else { '\u{fffd}' }).collect()
    }

    fn value(&mut self, ty: Ty) -> String {
        match ty {
            Ty::Text => self.text(),
            Ty::Uid => Uuid::from_u128(u128::from(self.byte()) << 90 | 1).to_string(),
            Ty::Time => format!("20{:02}-06-01T01:02:03.{:06}Z", self.below(80), self.below(200) * 5001),
            Ty::Bigint => (i64::from(self.byte()) << (self.byte() % 55)).to_string(),
            Ty::Bool => ["true", "false"][self.below(2)].to_owned(),
            Ty::Json => {
                let uids: Vec<Uuid> = (0..1 + self.below(4)).map(|n| Uuid::from_u128(n as u128)).collect();
                serde_json::json!(uids).to_string()
            }
        }
    }

    /// An element that says nothing, or none.
    fn nothing(&mut self, name: &str) -> String {
        match self.below(4) {
            0 => String::new(),
            1 => format!("<{name}/>"),
            2 => format!("<{name}></{name}>"),
            _ => format!("<{name} xsi:nil=\"true\"/>"),
        }
    }

    fn link(&mut self, rel: &str, target: &str, uid: &str, name: &str) -> String {
        let tail = ["", "/", "?action=x&amp;y=1", "#z"][self.below(4)];
        let mut parts = vec![
            format!("Rel=\"{rel}\""),
            format!("Type='{target}{}'", ["Reference", ""][self.below(2)]),
            format!("Href=\"https://elsewhere:9398/api/x/{uid}{tail}\""),
            format!("Name={}", self.attribute(name, Ty::Text)),
        ];
        self.shuffle(&mut parts);
        format!("<Link {}/>", parts.join(" "))
    }

    /// Another spelling of the same value.
    fn spelt(&mut self, value: &str, ty: Ty) -> String {
        match (ty, self.below(3)) {
            (Ty::Uid, 0) => format!("urn:veeam:Thing:{value}"),
            (Ty::Uid, 1) => value.to_uppercase(),
            (Ty::Time, 0) => value.trim_end_matches('Z').to_owned(),
            (Ty::Time, 1) => value.replace('Z', "999+00:00"),
            (Ty::Bigint | Ty::Bool, 0) => format!(" {value}\n"),
            (Ty::Bool, 1) => if value == "true" { "1" } else { "0" }.to_owned(),
            _ => value.to_owned(),
        }
    }

    fn attribute(&mut self, value: &str, ty: Ty) -> String {
        let quote = ['"', '\''][self.below(2)];
        let mut out = String::from(quote);
        for c in self.spelt(value, ty).chars() {
            let as_reference = matches!(c, '\r' | '\n' | '\t' | '<' | '&') || c == quote || self.below(8) == 1;
            if as_reference { self.push_reference(&mut out, c) } else { out.push(c) }
        }
        out.push(quote);
        out
    }

    fn element(&mut self, value: &str, ty: Ty) -> String {
        let mut out = String::new();
        for c in self.spelt(value, ty).chars() {
            match self.below(10) {
                1 if c != '\r' => out.push_str(&format!("<![CDATA[{c}]]>")),
                2 => {
                    out.push_str(["<!-- & < -->", "<?pi?>"][self.below(2)]);
                    self.push_reference(&mut out, c);
                }
                3 if c == '\n' => out.push_str("\r\n"),
                4 => self.push_reference(&mut out, c),
                _ if matches!(c, '\r' | '<' | '&' | '>') => self.push_reference(&mut out, c),
                _ => out.push(c),
            }
        }
        out
    }

    fn push_reference(&mut self, out: &mut String, c: char) {
        let named = match c {
            '&' => Some("&amp;"),
            '<' => Some("&lt;"),
            '>' => Some("&gt;"),
            '"' => Some("&quot;"),
            '\'' => Some("&apos;"),
            _ => None,
        };
        match (self.below(3), named) {
            (0, Some(named)) => out.push_str(named),
            (1, _) => out.push_str(&format!("&#{};", u32::from(c))),
            _ => out.push_str(&format!("&#x{:X};", u32::from(c))),
        }
    }
}

fn is_text(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// A value of a batch, as text.
fn text_at(batch: &Batch, column: usize, row: usize) -> Option<String> {
    match &batch.values[column] {
        Values::Uid(values) => values[row].map(|uid| uid.to_string()),
        Values::Text(values) => values.get(row).map(str::to_owned),
        Values::Time(values) => values[row].map(timestamp::format),
        Values::Bigint(values) => values[row].map(|value| value.to_string()),
        Values::Bool(values) => values[row].map(|value| value.to_string()),
    }
}
