//! What a sweep reads of the database and leaves in it: rows to compare, doubts that a second sweep has to confirm,
//! and how far it is.

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::database::{Tx, Value, value};
use super::sql::{self, Dialect};
use super::{Commit, Error, Result, postgres, sqlite};
use crate::batch::Batch;
use crate::kind::{Entity, SessionKind, Ty};
use crate::kinds::common;

/// What a sweep covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SweepScope {
    /// The last 48 hours.
    Recent,
    /// Everything down to the floor of history.
    Full,
    /// What a person asked for.
    Verify,
}

impl SweepScope {
    /// Its name in `sync_sweeps`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recent => "recent",
            Self::Full => "full",
            Self::Verify => "verify",
        }
    }
}

/// A sweep over one kind: how far it is and what it found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// What it covers.
    pub scope: SweepScope,
    /// When it began, by Enterprise Manager's clock; tells the sweeps of a kind apart.
    pub started_at: DateTime<Utc>,
    /// Its first second.
    pub from: DateTime<Utc>,
    /// Everything from here on is compared.
    pub reached: DateTime<Utc>,
    /// When it was done.
    pub finished_at: Option<DateTime<Utc>>,
    /// Rows compared.
    pub compared: u64,
    /// Rows that were not stored and that no pass would have read.
    pub missing: u64,
    /// Ended rows that were stored with other values.
    pub different: u64,
    /// Stored rows that the source did not list.
    pub absent: u64,
    /// How far below its mark the latest row was.
    pub max_lateness_seconds: Option<i64>,
}

/// A stored row, as far as a sweep needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredRow {
    /// Its identity.
    pub uid: Uuid,
    /// Its backup server; nil where it names none.
    pub server: Uuid,
    /// When it started.
    pub creation_time: DateTime<Utc>,
}

/// What another sweep has to confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The source does not list the row.
    Absent,
    /// The source says that the row, which had ended, is running.
    Reopened,
}

impl Doubt {
    const fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Reopened => "reopened",
        }
    }
}

/// How a stored row compares with what the source says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Likeness {
    /// The row.
    pub uid: Uuid,
    /// Whether all its values are the same.
    pub is_equal: bool,
    /// Whether it is stored as ended.
    pub is_final: bool,
    /// Whether it is marked as missing at the source.
    pub is_marked: bool,
}

/// What a slice of a sweep gave. It is stored together with the slice's rows.
#[derive(Debug, Clone)]
pub struct SweepStep {
    /// The sweep, as it stands after the slice.
    pub sweep: Sweep,
    /// The stretch that was compared, its end excluded or open; `None` where everything was.
    pub slice: Option<(DateTime<Utc>, Option<DateTime<Utc>>)>,
    /// Whether the rows' values were compared, too.
    pub has_content: bool,
    /// Stored rows of the slice that the source did not list.
    pub absent: Vec<Uuid>,
    /// Rows stored as ended that the source shows running.
    pub reverted: Vec<Uuid>,
    /// Those of them that were stored as running again.
    pub reopened: Vec<Uuid>,
    /// Rows that the source provably no longer has.
    pub gone: Vec<Uuid>,
    /// Servers whose rows came later than their overlap, with the overlap that they need, in seconds.
    pub overlaps: Vec<(Uuid, i64)>,
}

impl SweepStep {
    /// A step that only says how far the sweep is.
    #[must_use]
    pub fn new(sweep: Sweep) -> Self {
        Self {
            sweep,
            slice: None,
            has_content: false,
            absent: Vec::new(),
            reverted: Vec::new(),
            reopened: Vec::new(),
            gone: Vec::new(),
            overlaps: Vec::new(),
        }
    }
}

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

fn stored_row(row: &super::database::Row) -> Result<StoredRow> {
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
    let to = to.unwrap_or(super::commit::FAR_FUTURE);
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

/// Rows that so many sweeps in a row doubt, the last of them the one that began then, and since when they do.
pub(super) async fn doubts(
    tx: &mut Tx,
    em_id: i64,
    entity: Entity,
    doubt: Doubt,
    swept_at: Option<DateTime<Utc>>,
    least_sweeps: i64,
    limit: u32,
) -> Result<Vec<(StoredRow, DateTime<Utc>)>> {
    let is_session = crate::kinds::kind(entity.name).is_some();
    let (server, created) = match is_session {
        true => (server(tx.dialect(), "t"), "t.creation_time"),
        false => ("t.uid".to_owned(), "t.first_seen_at"),
    };
    let statement = format!(
        "select t.uid, {server}, {created}, d.seen_at from sync_doubts d join {table} t on t.uid = d.uid\n\
         where d.em_id = $1 and d.kind = $2 and d.doubt = $3 and d.sweeps >= $4 and d.swept_at >= $5 and d.swept_at <= $6\n\
         order by {created}, t.uid limit {limit}",
        table = entity.table,
    );
    let (least, most) = swept_at.map_or((DateTime::UNIX_EPOCH, super::commit::FAR_FUTURE), |at| (at, at));
    let values =
        vec![em_id.into(), entity.name.into(), doubt.name().into(), least_sweeps.into(), least.into(), most.into()];
    let rows = tx.query(&statement, values).await?;
    rows.iter().map(|row| Ok((stored_row(row)?, row.time(3)?))).collect()
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

/// Objects of a parent's type that were listed once and are not marked as missing.
pub(super) async fn listed_parents(tx: &mut Tx, em_id: i64, entity: Entity) -> Result<Vec<Uuid>> {
    let statement = format!(
        "select uid from {} where em_id = $1 and listed_as = $2 and source_missing_since is null",
        entity.table
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

/// Writes what a slice gave, but for its rows.
pub(super) async fn write(tx: &mut Tx, commit: &Commit, step: &SweepStep, now: DateTime<Utc>) -> Result<()> {
    let sweep = &step.sweep;
    tx.execute(
        "insert into sync_sweeps (em_id, kind, scope, range_start, range_end, reached, rows_compared, rows_missing,\n\
         rows_different, rows_absent, max_lateness_seconds, started_at, finished_at, updated_at)\n\
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $5, $12, $13)\n\
         on conflict (em_id, kind, started_at) do update set reached = excluded.reached,\n\
         rows_compared = excluded.rows_compared, rows_missing = excluded.rows_missing,\n\
         rows_different = excluded.rows_different, rows_absent = excluded.rows_absent,\n\
         max_lateness_seconds = excluded.max_lateness_seconds, finished_at = excluded.finished_at,\n\
         updated_at = excluded.updated_at",
        vec![
            commit.em_id.into(),
            commit.kind.into(),
            sweep.scope.name().into(),
            sweep.from.into(),
            sweep.started_at.into(),
            sweep.reached.into(),
            sweep.compared.into(),
            sweep.missing.into(),
            sweep.different.into(),
            sweep.absent.into(),
            Value::Int(sweep.max_lateness_seconds),
            Value::Time(sweep.finished_at),
            now.into(),
        ],
    )
    .await?;
    if sweep.finished_at.is_some() {
        let old = vec![commit.em_id.into(), (sweep.started_at - super::report::KEPT).into()];
        tx.execute("delete from sync_sweeps where em_id = $1 and started_at < $2", old).await?;
    }
    if step.slice.is_some() || commit.session.is_none() {
        settle(tx, commit, step, Doubt::Absent, &step.absent).await?;
    }
    if step.has_content {
        let still: Vec<Uuid> = step.reverted.iter().filter(|uid| !step.reopened.contains(uid)).copied().collect();
        settle(tx, commit, step, Doubt::Reopened, &still).await?;
    }
    if !step.gone.is_empty() {
        mark_gone(tx, commit, &step.gone).await?;
    }
    for (server, seconds) in &step.overlaps {
        tx.execute(
            "update sync_marks set overlap_seconds = $1 where em_id = $2 and backup_server_uid = $3 and overlap_seconds < $1",
            vec![(*seconds).into(), commit.em_id.into(), (*server).into()],
        )
        .await?;
    }
    Ok(())
}

/// Doubts of a slice: those that still hold are counted, the others are gone.
async fn settle(tx: &mut Tx, commit: &Commit, step: &SweepStep, doubt: Doubt, still: &[Uuid]) -> Result<()> {
    let list = sql::uid_list(tx.dialect(), 4);
    let mut values = vec![commit.em_id.into(), commit.kind.into(), doubt.name().into(), Value::Uids(still.to_vec())];
    let inside = match step.slice {
        Some((from, to)) => {
            values.extend([from.into(), to.unwrap_or(super::commit::FAR_FUTURE).into()]);
            format!(
                " and exists (select 1 from {} t where t.uid = sync_doubts.uid and t.creation_time >= $5 and t.creation_time < $6)",
                commit.batch.entity.table
            )
        }
        None => String::new(),
    };
    let stale = format!(
        "delete from sync_doubts where em_id = $1 and kind = $2 and doubt = $3 and uid not in ({list}){inside}"
    );
    tx.execute(&stale, values).await?;
    if still.is_empty() {
        return Ok(());
    }
    let cast = if tx.dialect() == Dialect::Postgres { ("::timestamptz", "::bigint") } else { ("", "") };
    let counted = format!(
        "insert into sync_doubts as d (em_id, kind, uid, doubt, swept_at, sweeps, seen_at)\n\
         select $1{big}, $2, u.uid, $3, $5{time}, 1, $6{time} from ({list}) u where true\n\
         on conflict (em_id, kind, uid, doubt) do update set swept_at = excluded.swept_at,\n\
         sweeps = d.sweeps + case when d.swept_at = excluded.swept_at then 0 else 1 end",
        time = cast.0,
        big = cast.1,
        list = match tx.dialect() {
            Dialect::Postgres => "select unnest($4::uuid[]) as uid",
            Dialect::Sqlite => "select value as uid from json_each($4)",
        },
    );
    let values = vec![
        commit.em_id.into(),
        commit.kind.into(),
        doubt.name().into(),
        Value::Uids(still.to_vec()),
        step.sweep.started_at.into(),
        commit.seen_at.into(),
    ];
    tx.execute(&counted, values).await?;
    Ok(())
}

/// Rows that the source provably no longer has stay as they are, but for the mark. It does not move `updated_at`.
async fn mark_gone(tx: &mut Tx, commit: &Commit, gone: &[Uuid]) -> Result<()> {
    let mark = format!(
        "update {} set source_missing_since = $1 where uid in ({}) and source_missing_since is null",
        commit.batch.entity.table,
        sql::uid_list(tx.dialect(), 2)
    );
    tx.execute(&mark, vec![commit.seen_at.into(), Value::Uids(gone.to_vec())]).await?;
    let settled = format!(
        "delete from sync_doubts where em_id = $1 and kind = $2 and uid in ({})",
        sql::uid_list(tx.dialect(), 3)
    );
    tx.execute(&settled, vec![commit.em_id.into(), commit.kind.into(), Value::Uids(gone.to_vec())]).await?;
    Ok(())
}

/// Rows that two sweeps saw running again lose their end, so that they may be stored as the source has them.
pub(super) async fn reopen(tx: &mut Tx, commit: &Commit, now: DateTime<Utc>) -> Result<()> {
    let statement = format!(
        "update {} set end_time = null, updated_at = $1 where uid in ({})",
        commit.batch.entity.table,
        sql::uid_list(tx.dialect(), 2)
    );
    tx.execute(&statement, vec![now.into(), Value::Uids(commit.reopened.clone())]).await?;
    Ok(())
}

/// The identities of a batch's rows that have ended lately or not at all.
pub(super) fn lately_ended(batch: &Batch, since: DateTime<Utc>) -> Vec<Uuid> {
    (0..batch.len())
        .filter(|row| batch.time_at(common::END_TIME, *row).is_none_or(|end| end >= since))
        .map(|row| batch.uid(row))
        .collect()
}
