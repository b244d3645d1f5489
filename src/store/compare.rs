//! What a sweep reads of the database: what it has to compare, how rows compare, and how sure earlier sweeps were.

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::database::{Tx, Value, value};
use super::sql::{self, Dialect};
use super::{
    Doubted, Doubts, Error, Likeness, Result, StoredRow, Sweep, SweepScope, commit, database, postgres, sqlite,
};
use crate::batch::Batch;
use crate::kind::{Entity, SessionKind, Ty};

/// The newest sweeps of a kind, newest first.
pub(super) async fn sweeps(tx: &mut Tx, em_id: i64, kind: &str) -> Result<Vec<Sweep>> {
    let rows = tx
        .query(
            "select scope, started_at, range_start, reached, finished_at, rows_compared, rows_missing, rows_different,\n\
             rows_absent, max_lateness_seconds from sync_sweeps where em_id = $1 and kind = $2\n\
             order by started_at desc limit 60",
            vec![em_id.into(), kind.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let count = |column| row.int(column).map(|count| u64::try_from(count).unwrap_or_default());
            Ok(Sweep {
                scope: match row.text(0)?.as_deref() {
                    Some("recent") => SweepScope::Recent,
                    Some("full") => SweepScope::Full,
                    Some("verify") => SweepScope::Verify,
                    other => return Err(Error::Value(format!("sync_sweeps.scope is {other:?}"))),
                },
                started_at: row.time(1)?,
                from: row.time(2)?,
                reached: row.time(3)?,
                finished_at: row.maybe_time(4)?,
                compared: count(5)?,
                missing: count(6)?,
                different: count(7)?,
                absent: count(8)?,
                max_lateness_seconds: row.maybe_int(9)?,
            })
        })
        .collect()
}

fn stored_row(row: &database::Row) -> Result<StoredRow> {
    Ok(StoredRow { uid: row.uid(0)?, server: row.uid(1)?, creation_time: row.time(2)? })
}

/// The server of a row, never null.
fn server(dialect: Dialect, alias: &str) -> String {
    let nil = Uuid::nil();
    match dialect {
        Dialect::Postgres => format!("coalesce({alias}.backup_server_uid, '{nil}'::uuid)"),
        Dialect::Sqlite => format!("coalesce({alias}.backup_server_uid, '{nil}')"),
    }
}

/// Rows that are not marked as missing, newest first, created in a range whose end is excluded.
pub(super) async fn stored_rows(
    tx: &mut Tx,
    em_id: i64,
    kind: &SessionKind,
    from: DateTime<Utc>,
    to: Option<DateTime<Utc>>,
    limit: u32,
) -> Result<Vec<StoredRow>> {
    let statement = format!(
        "select t.uid, {server}, t.creation_time from {table} t where t.em_id = $1 and t.creation_time >= $2\n\
         and t.creation_time < $3 and t.source_missing_since is null order by t.creation_time desc limit {limit}",
        server = server(tx.dialect(), "t"),
        table = kind.table,
    );
    let to = to.unwrap_or(commit::FAR_FUTURE);
    let rows = tx.query(&statement, vec![em_id.into(), from.into(), to.into()]).await?;
    rows.iter().map(stored_row).collect()
}

/// The rows that gave each server its creation mark: those of the mark's own second.
pub(super) async fn rows_at_marks(tx: &mut Tx, em_id: i64, kind: &SessionKind) -> Result<Vec<StoredRow>> {
    let second = match tx.dialect() {
        Dialect::Postgres => "m.mark + interval '1 second'".to_owned(),
        Dialect::Sqlite => "strftime('%Y-%m-%dT%H:%M:%S', m.mark, '+1 second') || '.000000Z'".to_owned(),
    };
    let statement = format!(
        "select t.uid, m.backup_server_uid, t.creation_time from sync_marks m join {table} t\n\
         on t.creation_time >= m.mark and t.creation_time < {second} and {server} = m.backup_server_uid\n\
         where m.em_id = $1 and m.kind = $2 and m.field = 'creation' and t.em_id = $1 and t.source_missing_since is null",
        server = server(tx.dialect(), "t"),
        table = kind.table,
    );
    let rows = tx.query(&statement, vec![em_id.into(), kind.name.into()]).await?;
    rows.iter().map(stored_row).collect()
}

/// The newest rows of a server, of those that started up to `until` and were stored before `seen_before`.
pub(super) async fn newest_rows(
    tx: &mut Tx,
    em_id: i64,
    kind: &SessionKind,
    of: Uuid,
    until: DateTime<Utc>,
    seen_before: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<StoredRow>> {
    let statement = format!(
        "select t.uid, {server}, t.creation_time from {table} t where t.em_id = $1 and t.creation_time <= $2\n\
         and {server} = $3 and t.first_seen_at < $4 and t.source_missing_since is null order by t.creation_time desc limit {limit}",
        server = server(tx.dialect(), "t"),
        table = kind.table,
    );
    let rows = tx.query(&statement, vec![em_id.into(), until.into(), of.into(), seen_before.into()]).await?;
    rows.iter().map(stored_row).collect()
}

/// Rows that sweeps doubt, and since when they do.
pub(super) async fn doubts(tx: &mut Tx, em_id: i64, entity: Entity, which: Doubts) -> Result<Vec<Doubted>> {
    let is_session = crate::kinds::kind(entity.name).is_some();
    let (server, created) = match is_session {
        true => (server(tx.dialect(), "t"), "t.creation_time"),
        false => ("t.uid".to_owned(), "t.first_seen_at"),
    };
    let behind = if which.after.is_some() { format!("and ({created}, t.uid) > ($7, $8)\n") } else { String::new() };
    let statement = format!(
        "select t.uid, {server}, {created}, d.seen_at from sync_doubts d join {table} t on t.uid = d.uid\n\
         where d.em_id = $1 and d.kind = $2 and d.doubt = $3 and d.sweeps >= $4 and d.swept_at >= $5 and d.swept_at <= $6\n\
         {behind}order by {created}, t.uid limit {limit}",
        limit = which.limit,
        table = entity.table,
    );
    let (least, most) = which.swept_at.map_or((DateTime::UNIX_EPOCH, commit::FAR_FUTURE), |at| (at, at));
    let mut values = vec![
        em_id.into(),
        entity.name.into(),
        which.doubt.name().into(),
        which.least_sweeps.into(),
        least.into(),
        most.into(),
    ];
    if let Some(after) = which.after {
        values.extend([after.creation_time.into(), after.uid.into()]);
    }
    let rows = tx.query(&statement, values).await?;
    rows.iter().map(|row| Ok(Doubted { row: stored_row(row)?, since: row.time(3)? })).collect()
}

/// How many rows are marked as missing, by server and day of creation.
pub(super) async fn marked_by_day(
    tx: &mut Tx,
    em_id: i64,
    kind: &SessionKind,
    from: DateTime<Utc>,
) -> Result<Vec<(Uuid, NaiveDate, u64)>> {
    let (day, server) = match tx.dialect() {
        Dialect::Postgres => ("to_char(t.creation_time at time zone 'UTC', 'YYYY-MM-DD')", server(tx.dialect(), "t")),
        Dialect::Sqlite => ("substr(t.creation_time, 1, 10)", server(tx.dialect(), "t")),
    };
    let statement = format!(
        "select {server}, {day}, count(*) from {table} t where t.em_id = $1 and t.creation_time >= $2\n\
         and t.source_missing_since is not null group by 1, 2",
        table = kind.table,
    );
    let rows = tx.query(&statement, vec![em_id.into(), from.into()]).await?;
    rows.iter()
        .map(|row| {
            let day = row.text(1)?.unwrap_or_default();
            let day = day.parse().map_err(|_| Error::Value(day))?;
            Ok((row.uid(0)?, day, u64::try_from(row.int(2)?).unwrap_or_default()))
        })
        .collect()
}

/// Objects of a parent's type that were listed once: those that are marked as missing, or those that are not.
pub(super) async fn listed_parents(tx: &mut Tx, em_id: i64, entity: Entity, is_missing: bool) -> Result<Vec<Uuid>> {
    let statement = format!(
        "select uid from {} where em_id = $1 and listed_as = $2 and source_missing_since is {}null",
        entity.table,
        if is_missing { "not " } else { "" }
    );
    let rows = tx.query(&statement, vec![em_id.into(), entity.name.into()]).await?;
    rows.iter().map(|row| row.uid(0)).collect()
}

/// How the rows of a batch compare with what is stored of them; rows that are not stored are left out.
pub(super) async fn compare(tx: &mut Tx, batch: &Batch, kind: &'static SessionKind) -> Result<Vec<Likeness>> {
    let rows = match &mut *tx {
        Tx::Postgres(tx) => postgres::compare(tx, batch, kind).await?,
        Tx::Sqlite(tx) => sqlite::compare(tx, batch, kind).await?,
    };
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        found.push(Likeness {
            uid: row.uid(0)?,
            is_equal: row.small(1)? != 0,
            is_final: row.small(2)? != 0,
            is_marked: row.small(3)? != 0,
        });
    }
    compare_inner(tx, batch, &mut found).await?;
    Ok(found)
}

/// Rows inside a row belong to its values.
async fn compare_inner(tx: &mut Tx, batch: &Batch, found: &mut [Likeness]) -> Result<()> {
    let (Some(inner), Some(rows)) = (batch.entity.inner, &batch.inner) else {
        return Ok(());
    };
    let names: Vec<&str> = inner.columns.iter().map(|column| column.name).collect();
    let statement = format!(
        "select {owner}, {} from {} where {owner} in ({}) order by {owner}, {}",
        names.join(", "),
        inner.table,
        sql::uid_list(tx.dialect(), 1),
        inner.position,
        owner = inner.owner,
    );
    let mut stored: std::collections::HashMap<Uuid, Vec<Vec<Value>>> = std::collections::HashMap::new();
    for row in tx.query(&statement, vec![Value::Uids(batch.uids().collect())]).await? {
        let values = inner.columns.iter().enumerate().map(|(n, column)| {
            Ok(match column.ty {
                Ty::Uid => Value::Uid(row.maybe_uid(n + 1)?),
                Ty::Text | Ty::Json => Value::Text(row.text(n + 1)?),
                Ty::Time => Value::Time(row.maybe_time(n + 1)?),
                Ty::Bigint => Value::Int(row.maybe_int(n + 1)?),
                Ty::Bool => Value::Bool(row.maybe_int(n + 1)?.map(|truth| truth != 0)),
            })
        });
        stored.entry(row.uid(0)?).or_default().push(values.collect::<Result<_>>()?);
    }
    let mut seen: std::collections::HashMap<Uuid, Vec<Vec<Value>>> = std::collections::HashMap::new();
    for (row, owner) in rows.owners.iter().enumerate() {
        let values = rows.values.iter().map(|values| value(values, row)).collect();
        seen.entry(batch.uid(*owner)).or_default().push(values);
    }
    for likeness in found.iter_mut().filter(|likeness| likeness.is_equal) {
        likeness.is_equal = stored.get(&likeness.uid) == seen.get(&likeness.uid);
    }
    Ok(())
}
