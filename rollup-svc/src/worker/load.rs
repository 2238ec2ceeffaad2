//! What the fold needs from the store.

use std::collections::BTreeSet;

use bytes::Bytes;
use keyspace::progress::Progress;
use keyspace::record::Entry as Recorded;
use keyspace::visitor::Bucket;
use model::{MerchantId, Position};

use super::Worker;
use crate::error::{Error, Result};
use crate::fold::Missing;
use crate::state::{HeldBucket, MerchantState};

impl Worker {
    /// Loads what the next records need. Where the store is far that is one question or two, and not one for each record; where
    /// it is near, opening each batch twice costs more than asking when something is missing.
    pub(super) async fn read_ahead(&mut self, records: &[(Position, Vec<Recorded<'_>>)]) -> Result<()> {
        self.hold(records.iter().flat_map(|(_, recorded)| recorded).map(Recorded::merchant)).await?;
        if !self.platform.shared {
            return Ok(());
        }
        let mut wanted = BTreeSet::new();
        for (position, recorded) in records {
            for recorded in recorded {
                let Recorded::Batch(batch) = recorded else { continue };
                let held = self.holding.merchants.get(&batch.merchant);
                let Some(state) = held.filter(|state| state.has_more_buckets()) else { continue };
                let Missing(buckets) = self.folder.missing(state, batch, *position);
                wanted.extend(buckets.into_iter().map(|bucket| (batch.merchant, bucket)));
            }
        }
        self.load_buckets(&Vec::from_iter(wanted)).await
    }

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
        let mut loaded = Vec::with_capacity(keys.len());
        for (key, value) in keys.iter().zip(found) {
            loaded.push(value.map(|value| read(Progress::decode(&value), || shown(key))).transpose()?);
        }
        if let Some(applied) = loaded.iter().flatten().map(|progress| progress.applied_through).max() {
            self.is_in_the_log(applied).await?;
        }
        for (merchant, committed) in unknown.into_iter().zip(loaded) {
            self.holding.merchants.insert(merchant, MerchantState::new(committed));
        }
        Ok(())
    }

    /// Fails if the log does not go as far as what was folded of it: new records at these places would be taken for the old.
    async fn is_in_the_log(&self, applied: Position) -> Result<()> {
        if self.sampled.is_some_and(|(_, end)| applied < end) {
            return Ok(());
        }
        let end = self.platform.log.end(self.partition()).await?;
        if applied >= end {
            return Err(Error::AnotherLog { partition: self.partition(), folded: applied.next(), end });
        }
        Ok(())
    }

    /// Loads buckets of visitor state: one question for all of them.
    pub(super) async fn load_buckets(&mut self, wanted: &[(MerchantId, u8)]) -> Result<()> {
        let mut keys = Vec::new();
        for (merchant, bucket) in wanted {
            let committed = self.holding.merchants.get(merchant).and_then(|state| state.committed);
            // What was never written need not be asked for.
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
    result.map_err(|why| Error::Malformed { place: place(), why })
}

pub(super) fn shown(key: &Bytes) -> String {
    format!("key {}", key.escape_ascii())
}
