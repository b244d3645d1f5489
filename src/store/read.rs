//! What a pass reads before it asks the source.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::database::Tx;
use super::{Backfill, Error, Field, Mark, OpenRow, Result, sql};
use crate::kind::SessionKind;
use crate::timestamp;

pub(super) async fn manager_since(tx: &mut Tx, name: &str) -> Result<Option<DateTime<Utc>>> {
    let rows = tx.query("select first_seen_at from enterprise_managers where name = $1", vec![name.into()]).await?;
    rows.first().map(|row| row.time(0)).transpose()
}

pub(super) async fn went_back_at(tx: &mut Tx, em_id: i64) -> Result<Option<DateTime<Utc>>> {
    let rows = tx.query("select went_back_at from enterprise_managers where id = $1", vec![em_id.into()]).await?;
    rows.first().map_or(Ok(None), |row| row.maybe_time(0))
}

pub(super) async fn server_names(tx: &mut Tx) -> Result<HashMap<Uuid, String>> {
    let rows = tx.query("select uid, name from backup_servers where name is not null", vec![]).await?;
    rows.iter().map(|row| Ok((row.uid(0)?, row.text(1)?.unwrap_or_default()))).collect()
}

pub(super) async fn servers(tx: &mut Tx, em_id: i64) -> Result<Vec<Uuid>> {
    let rows = tx.query("select uid from backup_servers where em_id = $1 order by uid", vec![em_id.into()]).await?;
    rows.iter().map(|row| row.uid(0)).collect()
}

pub(super) async fn marks(tx: &mut Tx, em_id: i64, kind: &SessionKind) -> Result<Vec<Mark>> {
    let rows = tx
        .query(
            "select backup_server_uid, field, mark, scanned_at, overlap_seconds, rows_per_hour from sync_marks\n\
             where em_id = $1 and kind = $2 order by backup_server_uid, field",
            vec![em_id.into(), kind.name.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let field = match row.text(1)?.as_deref() {
                Some("creation") => Field::Creation,
                Some("end") => Field::End,
                other => return Err(Error::Value(format!("sync_marks.field is {other:?}"))),
            };
            Ok(Mark {
                server: row.uid(0)?,
                field,
                mark: row.time(2)?,
                scanned_at: row.time(3)?,
                overlap_seconds: row.int(4)?,
                rows_per_hour: row.real(5)?,
            })
        })
        .collect()
}

pub(super) async fn backfills(tx: &mut Tx, em_id: i64, kind: &SessionKind) -> Result<Vec<Backfill>> {
    let rows = tx
        .query(
            "select backup_server_uid, started_at, range_start, range_end, cast(first_marks as text), finished_at, floor\n\
             from sync_backfills where em_id = $1 and kind = $2 order by started_at",
            vec![em_id.into(), kind.name.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Backfill {
                server: row.uid(0)?,
                started_at: row.time(1)?,
                from: row.time(2)?,
                until: row.time(3)?,
                first_marks: row.text(4)?.map(|text| first_marks(&text)).transpose()?,
                finished_at: row.maybe_time(5)?,
                floor: row.maybe_time(6)?,
            })
        })
        .collect()
}

fn first_marks(text: &str) -> Result<Vec<(Uuid, DateTime<Utc>)>> {
    let unreadable = || Error::Value(format!("sync_backfills.first_marks is {text:?}"));
    let marks: Vec<(Uuid, String)> = serde_json::from_str(text).map_err(|_| unreadable())?;
    marks.into_iter().map(|(server, mark)| Ok((server, timestamp::parse(&mark).ok_or_else(unreadable)?))).collect()
}

pub(super) async fn rows_by_server(
    tx: &mut Tx,
    em_id: i64,
    kind: &SessionKind,
    since: DateTime<Utc>,
) -> Result<Vec<(Uuid, u64)>> {
    let statement = format!(
        "select coalesce(backup_server_uid, {nil}), count(*) from {table} where em_id = $1 and creation_time >= $3\n\
         group by 1",
        nil = if tx.dialect() == sql::Dialect::Postgres { "$2::uuid" } else { "$2" },
        table = kind.table,
    );
    let rows = tx.query(&statement, vec![em_id.into(), Uuid::nil().into(), since.into()]).await?;
    rows.iter().map(|row| Ok((row.uid(0)?, u64::try_from(row.int(1)?).unwrap_or_default()))).collect()
}

pub(super) async fn open_rows(tx: &mut Tx, em_id: i64, kind: &SessionKind) -> Result<Vec<OpenRow>> {
    let statement = format!(
        "select s.uid, s.creation_time, case when s.state in ({finished}) then 1 else 0 end, r.asked_at,\n\
         coalesce(r.times, 0), case when r.absent_since is null then 0 else 1 end\n\
         from {table} s left join sync_rereads r on r.em_id = s.em_id and r.kind = $2 and r.uid = s.uid\n\
         where s.em_id = $1 and {open} and s.source_missing_since is null order by s.creation_time desc",
        finished = sql::quoted(kind.finished),
        table = kind.table,
        open = sql::is_open(kind),
    );
    let rows = tx.query(&statement, vec![em_id.into(), kind.name.into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(OpenRow {
                uid: row.uid(0)?,
                creation_time: row.time(1)?,
                is_finished: row.small(2)? != 0,
                asked_at: row.maybe_time(3)?,
                times: row.int(4)?,
                is_absent: row.small(5)? != 0,
            })
        })
        .collect()
}

/// Parents asked for in one pass; the rest waits for the next.
const UNSEEN_LIMIT: i64 = 700;

pub(super) async fn unseen_parent_sessions(tx: &mut Tx, em_id: i64, kind: &SessionKind) -> Result<Vec<Uuid>> {
    let Some((parent, table)) = sql::parent_table(kind) else {
        return Ok(Vec::new());
    };
    let statement = format!(
        "select distinct t.{link} from {child} t where t.em_id = $1 and t.{filled} is null and t.{link} is not null\n\
         and not exists (select 1 from {table} p where p.uid = t.{link})\n\
         and not exists (select 1 from sync_rereads r where r.em_id = $1 and r.kind = $2 and r.uid = t.{link})\n\
         limit {UNSEEN_LIMIT}",
        link = parent.link,
        filled = parent.filled,
        child = kind.table,
    );
    let rows = tx.query(&statement, vec![em_id.into(), parent.kind.into()]).await?;
    rows.iter().map(|row| row.uid(0)).collect()
}
