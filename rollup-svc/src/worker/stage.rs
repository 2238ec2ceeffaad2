//! Visitor state before its commit: encoded, and as far as it is too large for that, in the store already.

use bytes::Bytes;
use hashbrown::HashMap;
use model::MerchantId;

use super::Worker;
use crate::error::Result;
use crate::session::drop_long_old;
use crate::staging::{self, Encoded};

impl Worker {
    /// The visitor state of those whose state is due.
    pub(super) async fn encode(
        &mut self,
        due: &[(MerchantId, bool)],
    ) -> Result<HashMap<MerchantId, Encoded>> {
        let mut encoded = HashMap::new();
        for (merchant, _) in due.iter().filter(|(_, with_state)| *with_state) {
            encoded.insert(*merchant, self.encode_one(*merchant).await?);
        }
        Ok(encoded)
    }

    async fn encode_one(&mut self, merchant: MerchantId) -> Result<Encoded> {
        // The cells are in the same commit and have their part of its bytes.
        let most = self.settings.commit_bytes as usize / 2;
        let buckets = &self.holding.merchants[&merchant].buckets;
        let mut changed: Vec<_> = buckets.iter().filter(|(_, held)| held.dirty).map(|(n, _)| *n).collect();
        changed.sort_unstable();
        let mut encoded = Encoded::default();
        let mut bytes = 0;
        for bucket in changed {
            let Some(state) = self.holding.merchants.get_mut(&merchant) else { continue };
            let latest = state.latest;
            let Some(held) = state.buckets.get_mut(&bucket) else { continue };
            drop_long_old(&mut held.bucket, latest);
            let value = held.bucket.encode();
            if !encoded.rest.is_empty() && bytes + value.len() > most {
                self.stage(merchant, &encoded.rest).await?;
                encoded.staged.extend(encoded.rest.drain(..).map(|(bucket, _)| bucket));
                bytes = 0;
            }
            bytes += value.len();
            encoded.rest.push((bucket, value));
        }
        Ok(encoded)
    }

    async fn stage(&mut self, merchant: MerchantId, buckets: &[(u8, Bytes)]) -> Result<()> {
        if self.holding.merchants[&merchant].committed.is_none() {
            // There must be a record to be built upon: the cells go first.
            let most = self.settings.commit_bytes as usize;
            for commit in self.holding.commits(&[(merchant, false)], HashMap::new(), most) {
                self.commit(commit, false).await?;
            }
        }
        let owner = self.holding.owner(merchant);
        let Some(state) = self.holding.merchants.get_mut(&merchant) else { return Ok(()) };
        let Some(before) = state.committed else { return Ok(()) };
        let (batch, progress) = staging::stage(&owner, before, buckets);
        metrics::counter!("hitmill_rollup_keys_written_total").increment(batch.writes.len() as u64);
        self.platform.store.commit(batch).await?;
        state.committed = Some(progress);
        Ok(())
    }
}
