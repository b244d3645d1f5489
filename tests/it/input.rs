//! Sample bodies of the vendor, where they are at hand: every one of them decodes, into what a person reads there.

use std::path::Path;

use vemsync::decode::decode;
use vemsync::kind::Entity;
use vemsync::kinds::{KINDS, PARENTS};

fn entity(name: &str) -> Entity {
    let session = KINDS.iter().find(|kind| kind.name == name).map(vemsync::kind::SessionKind::entity);
    session.or_else(|| PARENTS.iter().find(|parent| parent.name == name).copied()).expect("a type")
}

/// A single entity in the frame of a query's answer.
fn framed(body: &str) -> String {
    let row = body.split_once("?>").map_or(body, |(_, row)| row);
    format!(
        "<QueryResult><Entities><X>{row}</X></Entities><PagingInfo PageNum=\"1\" PageSize=\"1\" PagesCount=\"1\"/></QueryResult>"
    )
}

#[test]
fn sample_bodies_decode_without_a_reject_and_without_leftovers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/api/fixtures");
    let Ok(files) = std::fs::read_dir(&folder) else {
        return;
    };
    let mut decoded_files = 0;
    for file in files {
        let path = file.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let body = std::fs::read_to_string(&path).expect("text");
        let (kind, body) = if let Some(rest) = name.strip_prefix("query-") {
            (rest.split(['-', '.']).next().expect("a type").to_owned(), body)
        } else if let Some(rest) = name.strip_prefix("entity-") {
            (rest.split(['-', '.']).next().expect("a type").to_owned(), framed(&body))
        } else {
            continue;
        };
        let decoded = decode(entity(&kind), body.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(decoded.rejects, [], "{name}");
        if name.contains("refs") {
            assert!(decoded.batch.is_empty() && !decoded.has_container, "{name}");
            continue;
        }
        decoded_files += 1;
        assert!(!decoded.batch.is_empty(), "{name}");
        let is_session = KINDS.iter().any(|known| known.name == kind);
        for row in 0..decoded.batch.len() {
            if is_session {
                assert_eq!(decoded.batch.extra.get(row), None, "{name}");
            }
            assert!(is_session || decoded.batch.text_of("name", row).is_some(), "{name}");
        }
        let inner = decoded.batch.inner.as_ref().map_or(0, |inner| inner.owners.len());
        let expected = if name.contains("working") || kind == "CloudFailoverPlan" { 2 } else { 0 };
        assert_eq!(inner, expected, "{name}");
    }
    assert!(decoded_files > 12, "{decoded_files}");
}
