use std::sync::Arc;

use imbl::{HashMap, OrdMap, OrdSet};
use model::{DataStreamId, MerchantId};
use subtle::ConstantTimeEq;

use crate::secret::{hash, key_id};
use crate::{DataStream, Denied, Grant, Hash, Item, Key, Merchant};

/// The whole configuration at one version. It never changes; cloning it is cheap, and a changed clone shares all but
/// the changed paths.
#[derive(Clone, Default)]
pub struct Snapshot {
    version: u64,
    merchants: OrdMap<MerchantId, Arc<Merchant>>,
    data_streams: OrdMap<DataStreamId, Arc<DataStream>>,
    data_streams_of: OrdSet<(MerchantId, DataStreamId)>,
    keys: OrdMap<Arc<str>, Arc<Key>>,
    /// `None` is the operator, who owns the admin keys.
    keys_of: OrdSet<(Option<MerchantId>, Arc<str>)>,
    by_hash: HashMap<Hash, Arc<Key>>,
}

impl Snapshot {
    /// Version of the whole configuration; 0 before anything was configured.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What the bearer of this key may do.
    pub fn authenticate(&self, key: &str) -> Result<Grant, Denied> {
        let presented = hash(key);
        // The map finds by hash, whose bytes nobody can choose: how long that takes says nothing of a secret. The
        // comparison that decides takes the same time for all.
        let known = self.by_hash.get(&presented).filter(|known| known.hash.ct_eq(&presented).into());
        let known = known.ok_or_else(|| match key_id(key) {
            Some(id) => Denied::Unknown { id: id.into() },
            None => Denied::Unrecognised,
        })?;
        not_revoked(known)?;
        Ok(Grant {
            key_id: known.id.clone(),
            role: known.role,
            merchant: known.merchant,
            data_stream: known.data_stream,
        })
    }

    /// Whether a grant that was given under an earlier version still holds: for whoever keeps one, as long-lived
    /// streams do.
    pub fn still(&self, grant: &Grant) -> Result<(), Denied> {
        let key = self.key(&grant.key_id);
        not_revoked(key.ok_or_else(|| Denied::Unknown { id: grant.key_id.as_ref().into() })?)
    }

    /// One merchant.
    pub fn merchant(&self, id: MerchantId) -> Option<&Arc<Merchant>> {
        self.merchants.get(&id)
    }

    /// All merchants, by id.
    pub fn merchants(&self) -> impl Iterator<Item = &Arc<Merchant>> {
        self.merchants.iter().map(|(_, merchant)| merchant)
    }

    /// Merchants with a larger id than `id`, by id.
    pub fn merchants_after(&self, id: MerchantId) -> impl Iterator<Item = &Arc<Merchant>> {
        let above = (std::ops::Bound::Excluded(id), std::ops::Bound::Unbounded);
        self.merchants.range(above).map(|(_, merchant)| merchant)
    }

    /// One data stream.
    pub fn data_stream(&self, id: DataStreamId) -> Option<&Arc<DataStream>> {
        self.data_streams.get(&id)
    }

    /// All data streams, by id.
    pub fn data_streams(&self) -> impl Iterator<Item = &Arc<DataStream>> {
        self.data_streams.iter().map(|(_, stream)| stream)
    }

    /// The data streams of a merchant, by id.
    pub fn data_streams_of(&self, merchant: MerchantId) -> impl Iterator<Item = &Arc<DataStream>> {
        let all = (merchant, DataStreamId(0))..=(merchant, DataStreamId(u32::MAX));
        self.data_streams_of.range(all).filter_map(|(_, id)| self.data_streams.get(id))
    }

    /// The oldest data stream of a merchant.
    pub fn first_data_stream(&self, merchant: MerchantId) -> Option<DataStreamId> {
        self.data_streams_of(merchant).next().map(|stream| stream.id)
    }

    /// One key, by its id.
    pub fn key(&self, id: &str) -> Option<&Arc<Key>> {
        self.keys.get(id)
    }

    /// All keys, by id, the revoked ones too.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<Key>> {
        self.keys.iter().map(|(_, key)| key)
    }

    /// The keys of a merchant, or with `None` the operator's admin keys; by id, the revoked ones too.
    pub fn keys_of(&self, owner: Option<MerchantId>) -> impl Iterator<Item = &Arc<Key>> {
        let from = (owner, Arc::from(""));
        self.keys_of
            .range(from..)
            .take_while(move |(of, _)| *of == owner)
            .filter_map(|(_, id)| self.keys.get(id))
    }

    /// All that there is, in an order in which each item comes after those that it refers to.
    pub fn items(&self) -> impl Iterator<Item = Item> {
        let merchants = self.merchants().cloned().map(Item::Merchant);
        let streams = self.data_streams().cloned().map(Item::DataStream);
        merchants.chain(streams).chain(self.keys().cloned().map(Item::Key))
    }

    /// The same with these new states, as `version`.
    pub(crate) fn with(&self, change: &[Item], version: u64) -> Self {
        let mut next = self.clone();
        for item in change {
            next.put(item.clone());
        }
        next.version = version;
        next
    }

    /// Takes one item in. What owns it and the hash of a key are fixed at creation: the indexes only grow.
    pub(crate) fn put(&mut self, item: Item) {
        match item {
            Item::Merchant(merchant) => {
                self.merchants.insert(merchant.id, merchant);
            }
            Item::DataStream(stream) => {
                self.data_streams_of.insert((stream.merchant, stream.id));
                self.data_streams.insert(stream.id, stream);
            }
            Item::Key(key) => {
                self.keys_of.insert((key.merchant, key.id.clone()));
                self.by_hash.insert(key.hash, key.clone());
                self.keys.insert(key.id.clone(), key);
            }
        }
    }

    pub(crate) fn set_version(&mut self, version: u64) {
        self.version = version;
    }
}

fn not_revoked(key: &Key) -> Result<(), Denied> {
    match key.revoked_at {
        Some(at) => Err(Denied::Revoked { id: key.id.clone(), at }),
        None => Ok(()),
    }
}
