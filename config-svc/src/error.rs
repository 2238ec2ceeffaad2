use std::sync::Arc;

use catalog::Denied;
use model::{DataStreamId, Invalid, Kind, MerchantId, Timestamp};
use thiserror::Error;

/// Why a request for configuration failed.
#[derive(Debug, Error)]
pub enum Error {
    /// A value of the request is not allowed.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The caller may not do this.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// There is no such merchant.
    #[error("there is no merchant {0}")]
    NoMerchant(MerchantId),
    /// There is no such data stream.
    #[error("there is no data stream {0}")]
    NoDataStream(DataStreamId),
    /// The data stream is another merchant's.
    #[error("data stream {data_stream} does not belong to merchant {merchant}")]
    NotItsDataStream {
        /// The data stream asked for.
        data_stream: DataStreamId,
        /// The merchant it was asked for with.
        merchant: MerchantId,
    },
    /// There is no such key.
    #[error("there is no key {0:?}: a key's id is its part before the secret, such as hm_w_1a2B3c4D")]
    NoKey(String),
    /// A revoked key cannot be replaced.
    #[error("key {id} was revoked at {at} and cannot be rotated: make a new key")]
    Revoked {
        /// Its id.
        id: Arc<str>,
        /// When it was revoked.
        at: Timestamp,
    },
    /// Nobody could administer any more.
    #[error("key {0} is the last admin key: make another one first, or rotate it")]
    LastAdmin(Arc<str>),
    /// Every id is given out.
    #[error("all {0} ids are given out")]
    IdsUsedUp(&'static str),
    /// Others kept changing the configuration in between.
    #[error("the configuration was changed by others {0} times in a row while this was tried: try again")]
    Busy(u32),
    /// The service ends.
    #[error("the server is shutting down: connect again")]
    Draining,
    /// The one who asked does not listen any more.
    #[error("the caller has gone")]
    Gone,
    /// The configuration could not be read.
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// A result of config-svc.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What the failure means to the one who asked.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Invalid(error) => error.kind(),
            Self::Denied(denied) => denied.kind(),
            Self::NoMerchant(_) | Self::NoDataStream(_) | Self::NoKey(_) => Kind::NotFound,
            Self::NotItsDataStream { .. } | Self::Revoked { .. } | Self::LastAdmin(_) => Kind::Invalid,
            Self::IdsUsedUp(_) => Kind::Exhausted,
            Self::Busy(_) => Kind::Conflict,
            Self::Draining | Self::Gone => Kind::Unavailable,
            Self::Catalog(error) => error.kind(),
            Self::Store(error) => error.kind(),
        }
    }
}
