//! Exit statuses, which scripts and supervisors act on.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// It could not be done, or not all of it. What did succeed is committed.
    Incomplete = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// The Enterprise Manager refused the account.
    Refused = 3,
    /// The database can't be used.
    Database = 4,
    /// Interrupted.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
