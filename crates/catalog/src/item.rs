use std::sync::Arc;

use model::{Currency, DataStreamId, MerchantId, Role, Timestamp};

use crate::Hash;

/// One thing of the configuration, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A merchant.
    Merchant(Arc<Merchant>),
    /// A data stream.
    DataStream(Arc<DataStream>),
    /// An access key.
    Key(Arc<Key>),
}

/// The tenant, and the unit that reports are made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merchant {
    /// Its id.
    pub id: MerchantId,
    /// A name for people.
    pub name: Box<str>,
    /// IANA name of the time zone of its days.
    pub time_zone: Box<str>,
    /// Its main currency.
    pub currency: Currency,
    /// Hits per second that it may send; 0 is no limit.
    pub hits_per_second: u64,
    /// Streams that it may have open at a time; 0 is no limit.
    pub streams: u32,
    /// Over how many partitions its clients are spread; at least 1.
    pub spread: u16,
    /// Version of its configuration: 1, then one more with every change.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// One source of hits of a merchant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataStream {
    /// Its id.
    pub id: DataStreamId,
    /// Its merchant.
    pub merchant: MerchantId,
    /// A name for people: what the dimension `data_stream` shows.
    pub name: Box<str>,
    /// What sends.
    pub platform: Platform,
}

/// What kind of thing sends into a data stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Platform {
    /// Not said.
    #[default]
    Unspecified,
    /// A web site.
    Web,
    /// An app on iOS.
    Ios,
    /// An app on Android.
    Android,
    /// A server.
    Server,
}

/// An access key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its id. Not secret.
    pub id: Arc<str>,
    /// What it may do.
    pub role: Role,
    /// Its merchant; `None` for an admin key.
    pub merchant: Option<MerchantId>,
    /// Its data stream, if it is a write key.
    pub data_stream: Option<DataStreamId>,
    /// SHA-256 of the whole key.
    pub hash: Hash,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

impl Item {
    /// The merchant concerned, if it is one's.
    pub fn merchant(&self) -> Option<MerchantId> {
        match self {
            Self::Merchant(merchant) => Some(merchant.id),
            Self::DataStream(stream) => Some(stream.merchant),
            Self::Key(key) => key.merchant,
        }
    }
}
