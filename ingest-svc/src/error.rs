use std::sync::Arc;

use catalog::Denied;
use model::{DataStreamId, Invalid, Kind, MerchantId, limits};
use proto::wire::Malformed;
use thiserror::Error;

/// Why a stream was ended or a request refused. Single hits and batches are refused otherwise: see [`crate::admit`].
#[derive(Clone, Debug, Error)]
pub(crate) enum Error {
    /// The key does not open anything.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The key is one for reading.
    #[error("key {0} is a read key: sending hits needs a write key")]
    ReadKey(Arc<str>),
    /// Only an operator imports history.
    #[error("key {0} is a write key: LANE_HISTORY needs an admin key")]
    HistoryNeedsAdmin(Arc<str>),
    /// A write key names its merchant and its data stream by itself.
    #[error(
        "key {key} sends for merchant {own}: naming merchant {asked} or another data stream needs an admin key"
    )]
    NotYours {
        /// Id of the key.
        key: Arc<str>,
        /// Its merchant.
        own: MerchantId,
        /// The merchant that Setup names.
        asked: MerchantId,
    },
    /// An admin key is nobody's.
    #[error("an admin key must say for which merchant it sends: set merchant_id in setup")]
    NoMerchantNamed,
    /// There is no such merchant.
    #[error("merchant {0} does not exist")]
    NoMerchant(MerchantId),
    /// The merchant has no such data stream.
    #[error("merchant {merchant} has no data stream {asked}")]
    NoDataStream {
        /// The merchant.
        merchant: MerchantId,
        /// The data stream that Setup names; 0 is the first one.
        asked: DataStreamId,
    },
    /// A value in Setup.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Setup cannot be read.
    #[error("the setup cannot be read: {0}")]
    BadSetup(String),
    /// The stream began with something else.
    #[error("the first frame must be a setup")]
    NoSetup,
    /// The stream began with nothing.
    #[error("no setup came within {0} ms of opening the stream")]
    SetupLate(u64),
    /// Setup came again.
    #[error("a setup can only be the first frame: open another stream")]
    SetupTwice,
    /// A frame cannot be read at all.
    #[error("the frame cannot be read: {0}")]
    Frame(#[from] Malformed),
    /// The bytes are no frames.
    #[error("the stream cannot be read: {0}: frames have at most {limit} bytes", limit = limits::FRAME_BYTES)]
    NotFrames(String),
    /// A limit on open streams.
    #[error("too many streams: {whose} may have {limit} open at a time")]
    TooManyStreams {
        /// Who.
        whose: String,
        /// The limit.
        limit: usize,
    },
    /// The client sent more than it was allowed to.
    #[error("{sent} hits were sent with a credit of {credit}: wait for credit before sending more")]
    BeyondCredit {
        /// What it had left.
        credit: u64,
        /// What it sent.
        sent: u64,
    },
    /// The client does not read.
    #[error("acks waited for {0} ms and were not read")]
    NotReading(u64),
    /// The log failed.
    #[error(
        "the event log takes no writes now: keep the hits that were not acknowledged and send them again"
    )]
    LogAway,
    /// The queue to the log is full.
    #[error("too many hits wait for the event log: send these again in a moment")]
    Busy,
    /// The process ends.
    #[error("the server is draining: connect again")]
    Draining,
}

impl Error {
    /// What it means to the client.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Denied(denied) => denied.kind(),
            Self::ReadKey(_) | Self::HistoryNeedsAdmin(_) | Self::NotYours { .. } => Kind::Forbidden,
            Self::NoMerchant(_) | Self::NoDataStream { .. } => Kind::NotFound,
            Self::NoMerchantNamed
            | Self::Invalid(_)
            | Self::BadSetup(_)
            | Self::NoSetup
            | Self::SetupTwice
            | Self::Frame(_)
            | Self::NotFrames(_) => Kind::Invalid,
            Self::TooManyStreams { .. } | Self::BeyondCredit { .. } | Self::NotReading(_) => Kind::Exhausted,
            // A slow network is no fault of the request: it may be tried again.
            Self::SetupLate(_) | Self::LogAway | Self::Busy | Self::Draining => Kind::Unavailable,
        }
    }

    /// Whether a newer configuration than the one that was looked at may say otherwise.
    pub(crate) fn may_be_old(&self) -> bool {
        match self {
            Self::Denied(denied) => denied.may_be_old(),
            Self::NoMerchant(_) | Self::NoDataStream { .. } => true,
            _ => false,
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        proto::status::status(error.kind(), error)
    }
}
