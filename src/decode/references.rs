//! The identities in an answer to a query for references: what is there, without what it says.

use quick_xml::events::{BytesStart, Event};
use uuid::Uuid;

use super::{Error, Events, MAX_RECORDS, Paging, attributes, document_text, paging};
use crate::batch::guid;

/// An answer to a query for references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct References {
    /// The identities.
    pub uids: Vec<Uuid>,
    /// References in the answer, with those whose identity cannot be read.
    pub records: usize,
    /// Whether the answer had a list of references at all.
    pub has_container: bool,
    /// The page.
    pub paging: Paging,
}

/// Decodes the answer to a query for references.
///
/// # Errors
/// If the document as a whole cannot be trusted.
pub fn references(body: &[u8]) -> Result<References, Error> {
    let mut events = Events::new(document_text(body)?);
    let (mut uids, mut records, mut found) = (Vec::new(), 0, None);
    let (mut has_container, mut in_refs) = (false, false);
    loop {
        let event = events.next()?;
        // Of a start, the depth counts its element already; of an empty one it does not.
        let (start, depth) = match &event {
            Event::Start(start) => (start, events.depth()),
            Event::Empty(start) => (start, events.depth() + 1),
            Event::End(_) if events.depth() == 1 => {
                in_refs = false;
                continue;
            }
            Event::Eof => break,
            _ => continue,
        };
        let name = start.local_name().into_inner();
        match depth {
            1 if name != "QueryResult" => return Err(Error::Root(name.chars().take(80).collect())),
            2 if name == "Refs" => (has_container, in_refs) = (true, matches!(event, Event::Start(_))),
            2 if name == "PagingInfo" => found = paging(start).map_err(|reason| events.malformed(&reason))?.or(found),
            3 if in_refs && records >= MAX_RECORDS => return Err(Error::Records),
            3 if in_refs => {
                records += 1;
                uids.extend(identity(start).map_err(|reason| events.malformed(&reason))?);
            }
            _ => {}
        }
    }
    Ok(References { uids, records, has_container, paging: found.ok_or(Error::NoPaging)? })
}

fn identity(start: &BytesStart<'_>) -> Result<Option<Uuid>, String> {
    let mut uid = None;
    attributes(start, |name, value| {
        if name == "UID" {
            uid = guid(value);
        }
    })?;
    Ok(uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGING: &str = r#"<PagingInfo PagesCount="1" PageSize="100" PageNum="1"/>"#;

    #[test]
    fn identities_are_read_and_unreadable_ones_counted() {
        let body = format!(
            "\u{feff}<?xml version=\"1.0\"?><QueryResult xmlns=\"http://www.veeam.com/ent/v1.0\"><Refs>\
             <Ref UID=\"urn:veeam:BackupTaskSession:0000000A-0000-0000-0000-000000000001\" Name=\"a\"><Links><Link Rel=\"Up\"/></Links></Ref>\
             <Ref UID=\"00000000-0000-0000-0000-000000000002\"/><Ref Name=\"nameless\"/></Refs>{PAGING}</QueryResult>"
        );
        let found = references(body.as_bytes()).expect("an answer");
        assert_eq!(found.uids, [Uuid::from_u128((10 << 96) | 1), Uuid::from_u128(2)]);
        assert_eq!((found.records, found.paging.pages), (3, 1));
    }

    #[test]
    fn what_is_no_list_of_references_is_refused() {
        for (body, error) in [
            ("<QueryResult><Refs/></QueryResult>".to_owned(), Error::NoPaging),
            (format!("<Error>{PAGING}</Error>"), Error::Root("Error".to_owned())),
        ] {
            assert_eq!(references(body.as_bytes()), Err(error));
        }
    }

    #[test]
    fn an_empty_list_is_told_from_none() {
        for (body, has_container) in [("<Refs/>", true), ("<Entities><Refs><Ref/></Refs></Entities>", false)] {
            let body = format!("<QueryResult>{body}{PAGING}</QueryResult>");
            let found = references(body.as_bytes()).expect("an answer");
            assert_eq!((found.records, found.has_container), (0, has_container));
        }
    }
}
