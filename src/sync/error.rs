//! Why a part of a pass came to nothing.

use crate::{em, escape, store};

/// What ends a kind's part of a pass, or all of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source, where it is asked for no kind in particular.
    #[error(transparent)]
    Source(em::Error),
    /// A read of one kind.
    #[error("{kind} ({window})")]
    Read {
        /// The API's query type.
        kind: &'static str,
        /// What was read.
        window: String,
        /// Why it failed.
        #[source]
        source: em::Error,
    },
    /// More rows share one second than could be read without a change in between.
    #[error("{kind}: the rows of {second} changed during every one of {tries} readings")]
    Unsettled {
        /// The API's query type.
        kind: &'static str,
        /// The second.
        second: String,
        /// How often it was read.
        tries: u32,
    },
    /// This Enterprise Manager does not know the type.
    #[error("this Enterprise Manager does not know the type")]
    Unavailable,
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The writer ended; its own error is reported in its place.
    #[error("the writer stopped")]
    WriterGone,
    /// Someone asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// Whether Enterprise Manager refused the account.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Source(em::Error::Refused { .. }) | Self::Read { source: em::Error::Refused { .. }, .. })
    }

    /// Whether an answer was not believed because it was as empty as those of a service that is starting.
    #[must_use]
    pub fn is_too_empty(&self) -> bool {
        let Self::Read { source: em::Error::Exhausted { last, .. }, .. } = self else { return false };
        matches!(last, em::Failure::Rejected(em::Rejection::NoContainer))
    }

    /// What went wrong, where no part of Enterprise Manager could be read: then it does not matter what was asked.
    #[must_use]
    pub fn away(&self) -> String {
        match self {
            Self::Source(em::Error::Exhausted { last, .. })
            | Self::Read { source: em::Error::Exhausted { last, .. }, .. } => {
                format!("Enterprise Manager cannot be read: {last}")
            }
            Self::Source(source) | Self::Read { source, .. } => escape::chain(source),
            other => escape::chain(other),
        }
    }

    /// Whether no other kind can do better.
    #[must_use]
    pub fn stops_all(&self) -> bool {
        match self {
            Self::Store(_) | Self::WriterGone | Self::Interrupted => true,
            Self::Source(source) | Self::Read { source, .. } => {
                matches!(
                    source,
                    em::Error::Refused { .. }
                        | em::Error::Untrusted { .. }
                        | em::Error::NotPinned { .. }
                        | em::Error::Expired(_)
                        | em::Error::Exhausted { last: em::Failure::TooSlow(_), .. }
                )
            }
            Self::Unsettled { .. } | Self::Unavailable => false,
        }
    }
}
