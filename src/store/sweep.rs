//! What a sweep leaves in the database: how far it is, doubts that a second sweep has to confirm, and marks of rows
//! that are gone.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::database::{Tx, Value};
use super::sql::{self, Dialect};
use super::{Commit, Result};

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
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Reopened => "reopened",
        }
    }
}

/// Which doubts are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Doubts {
    /// What is doubted.
    pub doubt: Doubt,
    /// The last sweep that doubts the row, by its beginning; any if it is not given.
    pub swept_at: Option<DateTime<Utc>>,
    /// In at least so many sweeps in a row.
    pub least_sweeps: i64,
    /// Only rows behind this one: they come in the order of their creation.
    pub after: Option<StoredRow>,
    /// At most so many rows.
    pub limit: u32,
}

/// A stored row that a sweep doubts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubted {
    /// The row.
    pub row: StoredRow,
    /// When it was doubted first.
    pub since: DateTime<Utc>,
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
    /// Rows that were marked as missing and that the source has.
    pub returned: Vec<Uuid>,
    /// Servers whose rows came later than their overlap, with the overlap that they need, in seconds.
    pub overlaps: Vec<(Uuid, i64)>,
}

impl Sweep {
    /// A sweep that has seen nothing yet.
    #[must_use]
    pub fn begin(scope: SweepScope, started_at: DateTime<Utc>, from: DateTime<Utc>) -> Self {
        Self {
            scope,
            started_at,
            from,
            reached: started_at,
            finished_at: None,
            compared: 0,
            missing: 0,
            different: 0,
            absent: 0,
            max_lateness_seconds: None,
        }
    }
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
            returned: Vec::new(),
            overlaps: Vec::new(),
        }
    }
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
    if !step.returned.is_empty() {
        let statement = format!(
            "update {} set source_missing_since = null where uid in ({})",
            commit.batch.entity.table,
            sql::uid_list(tx.dialect(), 1)
        );
        tx.execute(&statement, vec![Value::Uids(step.returned.clone())]).await?;
    }
    for (server, seconds) in &step.overlaps {
        tx.execute(
            "update sync_marks set overlap_seconds = $1, widened_seconds = $1 where em_id = $2 and backup_server_uid = $3 and overlap_seconds < $1",
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
