use std::sync::Arc;

use catalog::Denied;
use model::{Invalid, Kind, MerchantId};
use thiserror::Error;
use tonic::Status;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum Error {
    /// The request asks for what is not allowed.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The key may not read this.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// There is no such merchant.
    #[error("merchant {0} is not known here")]
    NoMerchant(MerchantId),
    /// The answer is larger than one answer may be.
    #[error(
        "the answer has more than {limit} {what}: ask for a shorter range, wider buckets or a limit, or use StreamQuery"
    )]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: usize,
    },
    /// The merchant has all the subscriptions that it may have.
    #[error(
        "merchant {merchant} has {limit} subscriptions open, which is all that it may have: close one first"
    )]
    Subscriptions {
        /// Whose.
        merchant: MerchantId,
        /// How many it may have.
        limit: usize,
    },
    /// Somebody asked for a stream and did not read it.
    #[error(
        "the stream was not read for {after:?} and is closed: subscribe again, with the live_id and number of the last \
         message to go on"
    )]
    Stalled {
        /// For how long.
        after: std::time::Duration,
    },
    /// The server is going away.
    #[error("the server is draining: call again, with the live_id and number of the last message to go on")]
    Draining,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The event log failed.
    #[error(transparent)]
    Log(#[from] eventlog::Error),
    /// What is stored is not what was written.
    #[error("{what} is damaged: {why}")]
    Corrupt {
        /// What.
        what: &'static str,
        /// What does not fit.
        why: String,
    },
    /// The failure of a read that several queries were waiting for.
    #[error(transparent)]
    Shared(Arc<Self>),
}

/// A result of the query service.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What the failure means to the one who asked.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Invalid(error) => error.kind(),
            Self::Denied(error) => error.kind(),
            Self::NoMerchant(_) => Kind::NotFound,
            Self::TooLarge { .. } | Self::Subscriptions { .. } | Self::Stalled { .. } => Kind::Exhausted,
            Self::Draining => Kind::Unavailable,
            Self::Store(error) => error.kind(),
            Self::Log(error) => error.kind(),
            Self::Corrupt { .. } => Kind::Corrupt,
            Self::Shared(error) => error.kind(),
        }
    }

    /// What the caller is told. What is wrong inside is logged here, and the caller hears only that something is.
    pub fn message(&self) -> String {
        match self {
            Self::Store(_) | Self::Log(_) | Self::Corrupt { .. } => {
                tracing::error!(error = %self, "a query failed");
                match self.kind() {
                    Kind::Unavailable => "the numbers cannot be read now: try again".to_owned(),
                    _ => "the numbers cannot be read; the reason is in the server's log".to_owned(),
                }
            }
            Self::Shared(error) => error.message(),
            _ => self.to_string(),
        }
    }

    /// Says that stored bytes are damaged.
    pub(crate) fn corrupt(what: &'static str, why: impl ToString) -> Self {
        Self::Corrupt { what, why: why.to_string() }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        proto::status::status(error.kind(), error.message())
    }
}
