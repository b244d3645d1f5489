//! What the daemon's web pages read: each page has one look at the database, in a transaction that cannot write and on
//! connections of its own, so that no visitor keeps the sync waiting.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{PgPool, SqlitePool};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::database::{Row, Tx, Value};
use super::view::{self, Cell, Select, Type, Views};
use super::{RejectRow, Result, postgres, sqlite};
use crate::kind::{SessionKind, Ty};
use crate::kinds::KINDS;

/// Connections that nobody needs are closed after this, and their memory is free.
pub(super) const IDLE: Duration = Duration::from_secs(30);

/// Looks at the same time; more visitors wait.
pub(super) const AT_ONCE: u32 = 2;

/// A visitor who waited so long for a connection is told that the database is away.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// A look that takes longer is ended by the database, also where its visitor has gone.
pub(super) const LONGEST: Duration = Duration::from_secs(30);

/// Where looks come from. Nothing is opened before the first one.
pub struct Looks(Pool);

enum Pool {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

impl Looks {
    /// At the database of that URL, which is up to date.
    ///
    /// # Errors
    /// If the URL is none.
    pub fn new(url: &str) -> Result<Self> {
        Ok(Self(match url.strip_prefix("sqlite:") {
            Some(path) => Pool::Sqlite(sqlite::looks(&sqlite::path(path)?)),
            None => Pool::Postgres(postgres::looks(url)?),
        }))
    }

    /// One look: all that it is asked is answered as of its beginning.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn look(&self) -> Result<Look> {
        let tx = match &self.0 {
            Pool::Postgres(pool) => {
                Tx::Postgres(pool.begin_with("begin isolation level repeatable read read only").await?)
            }
            Pool::Sqlite(pool) => {
                let mut tx = pool.begin().await?;
                let end = Instant::now() + LONGEST;
                tx.lock_handle().await?.set_progress_handler(10_000, move || Instant::now() < end);
                Tx::Sqlite(tx)
            }
        };
        Ok(Look(Mutex::new(tx)))
    }
}

/// A look at the database.
pub struct Look(Mutex<Tx>);

#[async_trait]
impl Views for Look {
    async fn select(&self, select: &Select) -> Result<Vec<Vec<Cell>>> {
        view::rows(&mut *self.0.lock().await, select).await
    }
}

/// What became of one session type since some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The Enterprise Manager's name.
    pub manager: String,
    /// The API's query type.
    pub kind: String,
    /// Rows that were new.
    pub rows: i64,
    /// Records that could not be stored, and were seen since then.
    pub rejects: i64,
}

/// Something with a name, on a backup server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its identity; machines have none.
    pub uid: Option<Uuid>,
    /// Its name.
    pub name: String,
    /// The backup server's name.
    pub server: Option<String>,
    /// What it is: the type of a job, `CDP policy`, or how a machine is protected.
    pub what: String,
}

/// What a job's identity stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobName {
    /// Its name, or that of the job it works for.
    pub name: String,
    /// The backup server's name.
    pub server: Option<String>,
    /// Whether it is a CDP policy.
    pub is_policy: bool,
}

/// A session as it is stored.
#[derive(Debug, Clone)]
pub struct StoredSession {
    /// Its columns, in the order in which they are declared.
    pub fields: Vec<(&'static str, Cell)>,
    /// What the API sent besides, as JSON.
    pub extra: Option<String>,
    /// The Enterprise Manager that first stored it.
    pub manager: String,
    /// Its backup server's name.
    pub server: Option<String>,
    /// When it was first stored.
    pub first_seen_at: DateTime<Utc>,
    /// When a value last changed.
    pub updated_at: DateTime<Utc>,
    /// Since when Enterprise Manager provably has it no longer.
    pub missing_since: Option<DateTime<Utc>>,
}

/// A session of which others are part, or that is part of another.
#[derive(Debug, Clone)]
pub struct Relative {
    /// The API's query type.
    pub kind: &'static str,
    /// Its identity.
    pub uid: Uuid,
    /// The machine, where it is one's; otherwise the session's name.
    pub name: Option<String>,
    /// When it started.
    pub creation_time: DateTime<Utc>,
    /// When it ended.
    pub end_time: Option<DateTime<Utc>>,
    /// Its state.
    pub state: String,
    /// Its result.
    pub result: String,
    /// What it says.
    pub message: Option<String>,
}

/// A change of a session that was seen.
#[derive(Debug, Clone)]
pub struct Transition {
    /// When it was seen.
    pub observed_at: DateTime<Utc>,
    /// State and result before.
    pub from: [String; 2],
    /// State and result after.
    pub to: [String; 2],
}

impl Look {
    /// What came since then, by Enterprise Manager and session type.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn news(&self, since: DateTime<Utc>) -> Result<Vec<News>> {
        let kinds: Vec<String> = KINDS.iter().map(|kind| format!("select '{}' as kind", kind.name)).collect();
        // Per kind, so that the index on the diary serves.
        let sql = format!(
            "select m.name, k.kind,\n\
             cast(coalesce((select sum(p.rows_inserted) from sync_passes p where p.em_id = m.id and p.kind = k.kind and p.started_at >= $1), 0) as bigint),\n\
             (select count(*) from sync_rejects r where r.em_id = m.id and r.kind = k.kind and r.last_seen_at >= $1)\n\
             from enterprise_managers m cross join ({}) k",
            kinds.join(" union all ")
        );
        let rows = self.query(&sql, vec![since.into()]).await?;
        rows.iter()
            .map(|row| {
                let (manager, kind) = (row.text(0)?.unwrap_or_default(), row.text(1)?.unwrap_or_default());
                Ok(News { manager, kind, rows: row.int(2)?, rejects: row.int(3)? })
            })
            .collect()
    }

    /// Every job that stands for itself, and every CDP policy, that has a name.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn jobs(&self) -> Result<Vec<Known>> {
        let sql = "select j.uid, j.name, b.name, coalesce(j.job_type, 'Job') from jobs j\n\
                   left join backup_servers b on b.uid = j.backup_server_uid\n\
                   where j.name is not null and coalesce(j.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement')\n\
                   union all select p.uid, p.name, b.name, 'CDP policy' from cdp_policies p\n\
                   left join backup_servers b on b.uid = p.backup_server_uid where p.name is not null";
        let rows = self.query(sql, vec![]).await?;
        let known = |row: &Row| -> Result<Known> {
            Ok(Known {
                uid: Some(row.uid(0)?),
                name: row.text(1)?.unwrap_or_default(),
                server: row.text(2)?,
                what: row.text(3)?.unwrap_or_default(),
            })
        };
        rows.iter().map(known).collect()
    }

    /// Every machine that was ever attempted, once for each way of protection.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn machines(&self) -> Result<Vec<Known>> {
        let sql = "select m.vm_display_name, b.name, m.protection from machines m\n\
                   left join backup_servers b on b.uid = m.backup_server_uid";
        let known = |row: &Row| -> Result<Known> {
            let (name, what) = (row.text(0)?.unwrap_or_default(), row.text(2)?.unwrap_or_default());
            Ok(Known { uid: None, name, server: row.text(1)?, what })
        };
        self.0.lock().await.map(sql, vec![], known).await
    }

    /// The job or CDP policy of that identity, if it is known by name.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn job(&self, uid: Uuid) -> Result<Option<JobName>> {
        for (is_policy, sql) in [
            (
                false,
                "select f.family_name, b.name from job_families f\n\
                 left join backup_servers b on b.uid = f.backup_server_uid where f.job_uid = $1",
            ),
            (
                true,
                "select p.name, b.name from cdp_policies p\n\
                 left join backup_servers b on b.uid = p.backup_server_uid where p.uid = $1",
            ),
        ] {
            let rows = self.query(sql, vec![uid.into()]).await?;
            if let Some(row) = rows.first()
                && let Some(name) = row.text(0)?
            {
                return Ok(Some(JobName { name, server: row.text(1)?, is_policy }));
            }
        }
        Ok(None)
    }

    /// A session by its type and identity.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn session(&self, kind: &SessionKind, uid: Uuid) -> Result<Option<StoredSession>> {
        let columns: Vec<String> = kind.columns.iter().map(|column| selected(column.name, column.ty)).collect();
        let sql = format!(
            "select {}, {}, m.name, b.name, s.first_seen_at, s.updated_at, s.source_missing_since from {} s\n\
             join enterprise_managers m on m.id = s.em_id\n\
             left join backup_servers b on b.uid = s.backup_server_uid where s.uid = $1",
            columns.join(", "),
            selected("extra", Ty::Json),
            kind.table
        );
        let rows = self.query(&sql, vec![uid.into()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let field = |(at, column): (usize, &crate::kind::Column)| Ok((column.name, row.cell(at, shown(column.ty))?));
        let fields = kind.columns.iter().enumerate().map(field).collect::<Result<Vec<_>>>()?;
        let rest = kind.columns.len();
        Ok(Some(StoredSession {
            fields,
            extra: row.text(rest)?,
            manager: row.text(rest + 1)?.unwrap_or_default(),
            server: row.text(rest + 2)?,
            first_seen_at: row.time(rest + 3)?,
            updated_at: row.time(rest + 4)?,
            missing_since: row.maybe_time(rest + 5)?,
        }))
    }

    /// The session that one is part of, if it is stored.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn parent(&self, kind: &SessionKind, parent: Uuid) -> Result<Option<Relative>> {
        let of = kind.parent_session.and_then(|parent| KINDS.iter().find(|kind| kind.name == parent.kind));
        let Some(of) = of else { return Ok(None) };
        Ok(self.relatives(of, "uid", parent, 1).await?.pop())
    }

    /// The sessions that are part of one, up to so many.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn parts(&self, kind: &SessionKind, uid: Uuid, most: u32) -> Result<Vec<Relative>> {
        let mut parts = Vec::new();
        for part in KINDS {
            if let Some(parent) = part.parent_session.filter(|parent| parent.kind == kind.name) {
                parts.extend(self.relatives(part, parent.link, uid, most).await?);
            }
        }
        Ok(parts)
    }

    /// The rows inside a session, a cell a column that its type declares.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn inner(&self, kind: &SessionKind, uid: Uuid, most: u32) -> Result<Vec<Vec<Cell>>> {
        let Some(inner) = kind.inner else { return Ok(Vec::new()) };
        let columns: Vec<String> = inner.columns.iter().map(|column| selected(column.name, column.ty)).collect();
        let (table, owner, position) = (inner.table, inner.owner, inner.position);
        let sql =
            format!("select {} from {table} s where {owner} = $1 order by {position} limit {most}", columns.join(", "));
        let rows = self.query(&sql, vec![uid.into()]).await?;
        let cells = |row: &Row| {
            inner
                .columns
                .iter()
                .enumerate()
                .map(|(at, column)| row.cell(at, shown(column.ty)))
                .collect::<Result<Vec<_>>>()
        };
        rows.iter().map(cells).collect()
    }

    /// The changes of a session that were seen, oldest first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn transitions(&self, kind: &SessionKind, uid: Uuid, most: u32) -> Result<Vec<Transition>> {
        let sql = format!(
            "select observed_at, from_state, from_result, to_state, to_result from session_transitions\n\
             where kind = $1 and uid = $2 order by observed_at, id limit {most}"
        );
        let rows = self.query(&sql, vec![kind.name.into(), uid.into()]).await?;
        let text = |row: &Row, at| -> Result<String> { Ok(row.text(at)?.unwrap_or_default()) };
        rows.iter()
            .map(|row| {
                let (from, to) = ([text(row, 1)?, text(row, 2)?], [text(row, 3)?, text(row, 4)?]);
                Ok(Transition { observed_at: row.time(0)?, from, to })
            })
            .collect()
    }

    /// The records that were seen last and could not be stored, without their texts, and how many there are in all.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn rejects(&self, most: u32) -> Result<(Vec<RejectRow>, i64)> {
        let count = self.query("select count(*) from sync_rejects", vec![]).await?[0].int(0)?;
        let newest = format!("order by r.last_seen_at desc, r.id desc limit {most}");
        let rows = super::report::rejects(&mut *self.0.lock().await, "null", &newest, vec![]).await?;
        Ok((rows, count))
    }

    /// One of them, with its text.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn reject(&self, id: i64) -> Result<Option<RejectRow>> {
        let values = vec![id.into()];
        Ok(super::report::rejects(&mut *self.0.lock().await, "r.raw", "where r.id = $1", values).await?.pop())
    }

    /// The types of the sessions that have this identity.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn kinds_of(&self, uid: Uuid) -> Result<Vec<&'static str>> {
        let mut kinds = Vec::new();
        for kind in KINDS {
            let sql = format!("select uid from {} where uid = $1", kind.table);
            if !self.query(&sql, vec![uid.into()]).await?.is_empty() {
                kinds.push(kind.name);
            }
        }
        Ok(kinds)
    }

    async fn relatives(&self, kind: &'static SessionKind, column: &str, uid: Uuid, most: u32) -> Result<Vec<Relative>> {
        let has = |name: &'static str| kind.position(name).map(|_| name);
        let name = has("vm_display_name").unwrap_or("name");
        let message = has("reason").or(has("failure_message")).unwrap_or("null");
        let sql = format!(
            "select uid, {name}, creation_time, end_time, state, result, {message} from {}\n\
             where {column} = $1 order by creation_time, uid limit {most}",
            kind.table
        );
        let rows = self.query(&sql, vec![uid.into()]).await?;
        rows.iter()
            .map(|row| {
                Ok(Relative {
                    kind: kind.name,
                    uid: row.uid(0)?,
                    name: row.text(1)?,
                    creation_time: row.time(2)?,
                    end_time: row.maybe_time(3)?,
                    state: row.text(4)?.unwrap_or_default(),
                    result: row.text(5)?.unwrap_or_default(),
                    message: row.text(6)?,
                })
            })
            .collect()
    }

    async fn query(&self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>> {
        self.0.lock().await.query(sql, values).await
    }
}

/// A column as a cell can hold it.
fn selected(name: &str, ty: Ty) -> String {
    if ty == Ty::Json { format!("cast(s.{name} as text)") } else { format!("s.{name}") }
}

fn shown(ty: Ty) -> Type {
    match ty {
        Ty::Uid => Type::Uid,
        Ty::Text | Ty::Json => Type::Text,
        Ty::Time => Type::Time,
        Ty::Bigint => Type::Int,
        Ty::Bool => Type::Bool,
    }
}
