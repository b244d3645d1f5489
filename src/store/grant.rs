//! A role that may read everything and change nothing, for reports and dashboards.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};

use super::{Error, Result, Schema, migrate, postgres};

/// What a role may do after [`reader`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The schema that holds the tables and views.
    pub schema: String,
    /// How many tables and views the role may read.
    pub readable: i64,
    /// Statements for a superuser: this account may not set another role's defaults.
    pub left: Vec<String>,
    /// Why the role may still change something; empty if it may not.
    pub writes: Vec<String>,
}

/// What the sessions of such a role begin with. A forgotten query must not keep old row versions for days; and compiling
/// a statement takes longer than running it.
const DEFAULTS: [(&str, &str); 3] =
    [("default_transaction_read_only", "on"), ("statement_timeout", "'5min'"), ("jit", "off")];

/// Lets a role of a Postgres server read every table and view, those of later versions too.
///
/// # Errors
/// If there is no such role, or the account may not grant what it owns.
pub async fn reader(url: &str, role: &str) -> Result<Granted> {
    let pool = postgres::open(url).await?;
    migrate::prepare_postgres(&pool, Schema::Require).await?;
    let mut conn = pool.acquire().await?;
    let found = grant(&mut conn, role).await;
    drop(conn);
    pool.close().await;
    found
}

async fn grant(conn: &mut PgConnection, role: &str) -> Result<Granted> {
    let known = sqlx::query("select 1 from pg_roles where rolname = $1").bind(role).fetch_optional(&mut *conn).await?;
    if known.is_none() {
        return Err(Error::NoRole(role.to_owned()));
    }
    let place = "select n.nspname::text, current_database()::text from pg_class c\n\
        join pg_namespace n on n.oid = c.relnamespace where c.oid = 'sync_marks'::regclass";
    let place = conn.fetch_one(place).await?;
    let (schema, database): (String, String) = (place.try_get(0)?, place.try_get(1)?);
    let [in_schema, in_database, to] = [&schema, &database, role].map(quoted);

    let mut tx = conn.begin().await?;
    for statement in [
        format!("grant connect on database {in_database} to {to}"),
        format!("grant usage on schema {in_schema} to {to}"),
        format!("grant select on all tables in schema {in_schema} to {to}"),
        format!("alter default privileges in schema {in_schema} grant select on tables to {to}"),
    ] {
        tx.execute(AssertSqlSafe(statement)).await?;
    }
    tx.commit().await?;

    let mut left = Vec::new();
    for (name, value) in DEFAULTS {
        let statement = format!("alter role {to} in database {in_database} set {name} = {value}");
        match conn.execute(AssertSqlSafe(statement.clone())).await.map_err(Error::from) {
            Ok(_) => {}
            // Only a superuser, or a role that may make roles, sets the defaults of another.
            Err(Error::Forbidden(_)) => left.push(statement),
            Err(error) => return Err(error),
        }
    }
    let readable = "select count(*) from pg_class c where c.relnamespace = $1::regnamespace and c.relkind in ('r', 'p', 'v')\n\
        and has_table_privilege($2, c.oid, 'select')";
    let readable = sqlx::query(readable).bind(&in_schema).bind(role).fetch_one(&mut *conn).await?.try_get(0)?;
    Ok(Granted { readable, left, writes: writes(conn, &in_schema, role).await?, schema })
}

async fn writes(conn: &mut PgConnection, in_schema: &str, role: &str) -> Result<Vec<String>> {
    let tables = "select c.relname::text from pg_class c where c.relnamespace = $1::regnamespace and c.relkind in ('r', 'p', 'v')\n\
        and has_table_privilege($2, c.oid, 'insert, update, delete, truncate') order by 1";
    let tables = sqlx::query(tables).bind(in_schema).bind(role).fetch_all(&mut *conn).await?;
    let mut writes = Vec::new();
    if let Some(first) = tables.first() {
        let name: String = first.try_get(0)?;
        writes.push(format!(
            "it may write to {} of the tables, such as {name}: it owns them, is a superuser, or was granted that",
            tables.len()
        ));
    }
    let creates = "select has_schema_privilege($2, $1::regnamespace, 'create')";
    if sqlx::query(creates).bind(in_schema).bind(role).fetch_one(&mut *conn).await?.try_get(0)? {
        writes.push(format!(
            "it may make tables in schema {in_schema}: `revoke create on schema {in_schema} from public` where all may"
        ));
    }
    Ok(writes)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
