//! What sessions hang below: servers, jobs, policies and plans, read whole.
//!
//! These lists are short and carry no time to follow. A page that drifts may miss an object until the next pass; a
//! session that refers to it brings a stub meanwhile.

use std::collections::HashSet;

use uuid::Uuid;

use super::read::{unless_unknown, until_cancelled};
use super::{Context, Error, KindOutcome};
use crate::decode::decode;
use crate::em::query::{Form, Sort};
use crate::em::{self, Query, Rejection};
use crate::kind::Entity;
use crate::kinds::PARENTS;
use crate::store::{Commit, Counts};

/// Reads all of them. A type that fails does not stop the others.
/// Also returns the backup servers that were listed, where all of them were read.
pub(super) async fn read(context: &Context<'_>) -> Result<(Vec<KindOutcome>, Option<HashSet<Uuid>>), Error> {
    let mut outcomes = Vec::new();
    let mut servers = None;
    for entity in PARENTS {
        if context.cancel.is_cancelled() {
            return Err(Error::Interrupted);
        }
        let mut reads = 0;
        let mut listed = HashSet::new();
        let result = read_type(context, *entity, &mut reads, &mut listed).await;
        if result.is_ok() && entity.table == "backup_servers" {
            servers = Some(listed);
        }
        match unless_unknown(context.client, entity.name, result).await {
            Err(error) if error.stops_all() => return Err(error),
            result => outcomes.push(KindOutcome { kind: entity.name, counts: Counts::default(), reads, result }),
        }
    }
    Ok((outcomes, servers))
}

async fn read_type(
    context: &Context<'_>,
    entity: Entity,
    reads: &mut u64,
    listed: &mut HashSet<Uuid>,
) -> Result<(), Error> {
    let mut page_size = context.options.page_size;
    let mut page = 1;
    loop {
        let query = Query {
            kind: entity.name,
            form: Form::Entities,
            filter: None,
            sort: Some(Sort::Ascending("Name")),
            page_size,
            page,
        };
        *reads += 1;
        let accept = |body: &[u8]| {
            let decoded = decode(entity, body)?;
            let paging = decoded.paging;
            if paging.page != page && paging.pages > 0 || paging.size > page_size {
                return Err(Rejection::Page {
                    page: paging.page,
                    size: paging.size,
                    asked: page,
                    asked_size: page_size,
                });
            }
            if decoded.records == 0 && page < paging.pages {
                return Err(Rejection::Count { records: 0, size: paging.size, pages: paging.pages });
            }
            Ok(decoded)
        };
        let decoded = match until_cancelled(context, context.client.query(&query, accept)).await? {
            // Entities of jobs carry all their settings; a page of them may be too large where single ones are not.
            Err(em::Error::Exhausted { last: em::Failure::TooLarge(_), .. }) if page_size > 10 => {
                page_size /= 10;
                page = 1;
                continue;
            }
            other => {
                other.map_err(|source| Error::Read { kind: entity.name, window: format!("page {page}"), source })?
            }
        };
        let pages = decoded.paging.pages;
        let mut commit = Commit::new(context.em_id, entity, None, context.client.now());
        listed.extend(decoded.batch.uids());
        commit.batch = decoded.batch;
        commit.rejects = decoded.rejects;
        context.writer.commit(commit).await?;
        if page >= pages {
            return Ok(());
        }
        page += 1;
    }
}
