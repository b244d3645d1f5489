//! A role that may read uses every view and changes nothing.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};
use vemsync::report::views::VIEWS;
use vemsync::store::{self, Error};

use crate::support::database::Database;

/// A role of its own, for roles belong to the whole server.
async fn role(database: &Database, options: &str) -> String {
    let name = format!("reader {:x}", fastrand::u64(..));
    database.execute(&format!("create role \"{name}\" login {options}")).await;
    name
}

async fn log_on(database: &Database, role: &str) -> PgConnection {
    let options: PgConnectOptions = database.url.parse().expect("a URL");
    PgConnection::connect_with(&options.username(role)).await.expect("a connection")
}

#[tokio::test]
async fn a_reader_reads_every_view_and_table_and_changes_nothing() {
    let database = Database::postgres().await;
    database.open().await.close().await;
    // Before Postgres 15 all might.
    database.execute("revoke create on schema public from public").await;
    let role = role(&database, "").await;

    let granted = store::grant_reader(&database.url, &role).await.expect("rights");

    assert_eq!((granted.schema.as_str(), &granted.left, &granted.writes), ("public", &vec![], &vec![]));
    let mut conn = log_on(&database, &role).await;
    for view in VIEWS {
        conn.execute(AssertSqlSafe(format!("select * from {}", view.name))).await.expect(view.name);
    }
    let names = "select table_name::text from information_schema.tables where table_schema = 'public'";
    let names: Vec<String> =
        conn.fetch_all(names).await.expect("names").iter().map(|row| row.try_get(0).expect("a name")).collect();
    assert!(names.len() > 40 && i64::try_from(names.len()) == Ok(granted.readable), "{names:?}");
    for name in &names {
        conn.execute(AssertSqlSafe(format!("select * from {name}"))).await.expect(name);
        // Whoever switches the default off has no right either.
        for switch in ["on", "off"] {
            let _ = conn.execute(AssertSqlSafe(format!("set default_transaction_read_only = {switch}"))).await;
            let change = conn.execute(AssertSqlSafe(format!("delete from {name}"))).await;
            assert!(change.is_err(), "{name} with {switch}");
        }
    }
    assert!(conn.execute("create table mine (a int)").await.is_err());
    let mut fresh = log_on(&database, &role).await;
    for (setting, value) in [("default_transaction_read_only", "on"), ("statement_timeout", "5min"), ("jit", "off")] {
        let row = fresh.fetch_one(AssertSqlSafe(format!("show {setting}"))).await.expect("a setting");
        assert_eq!(row.try_get::<String, _>(0).expect("text"), value, "{setting}");
    }
    // Tables of later versions, too.
    database.execute("create table later (a int)").await;
    fresh.execute("select * from later").await.expect("a later table");
}

#[tokio::test]
async fn what_a_reader_could_still_change_is_said() {
    let database = Database::postgres().await;
    database.open().await.close().await;
    let unknown = store::grant_reader(&database.url, "nobody here").await;
    assert!(matches!(unknown, Err(Error::NoRole(name)) if name == "nobody here"));

    let role = role(&database, "").await;
    database.execute(&format!("grant insert on jobs to \"{role}\"; grant create on schema public to \"{role}\"")).await;
    let granted = store::grant_reader(&database.url, &role).await.expect("rights");
    assert_eq!(granted.writes.len(), 2);
    assert!(granted.writes[0].contains("1 of the tables, such as jobs"), "{:?}", granted.writes);
}

#[tokio::test]
async fn an_owner_that_is_no_superuser_is_told_what_is_left() {
    let database = Database::postgres().await;
    let owner = role(&database, "").await;
    let reader = role(&database, "").await;
    let (_, name) = database.url.rsplit_once('/').expect("a name");
    database
        .execute(&format!("alter database {name} owner to \"{owner}\"; grant all on schema public to \"{owner}\""))
        .await;
    let mut url: url::Url = database.url.parse().expect("a URL");
    url.set_username(&owner).expect("a user");
    store::connect(url.as_str(), store::Schema::Migrate).await.expect("a database").close().await;

    let granted = store::grant_reader(url.as_str(), &reader).await.expect("rights");

    assert_eq!(granted.left.len(), 3);
    let mut conn = log_on(&database, &reader).await;
    conn.execute("select * from vm_protection").await.expect("a view");
    for statement in granted.left {
        database.execute(&statement).await;
    }
}
