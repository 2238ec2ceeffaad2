//! What the fold needs from the store.

use bytes::Bytes;
use keyspace::progress::Progress;
use keyspace::visitor::{Bucket, Slots};
use model::MerchantId;

use super::Worker;
use crate::error::{Error, Result};
use crate::state::{HeldBucket, MerchantState};

impl Worker {
    /// Makes sure that the merchant is held.
    pub(super) async fn hold(&mut self, merchant: MerchantId) -> Result<()> {
        if self.holding.merchants.contains_key(&merchant) {
            return Ok(());
        }
        let key = self.holding.owner(merchant).progress_key();
        let found = self.platform.store.get(&key).await?;
        let committed = found.map(|value| read(Progress::decode(&value), || shown(&key))).transpose()?;
        self.holding.merchants.insert(merchant, MerchantState::new(committed));
        Ok(())
    }

    pub(super) async fn load_buckets(&mut self, merchant: MerchantId, buckets: &[u8]) -> Result<()> {
        let owner = self.holding.owner(merchant);
        let committed = self.holding.merchants.get(&merchant).and_then(|state| state.committed);
        let slots = committed.map_or(Slots::default(), |progress| progress.slots);
        let keys: Vec<_> =
            buckets.iter().map(|bucket| owner.bucket_key(*bucket, slots.of(*bucket))).collect();
        let found = self.platform.store.snapshot().await?.get_many(&keys).await?;
        let Some(state) = self.holding.merchants.get_mut(&merchant) else { return Ok(()) };
        for ((number, key), value) in buckets.iter().zip(&keys).zip(found) {
            let bucket = value.map(|value| read(Bucket::decode(&value), || shown(key))).transpose()?;
            state.buckets.insert(*number, HeldBucket { bucket: bucket.unwrap_or_default(), dirty: false });
        }
        Ok(())
    }
}

pub(super) fn read<T>(
    result: std::result::Result<T, keyspace::Malformed>,
    place: impl FnOnce() -> String,
) -> Result<T> {
    result.map_err(|source| Error::Malformed { place: place(), source })
}

pub(super) fn shown(key: &Bytes) -> String {
    format!("key {}", key.escape_ascii())
}
