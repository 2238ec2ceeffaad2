//! Between the configuration in memory and the messages of the contract, which are also what is stored.

use std::sync::Arc;

use model::{DataStreamId, MerchantId, Role, Timestamp};
use prost::Message;
use proto::v1::item::Item as V1Item;
use proto::{v1, wire_time};

use crate::{Change, DataStream, Error, Hash, Item, Key, Merchant, Platform, Result};

impl Item {
    /// The key and the value that it is stored as.
    pub fn record(&self) -> store::Pair {
        use keyspace::config::{data_stream, key, merchant};
        match self {
            Self::Merchant(m) => (merchant::key(m.id), v1::Merchant::from(&**m).encode_to_vec().into()),
            Self::DataStream(d) => {
                (data_stream::key(d.id), v1::DataStream::from(&**d).encode_to_vec().into())
            }
            Self::Key(k) => (key::key(&k.id), key_with_hash(k).encode_to_vec().into()),
        }
    }

    /// Its message with all there is, also the hash of a key: for the store and for the other services.
    pub fn whole(&self) -> v1::Item {
        self.message(key_with_hash)
    }

    /// Its message without the hash of a key: for everybody else.
    pub fn public(&self) -> v1::Item {
        self.message(|key| key.into())
    }

    fn message(&self, of_key: fn(&Key) -> v1::Key) -> v1::Item {
        let item = match self {
            Self::Merchant(merchant) => V1Item::Merchant((&**merchant).into()),
            Self::DataStream(stream) => V1Item::DataStream((&**stream).into()),
            Self::Key(key) => V1Item::Key(of_key(key)),
        };
        v1::Item { item: Some(item) }
    }
}

impl TryFrom<v1::Item> for Item {
    type Error = Error;

    fn try_from(message: v1::Item) -> Result<Self> {
        match message.item {
            Some(V1Item::Merchant(merchant)) => Ok(Self::Merchant(Arc::new(merchant.try_into()?))),
            Some(V1Item::DataStream(stream)) => Ok(Self::DataStream(Arc::new(stream.try_into()?))),
            Some(V1Item::Key(key)) => Ok(Self::Key(Arc::new(key.try_into()?))),
            None => {
                Err(Error::corrupt("an item of the configuration", "neither merchant, data stream nor key"))
            }
        }
    }
}

impl From<&Merchant> for v1::Merchant {
    fn from(merchant: &Merchant) -> Self {
        Self {
            id: merchant.id.0,
            name: merchant.name.to_string(),
            time_zone: merchant.time_zone.to_string(),
            currency: merchant.currency.to_string(),
            quota: Some(v1::Quota { hits_per_second: merchant.hits_per_second, streams: merchant.streams }),
            spread: merchant.spread.into(),
            version: merchant.version,
            created_at: Some(wire_time(merchant.created_at)),
        }
    }
}

impl TryFrom<v1::Merchant> for Merchant {
    type Error = Error;

    fn try_from(message: v1::Merchant) -> Result<Self> {
        let what = || format!("merchant {}", message.id);
        let quota = message.quota.unwrap_or_default();
        Ok(Self {
            id: MerchantId(message.id),
            currency: message.currency.parse().map_err(|why| Error::corrupt(what(), why))?,
            hits_per_second: quota.hits_per_second,
            streams: quota.streams,
            spread: message.spread.try_into().map_err(|why| Error::corrupt(what(), why))?,
            version: message.version,
            created_at: read_time(message.created_at),
            name: message.name.into(),
            time_zone: message.time_zone.into(),
        })
    }
}

impl From<&DataStream> for v1::DataStream {
    fn from(stream: &DataStream) -> Self {
        Self {
            id: stream.id.0,
            merchant_id: stream.merchant.0,
            name: stream.name.to_string(),
            platform: v1::Platform::from(stream.platform).into(),
        }
    }
}

impl TryFrom<v1::DataStream> for DataStream {
    type Error = Error;

    fn try_from(message: v1::DataStream) -> Result<Self> {
        let platform = v1::Platform::try_from(message.platform)
            .map_err(|why| Error::corrupt(format!("data stream {}", message.id), why))?;
        Ok(Self {
            id: DataStreamId(message.id),
            merchant: MerchantId(message.merchant_id),
            name: message.name.into(),
            platform: platform.into(),
        })
    }
}

impl From<Platform> for v1::Platform {
    fn from(platform: Platform) -> Self {
        match platform {
            Platform::Unspecified => Self::Unspecified,
            Platform::Web => Self::Web,
            Platform::Ios => Self::Ios,
            Platform::Android => Self::Android,
            Platform::Server => Self::Server,
        }
    }
}

impl From<v1::Platform> for Platform {
    fn from(platform: v1::Platform) -> Self {
        match platform {
            v1::Platform::Unspecified => Self::Unspecified,
            v1::Platform::Web => Self::Web,
            v1::Platform::Ios => Self::Ios,
            v1::Platform::Android => Self::Android,
            v1::Platform::Server => Self::Server,
        }
    }
}

/// What anybody may see of a key: all but its hash.
impl From<&Key> for v1::Key {
    fn from(key: &Key) -> Self {
        let role = match key.role {
            Role::Write => v1::KeyRole::Write,
            Role::Read => v1::KeyRole::Read,
            Role::Admin => v1::KeyRole::Admin,
        };
        Self {
            id: key.id.to_string(),
            role: role.into(),
            merchant_id: key.merchant.map_or(0, |id| id.0),
            data_stream_id: key.data_stream.map_or(0, |id| id.0),
            hash: Vec::new(),
            created_at: Some(wire_time(key.created_at)),
            revoked_at: key.revoked_at.map(wire_time),
        }
    }
}

fn key_with_hash(key: &Key) -> v1::Key {
    v1::Key { hash: key.hash.to_vec(), ..key.into() }
}

impl TryFrom<v1::Key> for Key {
    type Error = Error;

    fn try_from(message: v1::Key) -> Result<Self> {
        let corrupt = |why: &str| Error::corrupt(format!("key {}", message.id), why);
        let role = match message.role() {
            v1::KeyRole::Write => Role::Write,
            v1::KeyRole::Read => Role::Read,
            v1::KeyRole::Admin => Role::Admin,
            v1::KeyRole::Unspecified => return Err(corrupt("it has no role")),
        };
        let hash = Hash::try_from(&message.hash[..]).map_err(|_| corrupt("its hash is not 32 bytes"))?;
        Ok(Self {
            id: message.id.into(),
            role,
            merchant: (message.merchant_id != 0).then_some(MerchantId(message.merchant_id)),
            data_stream: (message.data_stream_id != 0).then_some(DataStreamId(message.data_stream_id)),
            hash,
            created_at: read_time(message.created_at),
            revoked_at: message.revoked_at.map(|at| read_time(Some(at))),
        })
    }
}

impl Change {
    /// Its message with all there is: for the store.
    pub fn whole(&self) -> v1::Change {
        self.message(Item::whole)
    }

    /// Its message without the hashes of keys: for everybody else.
    pub fn public(&self) -> v1::Change {
        self.message(Item::public)
    }

    fn message(&self, of_item: fn(&Item) -> v1::Item) -> v1::Change {
        v1::Change {
            version: self.version,
            at: Some(wire_time(self.at)),
            author: self.author.to_string(),
            merchant_id: self.merchant.map_or(0, |id| id.0),
            summary: self.summary.clone(),
            items: self.items.iter().map(of_item).collect(),
        }
    }
}

impl TryFrom<v1::Change> for Change {
    type Error = Error;

    fn try_from(message: v1::Change) -> Result<Self> {
        Ok(Self {
            version: message.version,
            at: read_time(message.at),
            author: message.author.into(),
            merchant: (message.merchant_id != 0).then_some(MerchantId(message.merchant_id)),
            summary: message.summary,
            items: message.items.into_iter().map(Item::try_from).collect::<Result<_>>()?,
        })
    }
}

const MILLI_NANOS: i32 = 1_000_000;

fn read_time(time: Option<prost_types::Timestamp>) -> Timestamp {
    let time = time.unwrap_or_default();
    Timestamp(time.seconds.saturating_mul(1_000).saturating_add((time.nanos / MILLI_NANOS).into()))
}
