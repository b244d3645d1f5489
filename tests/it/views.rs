//! The views: the same columns and the same answers on both databases, whatever is stored.

use vemsync::report::views::VIEWS;
use vemsync::simulator::{FleetOptions, World};
use vemsync::store::{Cell, Schema, Select, SqlStore, View, Views as _};

use crate::support::database::{Database, both};
use crate::support::world::{simulate, start, sync};

mod random;

/// All rows of a view, in an order that does not depend on the database.
pub async fn answer(store: &SqlStore, view: &'static View) -> Vec<Vec<Cell>> {
    let names: Vec<&'static str> = view.columns.iter().map(|(name, _)| *name).collect();
    let mut rows =
        store.select(&Select::new(view, &names)).await.unwrap_or_else(|error| panic!("{}: {error}", view.name));
    rows.sort_by_cached_key(|row| format!("{row:?}"));
    rows
}

pub async fn open(database: &Database) -> SqlStore {
    SqlStore::connect(&database.url, Schema::Require).await.expect("a database that is up to date")
}

#[tokio::test]
async fn every_view_has_the_columns_that_the_program_knows() {
    for database in both().await {
        database.open().await.close().await;
        for view in VIEWS {
            let sql = if database.is_postgres {
                format!(
                    "select column_name::text from information_schema.columns where table_name = '{}' order by ordinal_position",
                    view.name
                )
            } else {
                format!("select name from pragma_table_info('{}') order by cid", view.name)
            };
            let found: Vec<String> = database.column(&sql).await.into_iter().flatten().collect();
            let known: Vec<&str> = view.columns.iter().map(|(name, _)| *name).collect();
            assert_eq!(found, known, "{}", view.name);
        }
    }
}

#[tokio::test]
async fn a_synced_history_reads_alike_on_both() {
    let mut answers = Vec::new();
    for database in both().await {
        let simulator = simulate(World::fleet(33, &FleetOptions { story: true, ..FleetOptions::small(start()) })).await;
        sync(&simulator, &database).await;
        database.execute("update report_settings set as_of = '2025-06-02T09:20:00.000000Z'").await;
        let store = open(&database).await;
        let mut all = Vec::new();
        for view in VIEWS.iter().filter(|view| view.name != "sync_freshness") {
            let rows = answer(&store, view).await;
            assert!(!rows.is_empty() || view.name == "failover_audit", "{} is empty", view.name);
            all.push((view.name, rows));
        }
        answers.push(all);
    }
    for ((name, postgres), (_, sqlite)) in answers[0].iter().zip(&answers[1]) {
        assert_eq!(postgres.len(), sqlite.len(), "{name}");
        for (one, other) in postgres.iter().zip(sqlite) {
            assert_eq!(one, other, "{name}");
        }
    }
}
