//! What is copied: which tables, and of each the columns that the database itself names.

use super::super::database::Tx;
use super::super::sql::Dialect;
use super::super::{Error, Result};

/// What becomes of rows that the target has and the source has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing deletes rows of this table: they are another history's, and nothing is copied.
    Foreign,
    /// As [`Fate::Foreign`], but for the row that each new database has; and a person may have deleted some.
    Settings,
    /// A sync deletes rows of this table by itself: it is emptied and copied anew where it differs.
    Replaced,
}

/// Every table that is copied, each behind those that its rows refer to. Marks come last: they say that the rows which
/// they speak of are there.
pub(super) const TABLES: &[(&str, Fate)] = &[
    (MANAGERS, Fate::Foreign),
    ("backup_servers", Fate::Foreign),
    ("jobs", Fate::Foreign),
    ("cdp_policies", Fate::Foreign),
    ("cloud_failover_plans", Fate::Foreign),
    ("cloud_failover_plan_vms", Fate::Replaced),
    ("backup_job_sessions", Fate::Foreign),
    ("replica_job_sessions", Fate::Foreign),
    ("backup_task_sessions", Fate::Foreign),
    ("replica_task_sessions", Fate::Foreign),
    ("restore_sessions", Fate::Foreign),
    ("cloud_failover_sessions", Fate::Foreign),
    ("cloud_failover_task_sessions", Fate::Replaced),
    ("cdp_replica_sessions", Fate::Foreign),
    ("cdp_replica_task_sessions", Fate::Foreign),
    ("session_transitions", Fate::Foreign),
    ("failover_operations", Fate::Foreign),
    ("failover_events", Fate::Foreign),
    ("report_settings", Fate::Settings),
    ("sync_rejects", Fate::Replaced),
    ("sync_rereads", Fate::Replaced),
    ("sync_doubts", Fate::Replaced),
    ("sync_sweeps", Fate::Replaced),
    ("sync_passes", Fate::Replaced),
    ("sync_backfills", Fate::Replaced),
    ("sync_marks", Fate::Replaced),
    ("sync_refusals", Fate::Replaced),
];

/// What makes a history this one and no other is told by these columns of this table.
pub(super) const MANAGERS: &str = "enterprise_managers";
const SAME_MANAGER: [&str; 3] = ["id", "name", "first_seen_at"];

/// Tables that are not copied, each with the reason.
pub const NOT_COPIED: &[(&str, &str)] = &[
    ("sync_leases", "a lease belongs to a process and to the database that it writes to"),
    ("refinery_schema_history", "each database has its own migrations"),
    ("schema_comments", "written by the migrations, on SQLite alone"),
];

/// Columns that hold JSON, which on SQLite is text: how it is spelt must not count as a difference.
pub const JSON: [&str; 3] = ["extra", "first_marks", "restore_point_uids"];

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ty {
    Int,
    Real,
    Bool,
    Text,
    Uid,
    Time,
    Json,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) ty: Ty,
}

/// In which order rows are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Of the key, which is the same on both databases.
    Key,
    /// In which they were stored: neighbours in time stay neighbours, which reports are fast by.
    Stored,
}

/// A table as it is in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) fate: Fate,
    /// The key first, then the others by name: the same on both databases.
    pub(super) columns: Vec<Column>,
    pub(super) key: usize,
}

impl Table {
    /// Asks the database for the columns.
    pub(super) async fn of(tx: &mut Tx, name: &'static str, fate: Fate) -> Result<Self> {
        let sql = match tx.dialect() {
            Dialect::Postgres => {
                "select a.attname::text, t.typname::text, array_position(i.indkey::int2[], a.attnum)::bigint\n\
                 from pg_attribute a join pg_type t on t.oid = a.atttypid\n\
                 left join pg_index i on i.indrelid = a.attrelid and i.indisprimary\n\
                 where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped"
            }
            Dialect::Sqlite => "select name, type, nullif(pk, 0) from pragma_table_info($1)",
        };
        let mut columns = Vec::new();
        for row in tx.query(sql, vec![name.into()]).await? {
            let (column, ty) = (row.text(0)?.unwrap_or_default(), row.text(1)?.unwrap_or_default());
            let ty = ty_of(tx.dialect(), &column, &ty).ok_or_else(|| Error::Value(format!("{name}.{column}: {ty}")))?;
            columns.push((row.maybe_int(2)?.unwrap_or(i64::MAX), Column { name: column, ty }));
        }
        columns.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
        let key = columns.iter().filter(|(position, _)| *position < i64::MAX).count();
        Ok(Self { name, fate, columns: columns.into_iter().map(|(_, column)| column).collect(), key })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// Whether the database numbers the rows by itself.
    pub(super) fn is_numbered(&self) -> bool {
        self.key == 1 && self.columns[0].name == "id"
    }

    /// With the key alone, and what else a row of another history would differ in.
    pub(super) fn identity(&self) -> Self {
        let mut identity = self.clone();
        if self.name == MANAGERS {
            identity.columns.retain(|column| SAME_MANAGER.contains(&column.name.as_str()));
        } else {
            identity.columns.truncate(self.key);
        }
        identity
    }

    /// The statement that reads the columns of all rows.
    pub(super) fn select(&self, dialect: Dialect, order: Order) -> String {
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|column| match (dialect, column.ty) {
                (Dialect::Postgres, Ty::Json) => format!("{}::text", column.name),
                _ => column.name.clone(),
            })
            .collect();
        let key: Vec<String> = self.columns[..self.key]
            .iter()
            .map(|column| match (dialect, column.ty) {
                // By bytes, as SQLite does, whatever language the server speaks.
                (Dialect::Postgres, Ty::Text) => format!("{} collate \"C\"", column.name),
                _ => column.name.clone(),
            })
            .collect();
        let order = match order {
            Order::Key => format!(" order by {}", key.join(", ")),
            Order::Stored => String::new(),
        };
        format!("select {} from {}{order}", columns.join(", "), self.name)
    }
}

fn ty_of(dialect: Dialect, column: &str, ty: &str) -> Option<Ty> {
    Some(match (dialect, ty) {
        (Dialect::Postgres, "int8") | (Dialect::Sqlite, "INTEGER") => Ty::Int,
        (Dialect::Postgres, "float8") | (Dialect::Sqlite, "REAL") => Ty::Real,
        (Dialect::Postgres, "bool") => Ty::Bool,
        (Dialect::Postgres, "text") => Ty::Text,
        (Dialect::Postgres, "uuid") => Ty::Uid,
        (Dialect::Postgres, "timestamptz") => Ty::Time,
        (Dialect::Postgres, "jsonb") => Ty::Json,
        (Dialect::Sqlite, "TEXT") if JSON.contains(&column) => Ty::Json,
        (Dialect::Sqlite, "TEXT") => Ty::Text,
        _ => return None,
    })
}
