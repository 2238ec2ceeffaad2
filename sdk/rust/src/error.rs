use std::path::PathBuf;

use thiserror::Error;

/// Why a client or a sender could not be built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The address of the server is not one.
    #[error("{address:?} is not the address of a server: it looks like http://host:7700")]
    Address {
        /// What was given.
        address: String,
    },
    /// A setting is outside of what is allowed.
    #[error("{name} is {value}: {allowed}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What was given.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The queue directory cannot be used.
    #[error("failed to open the queue directory {path}: {source}", path = path.display())]
    QueueDir {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another client uses the queue directory.
    #[error("the queue directory {path} is in use by another client: each needs its own", path = path.display())]
    QueueInUse {
        /// The directory.
        path: PathBuf,
    },
    /// The queue directory has the hits of another client.
    #[error(
        "the queue directory {path} belongs to client {stored:?}, not {asked:?}: leave out the client id, or choose \
         another directory",
        path = path.display()
    )]
    OtherClient {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        stored: String,
        /// Which was asked for.
        asked: String,
    },
    /// There is no run time, and no thread for one.
    #[error("failed to start a thread for the connection: {0}")]
    Thread(std::io::Error),
}

/// Why hits could not be delivered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The server refused the key or the setup for good.
    #[error("the server refused this sender: {0}")]
    Refused(String),
    /// Not everything was acknowledged in time. It stays queued and is sent on.
    #[error("the server has not acknowledged everything within {waited:?}")]
    Timeout {
        /// How long that was.
        waited: std::time::Duration,
    },
    /// The batch is larger than any server takes.
    #[error(
        "a batch of {hits} hits and {bytes} bytes is too large: at most {max_hits} hits and {max_bytes} bytes"
    )]
    TooLarge {
        /// Hits of the batch.
        hits: usize,
        /// Bytes of the batch.
        bytes: usize,
        /// Hits that a batch may have.
        max_hits: usize,
        /// Bytes that a batch may have.
        max_bytes: usize,
    },
    /// It was shut down.
    #[error("the sender is shut down")]
    Closed,
}
