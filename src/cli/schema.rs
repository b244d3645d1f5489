//! `vemsync schema`: the session types and their columns, from the entries that everything else is made from.

use std::io::{self, Write};

use clap::Args;
use comfy_table::Table;

use super::terminal;
use crate::config::{self, Place, Problem};
use crate::kind::{Column, SessionKind, Source, Ty};
use crate::kinds::KINDS;

/// Arguments of `schema`.
#[derive(Debug, Clone, Args)]
pub struct SchemaArgs {
    /// A session type, such as BackupJobSession; without one, all are listed
    pub kind: Option<String>,
}

impl SchemaArgs {
    /// The kind that was named, if one was.
    ///
    /// # Errors
    /// When there is no such kind.
    pub fn kind(&self) -> Result<Option<&'static SessionKind>, Problem> {
        self.kind.as_ref().map(|name| config::kind(name, Place::Flag("schema"))).transpose()
    }
}

/// Writes the columns of a kind, or the list of kinds.
///
/// # Errors
/// When the output cannot be written.
pub fn write(kind: Option<&SessionKind>, out: &mut dyn Write) -> io::Result<()> {
    match kind {
        Some(kind) => write_columns(kind, out),
        None => write_list(out),
    }
}

/// The columns that the store adds: behind the entry's own.
const OWN: [(&str, Ty, &str); 5] = [
    ("em_id", Ty::Bigint, "the Enterprise Manager that first stored the row (enterprise_managers.id)"),
    ("extra", Ty::Json, "fields of the API that no column knows"),
    ("first_seen_at", Ty::Time, "when the row was first stored"),
    ("updated_at", Ty::Time, "when any value last changed"),
    ("source_missing_since", Ty::Time, "since when Enterprise Manager provably no longer has the row"),
];

fn write_list(out: &mut dyn Write) -> io::Result<()> {
    let mut table = terminal::table(["KIND", "TABLE", "COLUMNS"]);
    for kind in KINDS {
        table.add_row([kind.name, kind.table, &(kind.columns.len() + OWN.len()).to_string()]);
    }
    writeln!(out, "{}\n\n`vemsync schema KIND` shows the columns of one.", table.trim_fmt())
}

fn write_columns(kind: &SessionKind, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} is stored in {}:\n", kind.name, kind.table)?;
    let mut columns = columns_table();
    for column in kind.columns {
        add(&mut columns, column.name, column.ty, &origin(kind, column));
    }
    for (name, ty, origin) in OWN {
        add(&mut columns, name, ty, origin);
    }
    writeln!(out, "{}", columns.trim_fmt())?;
    if let Some(inner) = kind.inner {
        writeln!(out, "\nThe rows inside a session are stored in {}:\n", inner.table)?;
        let mut columns = columns_table();
        add(&mut columns, inner.owner, Ty::Uid, "uid of the session");
        add(&mut columns, inner.position, Ty::Bigint, "position inside the session");
        for column in inner.columns {
            add(&mut columns, column.name, column.ty, &origin(kind, column));
        }
        writeln!(out, "{}", columns.trim_fmt())?;
    }
    Ok(())
}

fn columns_table() -> Table {
    terminal::table(["COLUMN", "POSTGRES", "SQLITE", "FROM"])
}

fn add(table: &mut Table, name: &str, ty: Ty, origin: &str) {
    let (postgres, sqlite) = match ty {
        Ty::Uid => ("uuid", "TEXT"),
        Ty::Text => ("text", "TEXT"),
        Ty::Time => ("timestamptz", "TEXT"),
        Ty::Bigint => ("bigint", "INTEGER"),
        Ty::Bool => ("boolean", "INTEGER"),
        Ty::Json => ("jsonb", "TEXT"),
    };
    table.add_row([name, postgres, sqlite, origin]);
}

fn origin(kind: &SessionKind, column: &Column) -> String {
    match column.source {
        Source::Attr(name) => format!("attribute {name}"),
        Source::Elem(name) => format!("element {name}"),
        Source::ElemOrUp(element, link) => format!("element {element}, else the Up link to {link}"),
        Source::Up(link) => format!("the Up link to {link}"),
        Source::Related(link) => format!("the first link to a {link}: its UID"),
        Source::RelatedName(link) => format!("the first link to a {link}: its Name"),
        Source::RelatedAll(link) => format!("all links to a {link}: their UIDs, sorted"),
        Source::GroupOf(message) => format!("{message} without names, paths, numbers and GUIDs"),
        Source::Parent(name) => match kind.parent_session {
            Some(parent) => format!("{name} of its {}; the API does not send it", parent.kind),
            None => format!("{name} of its parent session; the API does not send it"),
        },
        Source::Derived => "found out by vemsync where it can be proven".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(kind: Option<&str>) -> String {
        let kind = SchemaArgs { kind: kind.map(str::to_owned) }.kind().unwrap();
        let mut out = Vec::new();
        write(kind, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_list_names_every_kind_and_table() {
        let list = written(None);
        for kind in KINDS {
            assert!(list.contains(kind.name) && list.contains(kind.table), "{list}");
        }
    }

    #[test]
    fn every_kind_shows_all_of_its_columns_in_order() {
        for kind in KINDS {
            let text = written(Some(&kind.name.to_lowercase()));
            let names: Vec<_> = text.lines().skip(3).map_while(|line| line.split_whitespace().next()).collect();
            let expected: Vec<_> =
                kind.columns.iter().map(|column| column.name).chain(OWN.map(|(name, ..)| name)).collect();
            assert_eq!(names, expected, "{text}");
            assert_eq!(text.contains("cloud_failover_task_sessions"), kind.inner.is_some());
        }
    }

    #[test]
    fn an_unknown_kind_gets_an_offer() {
        let problem = SchemaArgs { kind: Some("backupjobs".to_owned()) }.kind().unwrap_err();
        assert_eq!(
            problem.to_string(),
            "schema: there is no session type \"backupjobs\"; did you mean BackupJobSession?"
        );
    }

    #[test]
    fn a_task_type_reads_like_this() {
        insta::assert_snapshot!(written(Some("CdpReplicaTaskSession")), @"
        CdpReplicaTaskSession is stored in cdp_replica_task_sessions:

        COLUMN                POSTGRES     SQLITE   FROM
        uid                   uuid         TEXT     attribute UID
        backup_server_uid     uuid         TEXT     the Up link to BackupServer
        name                  text         TEXT     attribute Name
        creation_time         timestamptz  TEXT     element CreationTimeUTC
        end_time              timestamptz  TEXT     element EndTimeUTC
        state                 text         TEXT     element State
        result                text         TEXT     element Result
        policy_session_uid    uuid         TEXT     element PolicySessionUid, else the Up link to CdpReplicaSession
        policy_uid            uuid         TEXT     policy_uid of its CdpReplicaSession; the API does not send it
        vm_display_name       text         TEXT     attribute VmDisplayName
        reason                text         TEXT     element Reason
        reason_group          text         TEXT     reason without names, paths, numbers and GUIDs
        total_size_bytes      bigint       INTEGER  element TotalSize
        em_id                 bigint       INTEGER  the Enterprise Manager that first stored the row (enterprise_managers.id)
        extra                 jsonb        TEXT     fields of the API that no column knows
        first_seen_at         timestamptz  TEXT     when the row was first stored
        updated_at            timestamptz  TEXT     when any value last changed
        source_missing_since  timestamptz  TEXT     since when Enterprise Manager provably no longer has the row
        ");
    }
}
