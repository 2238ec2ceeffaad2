use model::{Kind, Partition, Position};
use thiserror::Error;

/// Why a worker could not go on.
#[derive(Debug, Error)]
pub enum Error {
    /// The event log failed.
    #[error(transparent)]
    Log(#[from] eventlog::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The store knows more of a partition than its log holds.
    #[error(
        "partition {partition} is folded up to {folded}, but its log ends at {end}: this is not the log that was folded"
    )]
    AnotherLog {
        /// The partition.
        partition: Partition,
        /// Where the fold would go on.
        folded: Position,
        /// Where the log ends.
        end: Position,
    },
    /// Stored bytes are not what was written.
    #[error("{place} cannot be read: {why}")]
    Malformed {
        /// Which record or key.
        place: String,
        /// What does not fit.
        why: keyspace::Malformed,
    },
}

/// A result of a worker.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What the failure means.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Log(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::AnotherLog { .. } | Self::Malformed { .. } => Kind::Corrupt,
        }
    }
}
