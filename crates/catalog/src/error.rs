use model::Kind;
use thiserror::Error;

/// Why the configuration could not be read.
#[derive(Debug, Error)]
pub enum Error {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Stored or received configuration is not what was written.
    #[error("{what} is damaged: {why}")]
    Corrupt {
        /// Which part.
        what: String,
        /// What does not fit.
        why: String,
    },
}

/// A result of the catalog.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What the failure means to the one who asked.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Store(error) => error.kind(),
            Self::Corrupt { .. } => Kind::Corrupt,
        }
    }

    /// Says that `what` is damaged.
    pub(crate) fn corrupt(what: impl Into<String>, why: impl ToString) -> Self {
        Self::Corrupt { what: what.into(), why: why.to_string() }
    }
}
