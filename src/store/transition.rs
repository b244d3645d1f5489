//! The audit trail: each observed change of state or result of a session that was first seen open, and each reopening.
//!
//! What is stored is looked at before and after the upsert, in its transaction, so the trail says what the table did
//! and not what an answer said.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::database::{Tx, Value};
use super::sql::{self, Dialect};
use super::{Commit, Result};
use crate::batch::Batch;
use crate::kinds::common;

/// A session's result may change shortly after its end; for so long is it looked for.
const AFTER_THE_END: TimeDelta = TimeDelta::days(7);

/// A row as it was stored before.
#[derive(Debug, serde::Serialize)]
pub(super) struct Before {
    uid: Uuid,
    state: String,
    result: String,
}

/// The rows of a commit whose changes belong to the trail: those that are open here, those that have a trail, and
/// those that are to be opened again.
pub(super) async fn before(tx: &mut Tx, commit: &Commit) -> Result<Vec<Before>> {
    let Some(kind) = commit.session.filter(|_| !commit.batch.is_empty()) else {
        return Ok(Vec::new());
    };
    let batch = &commit.batch;
    let times = || (0..batch.len()).filter_map(|row| batch.time_at(common::CREATION_TIME, row));
    let (Some(oldest), Some(newest)) = (times().min(), times().max()) else {
        return Ok(Vec::new());
    };
    // Few rows are open, and the index on them is small: that finds all but the rows that have ended already.
    let statement = format!(
        "select t.uid, t.state, t.result from {table} t where {open} and t.creation_time >= $1 and t.creation_time <= $2\n\
         union select t.uid, t.state, t.result from {table} t where t.uid in ({recent}) and exists\n\
         (select 1 from session_transitions x where x.kind = $4 and x.uid = t.uid)\n\
         union select t.uid, t.state, t.result from {table} t where t.uid in ({reopened})",
        table = kind.table,
        open = sql::is_open(kind),
        recent = sql::uid_list(tx.dialect(), 3),
        reopened = sql::uid_list(tx.dialect(), 5),
    );
    let recent = lately_ended(batch, commit.seen_at - AFTER_THE_END);
    let values =
        vec![oldest.into(), newest.into(), Value::Uids(recent), kind.name.into(), Value::Uids(commit.reopened.clone())];
    let coming: std::collections::HashSet<Uuid> = batch.uids().collect();
    let mut found = Vec::new();
    for row in tx.query(&statement, values).await? {
        let uid = row.uid(0)?;
        if coming.contains(&uid) {
            let (state, result) = (row.text(1)?.unwrap_or_default(), row.text(2)?.unwrap_or_default());
            found.push(Before { uid, state, result });
        }
    }
    Ok(found)
}

/// Enters what has changed.
pub(super) async fn record(tx: &mut Tx, commit: &Commit, before: &[Before], now: DateTime<Utc>) -> Result<()> {
    if before.is_empty() {
        return Ok(());
    }
    let (old, cast) = match tx.dialect() {
        Dialect::Postgres => {
            ("json_to_recordset(cast($1 as json)) as o (uid uuid, state text, result text)", "::timestamptz")
        }
        Dialect::Sqlite => (
            "(select value ->> 'uid' as uid, value ->> 'state' as state, value ->> 'result' as result from json_each($1)) as o",
            "",
        ),
    };
    let statement = format!(
        "insert into session_transitions (kind, uid, observed_at, from_state, to_state, from_result, to_result)\n\
         select $2, t.uid, $3{cast}, o.state, t.state, o.result, t.result from {old} join {table} t on t.uid = o.uid\n\
         where o.state <> t.state or o.result <> t.result",
        table = commit.batch.entity.table,
    );
    let old = serde_json::json!(before).to_string();
    tx.execute(&statement, vec![Value::Text(Some(old)), commit.kind.into(), now.into()]).await?;
    Ok(())
}

/// The identities of a batch's rows that have ended lately or not at all.
fn lately_ended(batch: &Batch, since: DateTime<Utc>) -> Vec<Uuid> {
    (0..batch.len())
        .filter(|row| batch.time_at(common::END_TIME, *row).is_none_or(|end| end >= since))
        .map(|row| batch.uid(row))
        .collect()
}
