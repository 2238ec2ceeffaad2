//! Reading: a timestamp, and what TiKV held at it.
//!
//! An empty value counts as none. We store no such values, and unistore answers so for a key that is not there.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use tikv_client::{Key, KvPair, Timestamp, TransactionClient};

use super::connection::{Failed, options, range_of};
use super::store::Inner;
use crate::{Error, Pair, Result, Snapshot};

const KEYS_AT_ONCE: usize = 256; // of one request for many keys
const FIRST_PAGE: usize = 64;
const LONGEST_PAGE: usize = 8_192;
const PAGE_BYTES: usize = 2 << 20; // below every limit on the way, and long enough that its round trip is cheap

/// A snapshot. It costs nothing but its timestamp, and is read for as long as old values are kept.
pub(super) struct View {
    pub(super) inner: Arc<Inner>,
    pub(super) at: Timestamp,
    /// Before the timestamp was taken.
    pub(super) taken: Instant,
}

impl View {
    /// A read is in time if it ends before garbage collection may come to what it reads: TiKV would not refuse it later, but
    /// answer without what is gone.
    fn in_time(&self, doing: &'static str) -> Result<()> {
        let age = self.taken.elapsed();
        let Inner { keep, timeout, wish, .. } = &*self.inner;
        let what = if age + *timeout >= *keep {
            format!(
                "the snapshot is {} s old, and old values are kept for {} s (tikv.keep_versions_s)",
                age.as_secs(),
                keep.as_secs()
            )
        } else if wish.as_ref().is_some_and(|wish| !wish.covers(self.taken, Instant::now() + *timeout)) {
            "for too long it could not be recorded how long old values are wanted".to_owned()
        } else {
            return Ok(());
        };
        Err(Error::Unavailable { doing, what })
    }

    /// Asks with a snapshot of the client's own, which keeps everything that it has read and so is not kept.
    async fn ask<T, F, Reply>(
        &self,
        doing: &'static str,
        of: Range<Vec<u8>>,
        question: F,
    ) -> std::result::Result<T, Failed>
    where
        F: Fn(tikv_client::Snapshot) -> Reply,
        Reply: Future<Output = tikv_client::Result<T>>,
    {
        let connection = &self.inner.connection;
        let attempt = |client: TransactionClient| question(client.snapshot(self.at.clone(), options()));
        connection.retrying(doing, of, connection.deadline(), attempt).await
    }

    async fn get_some(&self, keys: &[Bytes], found: &mut HashMap<Vec<u8>, Bytes>) -> Result<()> {
        const DOING: &str = "read keys";
        self.in_time(DOING)?;
        let asked: Vec<Vec<u8>> = keys.iter().map(|key| self.inner.prefix.add(key)).collect();
        let reply = self.ask(DOING, range_of(&asked), |mut snapshot| {
            let asked = asked.clone();
            async move { Ok(snapshot.batch_get(asked).await?.collect::<Vec<KvPair>>()) }
        });
        match reply.await {
            Ok(pairs) => {
                let there = pairs.into_iter().filter(|pair| !pair.value().is_empty());
                found.extend(there.map(|KvPair(key, value)| (key.into(), value.into())));
                Ok(())
            }
            Err(Failed::TooLong(_)) if keys.len() > 1 => {
                let (first, second) = keys.split_at(keys.len() / 2);
                Box::pin(self.get_some(first, found)).await?;
                Box::pin(self.get_some(second, found)).await
            }
            Err(failed) => Err(failed.into_error(DOING)),
        }
    }
}

#[async_trait]
impl Snapshot for View {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        const DOING: &str = "read a key";
        self.in_time(DOING)?;
        let asked = self.inner.prefix.add(key);
        let reply = self.ask(DOING, range_of(std::slice::from_ref(&asked)), |mut snapshot| {
            let asked = asked.clone();
            async move { snapshot.get(asked).await }
        });
        let value = reply.await.map_err(|failed| failed.into_error(DOING))?;
        Ok(value.filter(|value| !value.is_empty()).map(Bytes::from))
    }

    async fn get_many(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>> {
        let mut found = HashMap::with_capacity(keys.len());
        for some in keys.chunks(KEYS_AT_ONCE) {
            self.get_some(some, &mut found).await?;
        }
        Ok(keys.iter().map(|key| found.get(&self.inner.prefix.add(key)).cloned()).collect())
    }

    async fn scan(&self, start: &[u8], end: &[u8], limit: usize) -> Result<Vec<Pair>> {
        const DOING: &str = "scan";
        let mut pairs = Vec::new();
        if start >= end {
            return Ok(pairs);
        }
        let mut range = self.inner.prefix.add(start)..self.inner.prefix.add(end);
        let mut page = FIRST_PAGE;
        while pairs.len() < limit {
            self.in_time(DOING)?;
            let asked = page.min(limit - pairs.len());
            let reply = self.ask(DOING, range.clone(), |mut snapshot| {
                let range = Key::from(range.start.clone())..Key::from(range.end.clone());
                async move { Ok(snapshot.scan(range, asked as u32).await?.collect::<Vec<KvPair>>()) }
            });
            let found = match reply.await {
                Ok(found) => found,
                Err(Failed::TooLong(_)) if asked > 1 => {
                    page = asked / 2;
                    continue;
                }
                Err(failed) => return Err(failed.into_error(DOING)),
            };
            let bytes: usize = found.iter().map(|pair| pair.key().len() + pair.value().len()).sum();
            page = next_page(page, found.len(), bytes);
            let was_last = found.len() < asked;
            for KvPair(key, value) in found {
                pairs.push((self.inner.prefix.remove(key.into()), value.into()));
            }
            match pairs.last() {
                Some((last, _)) if !was_last => {
                    range.start = self.inner.prefix.add(last);
                    range.start.push(0);
                }
                _ => break,
            }
        }
        Ok(pairs)
    }
}

/// How many pairs the next page asks for: as many as are expected to fill it, and not far more than the last one, since what
/// comes may be larger than what came.
fn next_page(page: usize, pairs: usize, bytes: usize) -> usize {
    let fitting = PAGE_BYTES.saturating_mul(pairs).checked_div(bytes).unwrap_or(LONGEST_PAGE);
    fitting.clamp(1, LONGEST_PAGE).min(page * 4)
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_PAGE, next_page};

    #[test]
    fn pages_grow_to_what_fits() {
        assert_eq!(next_page(64, 64, 6_400), 256, "small pairs: four times as many");
        assert_eq!(next_page(4_096, 4_096, 409_600), LONGEST_PAGE);
        assert_eq!(next_page(64, 64, 64 << 20), 2, "two MiB are two pairs of one MiB");
        assert_eq!(next_page(2, 2, 16 << 20), 1, "at least one");
        assert_eq!(next_page(64, 0, 0), 256, "an empty page");
    }
}
