use model::{Invalid, Kind, Partition, Position};
use thiserror::Error;

/// What went wrong in the event log.
#[derive(Debug, Error)]
pub enum Error {
    /// The partition does not exist.
    #[error("partition {asked} does not exist: this log has {partitions}, numbered from 0")]
    NoPartition {
        /// The partition asked for.
        asked: Partition,
        /// How many there are.
        partitions: u16,
    },
    /// The records asked for were deleted by retention.
    #[error("position {asked} of partition {partition} is no longer kept: the oldest is {first}")]
    Gone {
        /// The partition.
        partition: Partition,
        /// The position asked for.
        asked: Position,
        /// The oldest that is kept.
        first: Position,
    },
    /// Stored bytes are not what was written.
    #[error("{place} is damaged: {what}")]
    Corrupt {
        /// File and offset.
        place: String,
        /// What does not fit.
        what: String,
    },
    /// The record is larger than the log takes.
    #[error("a record of {bytes} bytes is too large: at most {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The directory is used by another process.
    #[error("{path} is in use by another hitmill: stop it, or choose another data directory")]
    InUse {
        /// The directory.
        path: String,
    },
    /// The log was made with other settings that cannot change.
    #[error("{what}")]
    Mismatch {
        /// What differs and what to do.
        what: String,
    },
    /// A setting that is not allowed.
    #[error(transparent)]
    Setting(#[from] Invalid),
    /// The disk or the back end does not take writes now.
    #[error("failed to {doing} {place}: {why}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file or address.
        place: String,
        /// Why.
        why: std::io::Error,
    },
    /// The log is being shut down.
    #[error("the event log is closed")]
    Closed,
}

/// A result of the event log.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What the failure means to the one who asked.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NoPartition { .. } | Self::TooLarge { .. } | Self::Mismatch { .. } | Self::Setting(_) => {
                Kind::Invalid
            }
            Self::Gone { .. } => Kind::NotFound,
            Self::Corrupt { .. } => Kind::Corrupt,
            Self::InUse { .. } => Kind::Conflict,
            Self::Io { .. } | Self::Closed => Kind::Unavailable,
        }
    }
}
