//! What can go wrong with a database, named for what an operator can do about it.

/// Why the database cannot be used. Every one of them but [`Error::Fenced`] ends a command with exit status 4.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL names no database that this program knows.
    #[error("the database URL must begin with sqlite: or postgres://")]
    Scheme,
    /// The URL cannot be read.
    #[error("the database URL cannot be used: {0}")]
    Url(String),
    /// The server or file cannot be reached.
    #[error("the database cannot be opened ({display}): is it running, and may this account use it?")]
    Unreachable {
        /// Which database, without secrets.
        display: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// Nothing has been synced into it yet.
    #[error("there is no database at {0} yet: `vemsync sync` makes it, or --config or --database names another")]
    Missing(String),
    /// Another program holds the write lock.
    #[error("the database stayed locked for 30 seconds: another program writes to it")]
    Locked(#[source] sqlx::Error),
    /// Another instance has the turn. What was committed before stays.
    #[error("{}", fenced(holder.as_deref()))]
    Fenced {
        /// Who has it, if anyone.
        holder: Option<String>,
    },
    /// A lock beside the SQLite file cannot be used.
    #[error("the lock file {path} cannot be used: check the folder's rights, and that it lies on a local disk")]
    LockFile {
        /// Which one.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A SQLite file cannot be made, or not written to.
    #[error("{path} cannot be written: make its folder, or let this account write to both")]
    Unwritable {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Nothing can be written.
    #[error("the database is read-only: check the file's and the folder's rights, or the server's role")]
    ReadOnly(#[source] sqlx::Error),
    /// The account lacks a right.
    #[error("this account may not do that in the database: grant it the right")]
    Forbidden(#[source] sqlx::Error),
    /// A SQLite file without what was written last, which lies beside it where this account cannot use it.
    #[error(
        "{log} holds what was written last, and cannot be used here: let an account that may write in this folder run `vemsync status` once"
    )]
    Unmerged {
        /// The log of writes.
        log: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// Someone wrote while it was read as a file to which nobody writes.
    #[error("the database was written to while it was read: run it again")]
    Disturbed,
    /// No room.
    #[error("the database's disk is full")]
    Full(#[source] sqlx::Error),
    /// The file is no database, or a broken one.
    #[error("the file is not a usable SQLite database")]
    Corrupt(#[source] sqlx::Error),
    /// A newer program has been here.
    #[error("the database holds schema version {found}, this program knows {known}: use the newer vemsync")]
    Newer {
        /// The version in the database.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// Migrations are pending and were not asked for.
    #[error("the database's schema is out of date ({0} migrations pending): run `vemsync migrate`")]
    Older(usize),
    /// The migrations did not apply.
    #[error("the database's schema cannot be brought up to date")]
    Migration(#[source] Box<refinery::Error>),
    /// A value that this program did not write.
    #[error("the database holds a value that cannot be read: {0}")]
    Value(String),
    /// Rights cannot be given to nobody.
    #[error("the server has no role {0}")]
    NoRole(String),
    /// Any other refusal.
    #[error("the database refused a statement")]
    Statement(#[source] sqlx::Error),
}

fn fenced(holder: Option<&str>) -> String {
    let by = match holder {
        Some(holder) => format!("{holder} has taken over"),
        None => "the lease was not renewed in time".to_owned(),
    };
    format!("this instance may not write any more ({by}): what was stored stays, run it again for the rest")
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if matches!(
            error,
            sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
        ) {
            return Self::Unreachable { display: "the connection was lost".to_owned(), source: error };
        }
        let code =
            error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default().into_owned();
        // SQLite's extended result codes carry the primary one in their low byte; Postgres' codes have five letters.
        match (code.len() < 5).then(|| code.parse::<u32>().map(|code| code & 0xff)) {
            Some(Ok(5 | 6)) => Self::Locked(error),
            Some(Ok(8)) => Self::ReadOnly(error),
            Some(Ok(13)) => Self::Full(error),
            Some(Ok(11 | 26)) => Self::Corrupt(error),
            _ => match code.as_str() {
                "55P03" | "57014" => Self::Locked(error),
                "25006" => Self::ReadOnly(error),
                "42501" => Self::Forbidden(error),
                "53100" => Self::Full(error),
                "25P03" | "57P01" | "57P02" | "57P03" | "08006" | "08003" => {
                    Self::Unreachable { display: "the server is stopping or starting".to_owned(), source: error }
                }
                _ => Self::Statement(error),
            },
        }
    }
}
