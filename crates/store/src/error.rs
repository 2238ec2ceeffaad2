use bytes::Bytes;
use model::{Invalid, Kind};
use thiserror::Error;

use crate::MAX_KEY_BYTES;

/// What went wrong in the store.
#[derive(Debug, Error)]
pub enum Error {
    /// A requirement of a batch did not hold; nothing was written.
    #[error("key {} is not as the commit required", key.escape_ascii())]
    Conflict {
        /// The key that differs.
        key: Bytes,
    },
    /// A batch puts an empty value.
    #[error("key {} was given an empty value: a value has at least one byte", key.escape_ascii())]
    EmptyValue {
        /// The key.
        key: Bytes,
    },
    /// A batch names a key that is empty or too long.
    #[error("a key of {length} bytes: a key has 1 to {MAX_KEY_BYTES}")]
    KeyLength {
        /// How long it is.
        length: usize,
    },
    /// The directory is used by another process.
    #[error("{path} is in use by another hitmill: stop it, or choose another data directory")]
    InUse {
        /// The directory.
        path: String,
    },
    /// A setting that is not allowed.
    #[error(transparent)]
    Setting(#[from] Invalid),
    /// Stored bytes are not what was written.
    #[error("the store at {path} is damaged: {what}")]
    Corrupt {
        /// The directory or address.
        path: String,
        /// What does not fit.
        what: String,
    },
    /// Another version wrote the store.
    #[error("{what}")]
    Mismatch {
        /// What differs.
        what: String,
    },
    /// Nothing is known about whether the commit was applied.
    #[error("the outcome of the commit is unknown: {what}")]
    Unknown {
        /// What happened.
        what: String,
    },
    /// The store cannot do it now.
    #[error("the store failed to {doing}: {what}")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// Why it could not be done.
        what: String,
    },
}

/// A result of the store.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What the failure means to the one who asked.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Conflict { .. } | Self::InUse { .. } => Kind::Conflict,
            Self::EmptyValue { .. } | Self::KeyLength { .. } => Kind::Internal,
            Self::Setting(_) | Self::Mismatch { .. } => Kind::Invalid,
            Self::Corrupt { .. } => Kind::Corrupt,
            Self::Unknown { .. } => Kind::Unknown,
            Self::Unavailable { .. } => Kind::Unavailable,
        }
    }
}
