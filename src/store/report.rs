//! The sync's diary, and what `status` and `rejects` read.

use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

use super::database::{Row, SqlStore, Tx, Value};
use super::{Pass, Result};
use crate::kinds::KINDS;

/// How long the diary is kept.
pub(super) const KEPT: Duration = Duration::days(90);

/// Writes a line of the diary; passes that changed nothing are counted on one line a day.
pub(super) async fn record_pass(store: &SqlStore, pass: &Pass) -> Result<()> {
    let counts = pass.counts;
    let is_idle = pass.outcome == "done" && counts.inserted + counts.updated + counts.rejected == 0;
    let outcome = if is_idle { "idle" } else { pass.outcome };
    let mut tx = store.begin().await?;
    store.leases.check(&mut tx, pass.em_id, pass.finished_at).await?;
    if is_idle {
        let midnight = pass.started_at.date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
        let counted = tx
            .execute(
                "update sync_passes set passes = passes + 1, finished_at = $1, requests = requests + $2,\n\
                 rows_read = rows_read + $3, rows_unchanged = rows_unchanged + $3\n\
                 where em_id = $4 and kind = $5 and mode = $6 and outcome = 'idle' and started_at >= $7",
                vec![
                    pass.finished_at.into(),
                    pass.requests.into(),
                    counts.read.into(),
                    pass.em_id.into(),
                    pass.kind.into(),
                    pass.mode.into(),
                    midnight.into(),
                ],
            )
            .await?;
        if counted > 0 {
            return tx.commit().await;
        }
    }
    tx.execute("delete from sync_passes where started_at < $1", vec![(pass.started_at - KEPT).into()]).await?;
    tx.execute(
        "insert into sync_passes (em_id, kind, mode, started_at, finished_at, outcome, passes, requests, rows_read,\n\
         rows_inserted, rows_updated, rows_unchanged, rows_rejected, error)\n\
         values ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9, $10, $11, $12, $13)",
        vec![
            pass.em_id.into(),
            pass.kind.into(),
            pass.mode.into(),
            pass.started_at.into(),
            pass.finished_at.into(),
            outcome.into(),
            pass.requests.into(),
            counts.read.into(),
            counts.inserted.into(),
            counts.updated.into(),
            counts.unchanged().into(),
            counts.rejected.into(),
            Value::Text(pass.error.clone()),
        ],
    )
    .await?;
    tx.commit().await
}

/// An Enterprise Manager, as `status` shows it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct ManagerStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Where it was last read.
    pub base_url: String,
    /// The newest API version that it offers.
    pub api_version: Option<String>,
    /// When it was last found to show older data than before.
    pub went_back_at: Option<DateTime<Utc>>,
    /// Whether it collects from its backup servers, as far as it was told.
    pub collection: super::Collection,
    /// Who writes for it, or did last.
    pub lease: Option<LeaseStatus>,
    /// One entry a session type.
    pub kinds: Vec<KindStatus>,
}

/// Who writes for an Enterprise Manager.
#[derive(Debug, Clone, serde::Serialize)]
pub struct LeaseStatus {
    /// The instance.
    pub holder: String,
    /// Until when, unless it renews that. In the past once it has ended.
    pub expires_at: DateTime<Utc>,
}

/// A session type of an Enterprise Manager.
#[derive(Debug, Clone, serde::Serialize)]
pub struct KindStatus {
    /// The API's query type.
    pub kind: &'static str,
    /// Rows that are stored, where they were counted.
    pub rows: Option<i64>,
    /// Records that could not be stored.
    pub rejects: i64,
    /// Rows that have not ended.
    pub open: i64,
    /// When the last pass ended.
    pub last_pass_at: Option<DateTime<Utc>>,
    /// What came of it: done, idle, unavailable or failed.
    pub last_outcome: Option<String>,
    /// Why the last pass failed, if it did.
    pub last_error: Option<String>,
    /// When the last sweep was done.
    pub last_sweep_at: Option<DateTime<Utc>>,
    /// How far back the sweep under way is.
    pub sweep_reached: Option<DateTime<Utc>>,
    /// Rows that sweeps had to mend in the last 90 days: the passes had missed them.
    pub mended: i64,
    /// How far back history is being read at the moment, where it is.
    pub backfill_reached: Option<DateTime<Utc>>,
    /// One entry a backup server that has sent rows of this type.
    pub streams: Vec<StreamStatus>,
}

/// A session type of a backup server.
#[derive(Debug, Clone, serde::Serialize)]
pub struct StreamStatus {
    /// The backup server; nil for rows that name none.
    pub backup_server_uid: Uuid,
    /// Its name.
    pub backup_server_name: Option<String>,
    /// The newest start that is stored.
    pub creation_mark: Option<DateTime<Utc>>,
    /// The newest end that is stored.
    pub end_mark: Option<DateTime<Utc>>,
    /// When it was last read to its end, by Enterprise Manager's clock.
    pub scanned_at: DateTime<Utc>,
    /// How far below its marks it is read again; rows that came late have made it wider.
    pub overlap_seconds: i64,
}

pub(super) async fn status(tx: &mut Tx, counts_rows: bool) -> Result<Vec<ManagerStatus>> {
    let managers = tx
        .query("select id, name, base_url, api_version, went_back_at from enterprise_managers order by name", vec![])
        .await?;
    let mut all = Vec::new();
    for manager in managers {
        let em_id = manager.int(0)?;
        let mut kinds = Vec::new();
        for kind in KINDS {
            let counted = format!("select count(*) from {} where em_id = $1", kind.table);
            let open = format!("{counted} and {}", super::sql::is_open(kind));
            let rejects = "select count(*) from sync_rejects where em_id = $1 and kind = $2";
            let mut status = KindStatus {
                kind: kind.name,
                rows: match counts_rows {
                    true => Some(tx.query(&counted, vec![em_id.into()]).await?[0].int(0)?),
                    false => None,
                },
                rejects: tx.query(rejects, vec![em_id.into(), kind.name.into()]).await?[0].int(0)?,
                open: tx.query(&open, vec![em_id.into()]).await?[0].int(0)?,
                last_pass_at: None,
                last_outcome: None,
                last_error: None,
                last_sweep_at: None,
                sweep_reached: None,
                mended: 0,
                backfill_reached: None,
                streams: streams(tx, em_id, kind.name).await?,
            };
            let last = last_pass(tx, em_id, kind.name).await?;
            if let Some(pass) = last {
                status.last_pass_at = Some(pass.time(0)?);
                status.last_outcome = pass.text(1)?;
                status.last_error = pass.text(2)?;
            }
            let reached = tx
                .query(
                    "select min(range_start) from sync_backfills where em_id = $1 and kind = $2 and finished_at is null and first_marks is not null",
                    vec![em_id.into(), kind.name.into()],
                )
                .await?;
            status.backfill_reached = reached[0].maybe_time(0)?;
            let swept = tx
                .query(
                    "select max(finished_at), cast(coalesce(sum(case when scope <> 'verify' then rows_missing + rows_different end), 0) as bigint),\n\
                     (select min(u.reached) from sync_sweeps u where u.em_id = $1 and u.kind = $2 and u.finished_at is null\n\
                     and u.started_at = (select max(n.started_at) from sync_sweeps n where n.em_id = $1 and n.kind = $2))\n\
                     from sync_sweeps where em_id = $1 and kind = $2",
                    vec![em_id.into(), kind.name.into()],
                )
                .await?;
            status.last_sweep_at = swept[0].maybe_time(0)?;
            status.mended = swept[0].int(1)?;
            status.sweep_reached = swept[0].maybe_time(2)?;
            kinds.push(status);
        }
        all.push(ManagerStatus {
            name: manager.text(1)?.unwrap_or_default(),
            base_url: manager.text(2)?.unwrap_or_default(),
            api_version: manager.text(3)?,
            went_back_at: manager.maybe_time(4)?,
            collection: super::collection::collection(tx, em_id).await?,
            lease: lease(tx, em_id).await?,
            kinds,
        });
    }
    Ok(all)
}

/// When the last pass ended, what came of it, and why it failed.
async fn last_pass(tx: &mut Tx, em_id: i64, kind: &str) -> Result<Option<Row>> {
    let newest = "select max(started_at) from sync_passes where em_id = $1 and kind = $2";
    let newest = tx.query(newest, vec![em_id.into(), kind.into()]).await?[0].maybe_time(0)?;
    let Some(newest) = newest else { return Ok(None) };
    // The line that counts a day's idle passes begins with the first of them; years of others need not be sorted.
    let last = "select finished_at, outcome, error from sync_passes where em_id = $1 and kind = $2 and started_at >= $3\n\
                order by finished_at desc limit 1";
    let since = newest - Duration::days(2);
    Ok(tx.query(last, vec![em_id.into(), kind.into(), since.into()]).await?.pop())
}

async fn lease(tx: &mut Tx, em_id: i64) -> Result<Option<LeaseStatus>> {
    let rows = tx.query("select holder, expires_at from sync_leases where em_id = $1", vec![em_id.into()]).await?;
    let lease = |row: &super::database::Row| {
        Ok(LeaseStatus { holder: row.text(0)?.unwrap_or_default(), expires_at: row.time(1)? })
    };
    rows.first().map(lease).transpose()
}

async fn streams(tx: &mut Tx, em_id: i64, kind: &str) -> Result<Vec<StreamStatus>> {
    let rows = tx
        .query(
            "select m.backup_server_uid, max(b.name), max(case when m.field = 'creation' then m.mark end),\n\
             max(case when m.field = 'end' then m.mark end), max(m.scanned_at), max(m.overlap_seconds)\n\
             from sync_marks m left join backup_servers b on b.uid = m.backup_server_uid\n\
             where m.em_id = $1 and m.kind = $2 group by m.backup_server_uid order by 2, 1",
            vec![em_id.into(), kind.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(StreamStatus {
                backup_server_uid: row.uid(0)?,
                backup_server_name: row.text(1)?,
                creation_mark: row.maybe_time(2)?,
                end_mark: row.maybe_time(3)?,
                scanned_at: row.time(4)?,
                overlap_seconds: row.int(5)?,
            })
        })
        .collect()
}

/// A record that could not be stored.
#[derive(Debug, Clone, serde::Serialize)]
pub struct RejectRow {
    /// Its number, for `rejects show`.
    pub id: i64,
    /// The Enterprise Manager's id.
    pub em_id: i64,
    /// The Enterprise Manager's name.
    pub manager: String,
    /// The API's query type.
    pub kind: String,
    /// Its UID as it was sent.
    pub uid: Option<String>,
    /// What is wrong with it.
    pub reason: String,
    /// Its text.
    pub raw: String,
    /// When it was first seen.
    pub first_seen_at: DateTime<Utc>,
    /// When it was last seen.
    pub last_seen_at: DateTime<Utc>,
    /// How often it was seen.
    pub times: i64,
}

/// Rejected records with what stands for their text, and those for which the rest of the statement holds.
pub(super) async fn rejects(tx: &mut Tx, raw: &str, rest: &str, values: Vec<Value>) -> Result<Vec<RejectRow>> {
    let rows = tx
        .query(
            &format!(
                "select r.id, r.em_id, m.name, r.kind, r.uid, r.reason, {raw}, r.first_seen_at, r.last_seen_at, r.times\n\
                 from sync_rejects r join enterprise_managers m on m.id = r.em_id {rest}"
            ),
            values,
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(RejectRow {
                id: row.int(0)?,
                em_id: row.int(1)?,
                manager: row.text(2)?.unwrap_or_default(),
                kind: row.text(3)?.unwrap_or_default(),
                uid: row.text(4)?,
                reason: row.text(5)?.unwrap_or_default(),
                raw: row.text(6)?.unwrap_or_default(),
                first_seen_at: row.time(7)?,
                last_seen_at: row.time(8)?,
                times: row.int(9)?,
            })
        })
        .collect()
}
