//! The tables and views are what the entries in `kinds` say, on both databases alike, and everything is commented.

use std::collections::BTreeSet;

use vemsync::kind::{Column, Ty};
use vemsync::kinds::{KINDS, PARENTS};
use vemsync::simulator::{FleetOptions, World};

use crate::support::database::{Database, both};
use crate::support::world::{simulate, start, sync};

async fn columns(database: &Database, table: &str) -> BTreeSet<(String, String)> {
    let sql = if database.is_postgres {
        format!(
            "select column_name::text, data_type::text from information_schema.columns where table_name = '{table}'"
        )
    } else {
        format!("select name, type from pragma_table_info('{table}')")
    };
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    database.query(&sql).await.iter().map(|row| (text(&row[0]), text(&row[1]))).collect()
}

fn declared(database: &Database, columns: &[Column]) -> BTreeSet<(String, String)> {
    let spelled = |ty| match (database.is_postgres, ty) {
        (true, Ty::Uid) => "uuid",
        (true, Ty::Text) => "text",
        (true, Ty::Time) => "timestamp with time zone",
        (true, Ty::Bigint) => "bigint",
        (true, Ty::Bool) => "boolean",
        (true, Ty::Json) => "jsonb",
        (false, Ty::Bigint | Ty::Bool) => "INTEGER",
        (false, _) => "TEXT",
    };
    columns.iter().map(|column| (column.name.to_owned(), spelled(column.ty).to_owned())).collect()
}

#[tokio::test]
async fn every_declared_column_is_there_and_nothing_else_but_the_stores_own() {
    for database in both().await {
        database.open().await.close().await;
        let tables = KINDS.iter().map(vemsync::kind::SessionKind::entity).chain(PARENTS.iter().copied());
        for entity in tables {
            let found = columns(&database, entity.table).await;
            let wanted = declared(&database, entity.columns);
            assert!(wanted.is_subset(&found), "{}: {:?}", entity.table, wanted.difference(&found));
            let own: BTreeSet<&str> =
                ["em_id", "extra", "first_seen_at", "updated_at", "source_missing_since", "listed_as"].into();
            for (name, _) in found.difference(&wanted) {
                assert!(own.contains(name.as_str()), "{}.{name}", entity.table);
            }
            if let Some(inner) = entity.inner {
                assert!(declared(&database, inner.columns).is_subset(&columns(&database, inner.table).await));
            }
        }
    }
}

#[tokio::test]
async fn everything_carries_the_same_comment_on_both() {
    let mut dictionaries = Vec::new();
    for database in both().await {
        database.open().await.close().await;
        let everything: BTreeSet<String> = if database.is_postgres {
            database
                .column("select table_name || '.' || column_name from information_schema.columns where table_schema = 'public' and table_name <> 'refinery_schema_history'")
                .await
        } else {
            database
                .column("select m.name || '.' || p.name from sqlite_schema m join pragma_table_info(m.name) p where m.type in ('table', 'view') and m.name not in ('refinery_schema_history', 'schema_comments') and m.name not like 'sqlite_%'")
                .await
        }
        .into_iter()
        .flatten()
        .collect();
        let rows =
            database.query("select table_name, column_name, description from data_dictionary order by 1, 2").await;
        let described: BTreeSet<String> = rows
            .iter()
            .filter(|row| row[2].as_deref().is_some_and(|text| !text.is_empty()))
            .filter_map(|row| Some(format!("{}.{}", row[0].as_deref()?, row[1].as_deref()?)))
            .collect();
        assert_eq!(everything.difference(&described).collect::<Vec<_>>(), Vec::<&String>::new());
        assert_eq!(described.difference(&everything).collect::<Vec<_>>(), Vec::<&String>::new());
        let mut rows = rows;
        rows.sort();
        dictionaries.push(rows);
    }
    assert_eq!(dictionaries[0], dictionaries[1]);
}

#[tokio::test]
async fn the_view_of_all_sessions_answers_alike_on_both() {
    let mut answers = Vec::new();
    for database in both().await {
        let simulator = simulate(World::fleet(31, &FleetOptions::small(start()))).await;
        sync(&simulator, &database).await;
        let columns = [
            ("kind", Ty::Text),
            ("uid", Ty::Uid),
            ("backup_server_uid", Ty::Uid),
            ("backup_server_name", Ty::Text),
            ("parent_uid", Ty::Uid),
            ("parent_name", Ty::Text),
            ("object_name", Ty::Text),
            ("creation_time", Ty::Time),
            ("end_time", Ty::Time),
            ("duration_seconds", Ty::Bigint),
            ("is_running", Ty::Bool),
            ("state", Ty::Text),
            ("result", Ty::Text),
            ("message", Ty::Text),
        ];
        let rows = database.rows("sessions", &columns).await;
        assert!(
            rows.iter().all(|row| row["is_running"].as_deref() == Some("true") || row["duration_seconds"].is_some())
        );
        assert!(
            rows.iter().all(|row| row["duration_seconds"].as_deref().is_none_or(|seconds| !seconds.starts_with('-')))
        );
        let mut all = 0;
        for kind in KINDS {
            all += simulator.expected(kind.name).len();
        }
        assert_eq!(rows.len(), all);
        answers.push(rows);
    }
    assert!(answers[0] == answers[1], "the same history reads differently");
}
