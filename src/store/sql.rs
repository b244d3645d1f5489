//! SQL text, as far as it is the same on both databases. Pure: from a table's description to a statement.

use std::fmt::Write as _;

use crate::kind::{Column, Entity, SessionKind, Source, Ty};
use crate::planted::{self, Bug};

/// The two dialects, where a statement's text must differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Postgres,
    Sqlite,
}

/// Columns that the batch carries: all but those that the store fills from elsewhere.
pub(super) fn carried(entity: &Entity) -> impl Iterator<Item = (usize, &'static Column)> + use<> {
    let columns = entity.columns;
    columns.iter().enumerate().filter(|(_, column)| !matches!(column.source, Source::Parent(_) | Source::Derived))
}

/// Columns that a later observation without the value leaves as they are.
fn is_kept(column: &Column) -> bool {
    matches!(column.source, Source::ElemOrUp(..) | Source::Parent(_) | Source::Derived)
}

/// The name of a column's type on Postgres.
pub(super) const fn postgres_type(ty: Ty) -> &'static str {
    match ty {
        Ty::Uid => "uuid",
        // Arrays of jsonb are sent as text and cast row by row.
        Ty::Text | Ty::Json => "text",
        Ty::Time => "timestamptz",
        Ty::Bigint => "bigint",
        Ty::Bool => "boolean",
    }
}

/// `$n`, `$n+1`, …: parameters that every upsert takes besides its rows.
pub(super) struct Fixed {
    pub em_id: usize,
    pub now: usize,
    pub unless_changed_since: usize,
    pub listed_as: usize,
}

impl Fixed {
    pub(super) const fn from(first: usize) -> Self {
        Self { em_id: first, now: first + 1, unless_changed_since: first + 2, listed_as: first + 3 }
    }
}

/// One statement that stores a batch: inserts what is new, updates what differs, writes nothing for a row that is
/// stored as it is, and never turns a final session back. `source` yields one row a record, as `v`.
pub(super) fn upsert(
    dialect: Dialect,
    entity: &Entity,
    session: Option<&SessionKind>,
    source: &str,
    fixed: &Fixed,
) -> String {
    let table = entity.table;
    let mut written = written(dialect, entity, session);
    if session.is_none() {
        written.push(("listed_as", format!("${}", fixed.listed_as)));
    }
    let (names, values): (Vec<&str>, Vec<String>) = written.iter().cloned().unzip();
    let compared: Vec<&str> = names.iter().copied().filter(|name| *name != "uid").collect();
    let kept = kept(entity);

    let mut sql = format!(
        "insert into {table} as t ({}, em_id, first_seen_at, updated_at)\nselect {}, ${}, ${now}, ${now}\nfrom {source} v\n",
        names.join(", "),
        values.join(", "),
        fixed.em_id,
        now = fixed.now
    );
    let guard = session.filter(|_| !planted::is(Bug::NoFinalGuard)).map(|kind| {
        format!(
            " and (excluded.end_time is not null and excluded.state in ({finished}) or not (t.end_time is not null and t.state in ({finished})))",
            finished = quoted(kind.finished)
        )
    });
    let fresh = |name: &&str| {
        if kept.contains(name) { format!("coalesce(excluded.{name}, t.{name})") } else { format!("excluded.{name}") }
    };
    let set: Vec<String> = compared.iter().map(|name| format!("{name} = {}", fresh(name))).collect();
    let old: Vec<String> = compared.iter().map(|name| format!("t.{name}")).collect();
    let new: Vec<String> = compared.iter().map(fresh).collect();
    // On Postgres a conflicting row is locked, and so written, even where the update's condition is false. Rows that
    // are stored as they are must not get that far. The offset keeps the planner from joining: without statistics, as in a
    // first load, it would read the whole table for each batch.
    sql.push_str("where true");
    if dialect == Dialect::Postgres {
        let _ = write!(
            sql,
            " and not exists (select from {table} o where o.uid = v.uid and o.source_missing_since is null and {} offset 0)",
            same(entity, &written)
        );
    }
    let (old, new) = (old.join(", "), new.join(", "));
    // A row that is there again loses the mark of a missing one, which is no change of its values.
    let _ = write!(
        sql,
        "\non conflict (uid) do update set {}, source_missing_since = null,\n\
         updated_at = case when ({old}) is distinct from ({new}) then excluded.updated_at else t.updated_at end\n\
         where t.updated_at <= ${} and (({old}) is distinct from ({new}) or t.source_missing_since is not null){}",
        set.join(", "),
        fixed.unless_changed_since,
        guard.unwrap_or_default()
    );
    sql
}

/// The columns that an upsert writes, with what it writes into them, from a row `v`.
fn written(dialect: Dialect, entity: &Entity, session: Option<&SessionKind>) -> Vec<(&'static str, String)> {
    let jsonb = if dialect == Dialect::Postgres { "::jsonb" } else { "" };
    let value = |column: &Column| match column.source {
        Source::Parent(of) => parent_value(session, of),
        Source::Derived => proven_plan("v"),
        _ if column.ty == Ty::Json => format!("v.{}{jsonb}", column.name),
        _ => format!("v.{}", column.name),
    };
    let mut written: Vec<_> = entity.columns.iter().map(|column| (column.name, value(column))).collect();
    written.push(("extra", format!("v.extra{jsonb}")));
    written
}

fn kept(entity: &Entity) -> Vec<&'static str> {
    entity.columns.iter().filter(|column| is_kept(column)).map(|column| column.name).collect()
}

/// Whether a stored row `o` is what would be written.
fn same(entity: &Entity, written: &[(&str, String)]) -> String {
    let kept = kept(entity);
    let compared = || written.iter().filter(|(name, _)| *name != "uid");
    let stored: Vec<String> = compared().map(|(name, _)| format!("o.{name}")).collect();
    let fresh: Vec<String> = compared()
        .map(|(name, value)| if kept.contains(name) { format!("coalesce({value}, o.{name})") } else { value.clone() })
        .collect();
    format!("({}) is not distinct from ({})", stored.join(", "), fresh.join(", "))
}

/// How stored rows compare with a batch's: uid, whether all values are the same, whether the row is stored as ended,
/// and whether it is marked as missing. `source` yields one row a record.
pub(super) fn compare(dialect: Dialect, kind: &SessionKind, source: &str) -> String {
    let entity = kind.entity();
    let truth = |condition: &str| format!("case when {condition} then 1 else 0 end");
    format!(
        "select o.uid, {}, {}, {} from {source} v join {} o on o.uid = v.uid",
        truth(&same(&entity, &written(dialect, &entity, Some(kind)))),
        truth(&format!("o.end_time is not null and o.state in ({})", quoted(kind.finished))),
        truth("o.source_missing_since is not null"),
        kind.table
    )
}

/// The value of a task's column that its parent session holds.
fn parent_value(session: Option<&SessionKind>, of: &str) -> String {
    let Some((parent, table)) = session.and_then(parent_table) else {
        return "null".to_owned();
    };
    format!("(select p.{of} from {table} p where p.uid = v.{})", parent.link)
}

/// The parent session's link and table.
pub(super) fn parent_table(kind: &SessionKind) -> Option<(crate::kind::ParentSession, &'static str)> {
    let parent = kind.parent_session?;
    crate::kinds::kind(parent.kind).map(|found| (parent, found.table))
}

/// The plan of a cloud failover session: that of an action of ours, or the one that alone has its name on that server.
fn proven_plan(row: &str) -> String {
    format!(
        "coalesce((select o.plan_uid from failover_operations o where o.session_uid = {row}.uid), (select p.uid from cloud_failover_plans p where p.backup_server_uid = {row}.backup_server_uid \
         and p.name = coalesce({row}.cloud_failover_plan_name, {row}.name) and not exists (select 1 from \
         cloud_failover_plans q where q.backup_server_uid = p.backup_server_uid and q.name = p.name and q.uid <> p.uid)))"
    )
}

/// Gives the tasks of parent sessions that have just been stored what they could not know before.
/// Parameters: the parents' UIDs, now.
pub(super) fn fill_from_parent(dialect: Dialect, child: &SessionKind) -> Option<String> {
    let (parent, table) = parent_table(child)?;
    let (link, filled) = (parent.link, parent.filled);
    Some(format!(
        "update {child} set {filled} = (select p.{filled} from {table} p where p.uid = {child}.{link}), updated_at = $2\n\
         where {link} in ({uids}) and ({filled} is null) is true\n\
         and exists (select 1 from {table} p where p.uid = {child}.{link} and p.{filled} is not null)",
        child = child.table,
        uids = uid_list(dialect, 1),
    ))
}

/// Gives cloud failover sessions the plan that has become known, or unique. Parameter: now.
pub(super) fn fill_plans() -> String {
    let plan = proven_plan("cloud_failover_sessions");
    format!(
        "update cloud_failover_sessions set cloud_failover_plan_uid = {plan}, updated_at = $1\n\
         where cloud_failover_plan_uid is null and {plan} is not null"
    )
}

/// The UIDs in one parameter, as a subquery.
pub(super) fn uid_list(dialect: Dialect, parameter: usize) -> String {
    match dialect {
        Dialect::Postgres => format!("select unnest(${parameter}::uuid[])"),
        Dialect::Sqlite => format!("select value from json_each(${parameter})"),
    }
}

/// Rows that have not ended. The text matches the partial index's condition.
pub(super) fn is_open(kind: &SessionKind) -> String {
    format!("(end_time is null or state not in ({}))", quoted(kind.finished))
}

/// Words of this program's own, as a list of literals.
pub(super) fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{KINDS, PARENTS};

    /// Statements that a reviewer can read; they change only on purpose.
    #[test]
    fn upserts_read_as_before() {
        for (dialect, name) in [(Dialect::Postgres, "postgres"), (Dialect::Sqlite, "sqlite")] {
            let mut all = String::new();
            for kind in KINDS {
                let fixed = Fixed::from(kind.columns.len() + 2);
                let _ = writeln!(
                    all,
                    "-- {}\n{};\n",
                    kind.name,
                    upsert(dialect, &kind.entity(), Some(kind), "rows", &fixed)
                );
                if let Some(fill) = fill_from_parent(dialect, kind) {
                    let _ = writeln!(all, "-- {} from its parent\n{fill};\n", kind.name);
                }
            }
            for entity in PARENTS {
                let fixed = Fixed::from(entity.columns.len() + 2);
                let _ = writeln!(all, "-- {}\n{};\n", entity.name, upsert(dialect, entity, None, "rows", &fixed));
            }
            insta::assert_snapshot!(name, all);
        }
    }
}
