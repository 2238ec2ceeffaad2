//! What the fold needs from the store.

use std::collections::BTreeSet;

use bytes::Bytes;
use keyspace::progress::Progress;
use keyspace::visitor::Bucket;
use model::MerchantId;

use super::Worker;
use crate::error::{Error, Result};
use crate::state::{HeldBucket, MerchantState};

impl Worker {
    /// Makes sure that these merchants are held: one question for all of them.
    pub(super) async fn hold(&mut self, merchants: impl Iterator<Item = MerchantId>) -> Result<()> {
        let unknown: BTreeSet<_> =
            merchants.filter(|merchant| !self.holding.merchants.contains_key(merchant)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let keys: Vec<_> =
            unknown.iter().map(|merchant| self.holding.owner(*merchant).progress_key()).collect();
        let found = self.platform.store.snapshot().await?.get_many(&keys).await?;
        for ((merchant, key), value) in unknown.into_iter().zip(&keys).zip(found) {
            let committed = value.map(|value| read(Progress::decode(&value), || shown(key))).transpose()?;
            self.holding.merchants.insert(merchant, MerchantState::new(committed));
        }
        Ok(())
    }

    /// Loads buckets of visitor state: one question for all of them.
    pub(super) async fn load_buckets(&mut self, wanted: &[(MerchantId, u8)]) -> Result<()> {
        let mut keys = Vec::new();
        for (merchant, bucket) in wanted {
            let committed = self.holding.merchants.get(merchant).and_then(|state| state.committed);
            // Nobody's state was written before the record that says so.
            if let Some(progress) = committed.filter(|progress| progress.state_through.is_some()) {
                let key = self.holding.owner(*merchant).bucket_key(*bucket, progress.slots.of(*bucket));
                keys.push((*merchant, *bucket, key));
            } else if let Some(state) = self.holding.merchants.get_mut(merchant) {
                state.buckets.insert(*bucket, HeldBucket::default());
            }
        }
        if keys.is_empty() {
            return Ok(());
        }
        let asked: Vec<_> = keys.iter().map(|(_, _, key)| key.clone()).collect();
        let found = self.platform.store.snapshot().await?.get_many(&asked).await?;
        for ((merchant, number, key), value) in keys.into_iter().zip(found) {
            let bucket = value.map(|value| read(Bucket::decode(&value), || shown(&key))).transpose()?;
            if let Some(state) = self.holding.merchants.get_mut(&merchant) {
                let held = HeldBucket { bucket: bucket.unwrap_or_default(), dirty: false };
                state.buckets.insert(number, held);
            }
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
