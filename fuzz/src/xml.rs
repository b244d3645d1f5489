//! The decoder: it decodes or refuses any bytes, and what it decodes is whole and always the same.

use std::collections::HashSet;

use vemsync::batch::{Batch, Values};
use vemsync::decode::{Decoded, decode};
use vemsync::kind::{Entity, SessionKind, Ty};
use vemsync::kinds::{KINDS, PARENTS};
use vemsync::timestamp;

/// The first byte names the type, the rest is the body.
///
/// # Panics
/// If the decoder gives something that it must not.
pub fn check(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let types: Vec<Entity> = KINDS.iter().map(SessionKind::entity).chain(PARENTS.iter().copied()).collect();
    let entity = types[usize::from(*first) % types.len()];
    let decoded = decode(entity, body);
    assert!(decode(entity, body) == decoded, "the same bytes are decoded in two ways");
    if let Ok(decoded) = decoded {
        check_decoded(entity, &decoded);
    }
}

fn check_decoded(entity: Entity, decoded: &Decoded) {
    let batch = &decoded.batch;
    assert!(batch.len() + decoded.rejects.len() <= decoded.records, "more rows than records");
    let uids: HashSet<_> = batch.uids().collect();
    assert_eq!(uids.len(), batch.len(), "an identity twice");
    for (column, values) in entity.columns.iter().zip(&batch.values) {
        check_values(column.ty, values, batch.len());
    }
    for row in 0..batch.len() {
        if let Some(extra) = batch.extra.get(row) {
            let json: serde_json::Value = serde_json::from_str(extra).expect("extras are JSON");
            assert!(json.is_object(), "extras are an object");
            check_text(extra);
        }
    }
    batch.link_names.values().for_each(|name| check_text(name));
    check_inner(entity, batch);
    for reject in &decoded.rejects {
        check_text(&reject.reason);
        assert!(!reject.raw.contains('\0') && reject.raw.len() <= 70_000, "a raw text that cannot be kept");
        // What is kept aside whole is, when it is read again, rejected again and for the same reason.
        if reject.raw.len() < 60_000 {
            let page = format!(
                "<QueryResult><Entities><Rows>{}</Rows></Entities><PagingInfo PageNum=\"1\" PageSize=\"1\" PagesCount=\"1\"/></QueryResult>",
                reject.raw
            );
            let again = decode(entity, page.as_bytes()).expect("a record that was read once");
            assert!(again.batch.is_empty(), "{}", reject.raw);
            assert_eq!((&again.rejects[0].reason, again.rejects.len()), (&reject.reason, 1), "{}", reject.raw);
        }
    }
}

fn check_inner(entity: Entity, batch: &Batch) {
    let (Some(inner), Some(rows)) = (entity.inner, &batch.inner) else { return };
    assert!(rows.owners.is_sorted() && rows.owners.iter().all(|owner| *owner < batch.len()), "{:?}", rows.owners);
    for (column, values) in inner.columns.iter().zip(&rows.values) {
        check_values(column.ty, values, rows.owners.len());
    }
}

fn check_values(ty: Ty, values: &Values, rows: usize) {
    let len = match (ty, values) {
        (Ty::Uid, Values::Uid(values)) => values.len(),
        (Ty::Text | Ty::Json, Values::Text(values)) => {
            values.iter().flatten().for_each(check_text);
            values.iter().count()
        }
        (Ty::Time, Values::Time(values)) => {
            for time in values.iter().flatten() {
                assert_eq!(timestamp::parse(&timestamp::format(*time)), Some(*time), "a time that cannot be kept");
            }
            values.len()
        }
        (Ty::Bigint, Values::Bigint(values)) => values.len(),
        (Ty::Bool, Values::Bool(values)) => values.len(),
        (ty, _) => panic!("values of another type in a column of {ty:?}"),
    };
    assert_eq!(len, rows, "a column of another length");
}

/// Postgres keeps no NUL.
fn check_text(text: &str) {
    assert!(!text.contains('\0'), "{text:?}");
}
