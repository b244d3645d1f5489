//! More rows than a page in one second: the one case in which a listing of several pages has to be believed.
//!
//! Pages drift while data changes, and rows of equal times have no order among them. So the second is first split by
//! server, each part one page where it fits. What is left is listed page by page until the listing proves itself:
//! twice the same rows, or all the rows that there are.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::plan::Start;
use super::read::{Page, Reader, Scope};
use super::{Error, Window};
use crate::decode::Decoded;
use crate::store::Field;

/// How often a second is listed before it is given up.
const TRIES: u32 = 16;

/// How often the number of its rows may change meanwhile.
const CHANGES: u32 = 3;

/// Reads one second that overflowed.
pub(super) async fn read(
    reader: &mut Reader<'_>,
    field: Field,
    scope: &Scope,
    second: Window,
    overflow: Page,
) -> Result<Vec<Decoded>, Error> {
    let Page::Overflow { pages, size, servers, .. } = overflow else {
        return Ok(Vec::new());
    };
    let mut known: BTreeSet<Uuid> = reader.context.servers.iter().copied().collect();
    known.extend(servers);
    if *scope == Scope::All && known.len() > 1 {
        let last = reader.listed_page(field, scope, second, pages).await?;
        let total = size as usize * (pages as usize - 1) + last.records;
        let parts = by_server(reader, field, second, &known).await?;
        // Rows that name no server, or one that is not known, would be missing: then only the listing has them.
        if distinct(&parts) >= total {
            return Ok(parts);
        }
    }
    list(reader, field, scope, second).await
}

async fn by_server(
    reader: &mut Reader<'_>,
    field: Field,
    second: Window,
    servers: &BTreeSet<Uuid>,
) -> Result<Vec<Decoded>, Error> {
    let mut parts = Vec::new();
    for server in servers {
        reader.check_cancelled()?;
        let scope = Scope::Servers(vec![Start { server: *server, from: second.from, rows_per_hour: 0.0 }]);
        match reader.window(field, &scope, second).await? {
            Page::Whole(decoded) => parts.push(*decoded),
            Page::Overflow { .. } => parts.extend(list(reader, field, &scope, second).await?),
        }
    }
    Ok(parts)
}

/// Lists all pages until two listings hold the same rows, or all listings together hold as many as there are.
async fn list(reader: &mut Reader<'_>, field: Field, scope: &Scope, second: Window) -> Result<Vec<Decoded>, Error> {
    let mut parts: Vec<Decoded> = Vec::new();
    let mut union: BTreeSet<String> = BTreeSet::new();
    let mut before: Option<BTreeSet<String>> = None;
    let mut total = None;
    let mut changes = 0;
    for _ in 0..TRIES {
        let mut seen = BTreeSet::new();
        let mut records = 0;
        let mut nameless = 0;
        let mut page = 1;
        loop {
            reader.check_cancelled()?;
            let decoded = reader.listed_page(field, scope, second, page).await?;
            records += decoded.records;
            let pages = decoded.paging.pages;
            let found = identities(&decoded, &mut nameless);
            if found.iter().any(|identity| !union.contains(identity)) {
                parts.push(decoded);
            }
            seen.extend(found.iter().cloned());
            union.extend(found);
            if page >= pages {
                break;
            }
            page += 1;
        }
        if total.is_some_and(|total| total != records) {
            changes += 1;
        }
        let is_same = before.as_ref() == Some(&seen) && seen.len() == records;
        let is_all = total == Some(records) && union.len() == records;
        if is_same || is_all {
            return Ok(parts);
        }
        if changes >= CHANGES {
            break;
        }
        total = Some(records);
        before = Some(seen);
    }
    Err(Error::Unsettled { kind: reader.kind.name, second: second.to_string(), tries: TRIES })
}

fn distinct(parts: &[Decoded]) -> usize {
    let mut nameless = 0;
    parts.iter().flat_map(|part| identities(part, &mut nameless)).collect::<BTreeSet<_>>().len()
}

/// What tells the records of a page apart. Those without a usable UID are counted: a listing that holds as many of
/// them as another holds the same ones.
fn identities(decoded: &Decoded, nameless: &mut usize) -> Vec<String> {
    let rejects = decoded.rejects.iter().map(|reject| {
        reject.uid.clone().filter(|uid| Uuid::try_parse(uid).is_ok()).unwrap_or_else(|| {
            *nameless += 1;
            format!("nameless {nameless}")
        })
    });
    decoded.batch.uids().map(|uid| uid.to_string()).chain(rejects).collect()
}
