//! The data transaction: the rows of some windows and everything that becomes true with them.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::database::{SqlStore, Tx, Value, value};
use super::sql::{self, Dialect};
use super::{Backfill, Commit, Counts, Mark, Reread, Result, postgres, sqlite, sweep, transition};
use crate::batch::Batch;
use crate::decode::Reject;
use crate::kind::{Inner, ParentLink, SessionKind, position};
use crate::kinds::{self, common};
use crate::timestamp;

pub(super) async fn manager(
    store: &SqlStore,
    name: &str,
    base_url: &str,
    api_version: Option<&str>,
    now: DateTime<Utc>,
) -> Result<i64> {
    let mut tx = store.begin().await?;
    let version = Value::Text(api_version.map(str::to_owned));
    tx.execute(
        "insert into enterprise_managers as t (name, base_url, api_version, first_seen_at, updated_at)\n\
         values ($1, $2, $3, $4, $4) on conflict (name) do update set base_url = excluded.base_url,\n\
         api_version = coalesce(excluded.api_version, t.api_version), updated_at = excluded.updated_at\n\
         where (t.base_url, t.api_version) is distinct from (excluded.base_url, coalesce(excluded.api_version, t.api_version))",
        vec![name.into(), base_url.into(), version, now.into()],
    )
    .await?;
    let rows = tx.query("select id from enterprise_managers where name = $1", vec![name.into()]).await?;
    let id = rows[0].int(0)?;
    tx.commit().await?;
    Ok(id)
}

pub(super) async fn commit(store: &SqlStore, commits: &[Commit], now: DateTime<Utc>) -> Result<Vec<Counts>> {
    // One writer: also keeps what is known of parents in step with what is committed.
    let mut known = store.known_parents.lock().await;
    let mut seen = Vec::new();
    let mut counts = Vec::with_capacity(commits.len());
    let mut tx = store.begin().await?;
    if tx.dialect() == Dialect::Postgres {
        // Two programs that store the same rows in another order would lock each other out. SQLite has one writer.
        tx.query(ONE_WRITER, vec![]).await?;
    }
    let managers: BTreeSet<i64> = commits.iter().map(|commit| commit.em_id).collect();
    for em_id in managers {
        store.leases.check(&mut tx, em_id, now).await?;
    }
    for commit in commits {
        let is_known = |table: &'static str, uid| known.contains(&(table, uid)) || seen.contains(&(table, uid));
        let fresh = unknown_parents(&commit.batch, is_known);
        insert_stubs(&mut tx, commit, &fresh, now).await?;
        seen.extend(fresh.into_iter().map(|(link, uid, _)| (link.table, uid)));
        let before = transition::before(&mut tx, commit).await?;
        if !commit.reopened.is_empty() {
            sweep::reopen(&mut tx, commit, now).await?;
        }
        let count = upsert(&mut tx, commit, now).await?;
        transition::record(&mut tx, commit, &before, now).await?;
        replace_inner(&mut tx, commit, now).await?;
        if count.inserted + count.updated > 0 {
            fill_links(&mut tx, commit, now).await?;
        }
        record_rejects(&mut tx, commit, now).await?;
        if let Some(floor) = commit.rewind {
            rewind(&mut tx, commit, floor, now).await?;
        }
        for mark in &commit.marks {
            set_mark(&mut tx, commit, mark, now).await?;
        }
        for backfill in &commit.backfills {
            set_backfill(&mut tx, commit, backfill, now).await?;
        }
        record_rereads(&mut tx, commit).await?;
        if let Some(step) = &commit.sweep {
            sweep::write(&mut tx, commit, step, now).await?;
        }
        if commit.session.is_none() {
            seen.extend((0..commit.batch.len()).map(|row| (commit.batch.entity.table, commit.batch.uid(row))));
        }
        counts.push(count);
    }
    tx.commit().await?;
    known.extend(seen);
    Ok(counts)
}

/// Held to the end of a data transaction; any constant does.
const ONE_WRITER: &str = "select cast(pg_advisory_xact_lock(6293114705512038478) as text)";

/// The parents that rows refer to and that are not known to be stored, in the order in which they refer to one
/// another, each kind in UID order; with a row that names it.
fn unknown_parents(
    batch: &Batch,
    is_known: impl Fn(&'static str, Uuid) -> bool,
) -> Vec<(&'static ParentLink, Uuid, usize)> {
    let mut fresh = Vec::new();
    for link in batch.entity.parents {
        let Some(column) = position(batch.entity.columns, link.column) else { continue };
        let mut uids: BTreeSet<(Uuid, usize)> = BTreeSet::new();
        let mut last = None;
        for row in 0..batch.len() {
            if let Some(uid) = batch.uid_at(column, row).filter(|uid| last != Some(*uid)) {
                last = Some(uid);
                if !is_known(link.table, uid) {
                    uids.insert((uid, row));
                }
            }
        }
        for (uid, row) in uids {
            if fresh.last().is_none_or(|(_, before, _)| *before != uid) {
                fresh.push((link, uid, row));
            }
        }
    }
    fresh
}

/// A parent that has not been read yet is written from what its sessions say of it, and completed when it is read.
async fn insert_stubs(
    tx: &mut Tx,
    commit: &Commit,
    fresh: &[(&'static ParentLink, Uuid, usize)],
    now: DateTime<Utc>,
) -> Result<()> {
    for (link, uid, row) in fresh {
        let batch = &commit.batch;
        let named = link.name.and_then(|column| batch.text_of(column, *row)).map(str::to_owned);
        let mut columns = vec!["uid", "em_id", "name", "first_seen_at", "updated_at"];
        let name = named.or_else(|| batch.link_names.get(uid).cloned());
        let mut values: Vec<Value> =
            vec![(*uid).into(), commit.em_id.into(), Value::Text(name), now.into(), now.into()];
        if link.table != "backup_servers" {
            columns.push("backup_server_uid");
            values.push(Value::Uid(batch.uid_at(common::BACKUP_SERVER_UID, *row)));
        }
        if let Some((here, there)) = link.type_column {
            columns.push(there);
            values.push(Value::Text(batch.text_of(here, *row).map(str::to_owned)));
        }
        let parameters: Vec<String> = (1..=columns.len()).map(|n| format!("${n}")).collect();
        let statement = format!(
            "insert into {} ({}) values ({}) on conflict (uid) do nothing",
            link.table,
            columns.join(", "),
            parameters.join(", ")
        );
        tx.execute(&statement, values).await?;
    }
    Ok(())
}

async fn upsert(tx: &mut Tx, commit: &Commit, now: DateTime<Utc>) -> Result<Counts> {
    if commit.batch.is_empty() {
        return Ok(Counts::default());
    }
    let unless = commit.unless_changed_since.unwrap_or(FAR_FUTURE);
    match tx {
        Tx::Postgres(tx) => postgres::upsert(tx, &commit.batch, commit.session, commit.em_id, unless, now).await,
        Tx::Sqlite(tx) => sqlite::upsert(tx, &commit.batch, commit.session, commit.em_id, unless, now).await,
    }
}

/// Later than any change.
pub(super) const FAR_FUTURE: DateTime<Utc> =
    DateTime::from_timestamp(253_402_300_799, 0).expect("the year 9999 is in range");

/// Inner rows are replaced as a set, where their owner was stored as this observation has it.
async fn replace_inner(tx: &mut Tx, commit: &Commit, now: DateTime<Utc>) -> Result<()> {
    let batch = &commit.batch;
    let (Some(inner), Some(rows)) = (batch.entity.inner, &batch.inner) else {
        return Ok(());
    };
    let accepted = accepted_rows(tx, commit).await?;
    let mut by_owner: HashMap<usize, Vec<usize>> = HashMap::new();
    for (row, owner) in rows.owners.iter().enumerate() {
        by_owner.entry(*owner).or_default().push(row);
    }
    for owner in (0..batch.len()).filter(|owner| accepted.contains(&batch.uid(*owner))) {
        let uid = batch.uid(owner);
        let mine = by_owner.remove(&owner).unwrap_or_default();
        for (at, row) in mine.iter().enumerate() {
            let values = rows.values.iter().map(|values| value(values, *row));
            set_inner_row(tx, &inner, uid, at, values, commit.session.is_none().then_some(now)).await?;
        }
        let surplus = format!("delete from {} where {} = $1 and {} >= $2", inner.table, inner.owner, inner.position);
        tx.execute(&surplus, vec![uid.into(), (mine.len() as u64).into()]).await?;
    }
    Ok(())
}

/// The owners whose stored row is what this observation says: a lagging one must not replace what is inside them.
async fn accepted_rows(tx: &mut Tx, commit: &Commit) -> Result<BTreeSet<Uuid>> {
    let batch = &commit.batch;
    let uids: Vec<Uuid> = batch.uids().collect();
    if commit.session.is_none() || uids.is_empty() {
        return Ok(uids.into_iter().collect());
    }
    let statement = format!(
        "select uid, state, end_time from {} where uid in ({})",
        batch.entity.table,
        sql::uid_list(tx.dialect(), 1)
    );
    let mut stored = HashMap::new();
    for row in tx.query(&statement, vec![Value::Uids(uids)]).await? {
        stored.insert(row.uid(0)?, (row.text(1)?, row.maybe_time(2)?));
    }
    Ok((0..batch.len())
        .filter(|row| {
            let seen = (batch.text_at(common::STATE, *row), batch.time_at(common::END_TIME, *row));
            stored.get(&batch.uid(*row)).is_some_and(|(state, end)| (state.as_deref(), *end) == seen)
        })
        .map(|row| batch.uid(row))
        .collect())
}

async fn set_inner_row(
    tx: &mut Tx,
    inner: &Inner,
    owner: Uuid,
    at: usize,
    values: impl Iterator<Item = Value>,
    dated: Option<DateTime<Utc>>,
) -> Result<()> {
    let names: Vec<&str> = inner.columns.iter().map(|column| column.name).collect();
    let mut parameters: Vec<Value> = vec![owner.into(), (at as u64).into()];
    parameters.extend(values);
    let mut columns = vec![inner.owner, inner.position];
    columns.extend(&names);
    let mut dated_set = "";
    if let Some(now) = dated {
        columns.extend(["first_seen_at", "updated_at"]);
        parameters.extend([now.into(), now.into()]);
        dated_set = ", updated_at = excluded.updated_at";
    }
    let list = |prefix: &str| names.iter().map(|name| format!("{prefix}{name}")).collect::<Vec<_>>().join(", ");
    let statement = format!(
        "insert into {} as t ({}) values ({}) on conflict ({}, {}) do update set {}{dated_set} where ({}) is distinct from ({})",
        inner.table,
        columns.join(", "),
        (1..=columns.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", "),
        inner.owner,
        inner.position,
        names.iter().map(|name| format!("{name} = excluded.{name}")).collect::<Vec<_>>().join(", "),
        list("t."),
        list("excluded."),
    );
    tx.execute(&statement, parameters).await?;
    Ok(())
}

/// What rows of other tables can know now that these rows are stored.
async fn fill_links(tx: &mut Tx, commit: &Commit, now: DateTime<Utc>) -> Result<()> {
    let children = |kind: &&SessionKind| kind.parent_session.is_some_and(|parent| parent.kind == commit.kind);
    for child in kinds::KINDS.iter().filter(children) {
        if let Some(statement) = sql::fill_from_parent(tx.dialect(), child) {
            let uids = commit.batch.uids().collect();
            tx.execute(&statement, vec![Value::Uids(uids), now.into()]).await?;
        }
    }
    if commit.batch.entity.table == "cloud_failover_plans" {
        tx.execute(&sql::fill_plans(), vec![now.into()]).await?;
    }
    Ok(())
}

async fn record_rejects(tx: &mut Tx, commit: &Commit, now: DateTime<Utc>) -> Result<()> {
    for Reject { uid, reason, raw } in &commit.rejects {
        use sha2::Digest as _;
        // The order of attributes changes from answer to answer; a record with a UID is the same by its UID.
        let identity = uid.as_ref().map_or_else(|| raw.clone(), |uid| format!("{uid} {reason}"));
        let digest: String = sha2::Sha256::digest(identity).iter().map(|byte| format!("{byte:02x}")).collect();
        tx.execute(
            "insert into sync_rejects as t (em_id, kind, digest, uid, reason, raw, first_seen_at, last_seen_at, times)\n\
             values ($1, $2, $3, $4, $5, $6, $7, $7, 1) on conflict (em_id, kind, digest) do update set\n\
             last_seen_at = excluded.last_seen_at, times = t.times + 1, raw = excluded.raw",
            vec![
                commit.em_id.into(),
                commit.kind.into(),
                digest.as_str().into(),
                Value::Text(uid.clone()),
                reason.as_str().into(),
                raw.as_str().into(),
                now.into(),
            ],
        )
        .await?;
    }
    Ok(())
}

/// The source shows older data than before. What is stored stays; marks fall, never to rise over what was not read
/// again, and what sweeps doubted is forgotten: it was doubted of another source.
async fn rewind(tx: &mut Tx, commit: &Commit, floor: DateTime<Utc>, now: DateTime<Utc>) -> Result<()> {
    let of_kind = || vec![commit.em_id.into(), commit.kind.into()];
    tx.execute(
        "update sync_marks set mark = $3, scanned_at = $4, updated_at = $5 where em_id = $1 and kind = $2",
        vec![commit.em_id.into(), commit.kind.into(), floor.into(), commit.seen_at.into(), now.into()],
    )
    .await?;
    // Ranges that a person asked for stay read; the first history and that of silent servers do not.
    let read = if tx.dialect() == Dialect::Postgres { "$3::uuid" } else { "$3" };
    let mut values = of_kind();
    values.push(Uuid::nil().into());
    let history = format!(
        "delete from sync_backfills where em_id = $1 and kind = $2 and (first_marks is not null or backup_server_uid <> {read})"
    );
    tx.execute(&history, values).await?;
    tx.execute("delete from sync_doubts where em_id = $1 and kind = $2", of_kind()).await?;
    tx.execute("delete from sync_sweeps where em_id = $1 and kind = $2 and finished_at is null", of_kind()).await?;
    let managers = "update enterprise_managers set went_back_at = $1, updated_at = $2 where id = $3";
    tx.execute(managers, vec![commit.seen_at.into(), now.into(), commit.em_id.into()]).await?;
    Ok(())
}

async fn set_mark(tx: &mut Tx, commit: &Commit, mark: &Mark, now: DateTime<Utc>) -> Result<()> {
    tx.execute(
        "insert into sync_marks as t (em_id, kind, backup_server_uid, field, mark, scanned_at, overlap_seconds,\n\
         rows_per_hour, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)\n\
         on conflict (em_id, kind, backup_server_uid, field) do update set mark = excluded.mark,\n\
         scanned_at = excluded.scanned_at, overlap_seconds = case when t.widened_seconds > excluded.overlap_seconds\n\
         then t.widened_seconds else excluded.overlap_seconds end,\n\
         rows_per_hour = excluded.rows_per_hour,\n\
         updated_at = case when t.mark = excluded.mark then t.updated_at else excluded.updated_at end",
        vec![
            commit.em_id.into(),
            commit.kind.into(),
            mark.server.into(),
            mark.field.name().into(),
            mark.mark.into(),
            mark.scanned_at.into(),
            mark.overlap_seconds.into(),
            Value::Real(mark.rows_per_hour),
            now.into(),
        ],
    )
    .await?;
    Ok(())
}

async fn set_backfill(tx: &mut Tx, commit: &Commit, backfill: &Backfill, now: DateTime<Utc>) -> Result<()> {
    let marks = backfill.first_marks.as_ref().map(|marks| {
        let marks: Vec<(Uuid, String)> =
            marks.iter().map(|(server, mark)| (*server, timestamp::format(*mark))).collect();
        serde_json::json!(marks).to_string()
    });
    let cast = if tx.dialect() == Dialect::Postgres { "::jsonb" } else { "" };
    let statement = format!(
        "insert into sync_backfills (em_id, kind, backup_server_uid, started_at, range_start, range_end, first_marks,\n\
         finished_at, updated_at, floor) values ($1, $2, $3, $4, $5, $6, $7{cast}, $8, $9, $10)\n\
         on conflict (em_id, kind, backup_server_uid, started_at) do update set range_start = excluded.range_start,\n\
         range_end = excluded.range_end, first_marks = excluded.first_marks, finished_at = excluded.finished_at,\n\
         updated_at = excluded.updated_at"
    );
    tx.execute(
        &statement,
        vec![
            commit.em_id.into(),
            commit.kind.into(),
            backfill.server.into(),
            backfill.started_at.into(),
            backfill.from.into(),
            backfill.until.into(),
            Value::Text(marks),
            Value::Time(backfill.finished_at),
            now.into(),
            Value::Time(backfill.floor),
        ],
    )
    .await?;
    Ok(())
}

async fn record_rereads(tx: &mut Tx, commit: &Commit) -> Result<()> {
    for Reread { uid, was_returned } in &commit.rereads {
        let absent = Value::Time((!was_returned).then_some(commit.seen_at));
        tx.execute(
            "insert into sync_rereads as t (em_id, kind, uid, asked_at, times, absent_since)\n\
             values ($1, $2, $3, $4, 1, $5) on conflict (em_id, kind, uid) do update set asked_at = excluded.asked_at,\n\
             times = t.times + 1, absent_since = case when excluded.absent_since is null then null\n\
             else coalesce(t.absent_since, excluded.absent_since) end",
            vec![commit.em_id.into(), commit.kind.into(), (*uid).into(), commit.seen_at.into(), absent],
        )
        .await?;
    }
    if let (Some(kind), false) = (commit.session, commit.rereads.is_empty()) {
        let ended = format!(
            "delete from sync_rereads where em_id = $1 and kind = $2 and uid in (select uid from {} where uid in ({}) and not {})",
            kind.table,
            sql::uid_list(tx.dialect(), 3),
            sql::is_open(kind)
        );
        let uids = commit.rereads.iter().map(|reread| reread.uid).collect();
        tx.execute(&ended, vec![commit.em_id.into(), commit.kind.into(), Value::Uids(uids)]).await?;
    }
    Ok(())
}
