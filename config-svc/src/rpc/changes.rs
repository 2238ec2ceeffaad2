//! Who changed what, newest first.

use bytes::Bytes;
use keyspace::config::{change, merchant_change};
use model::MerchantId;
use proto::v1;
use store::{Snapshot, Store};

use crate::Result;

/// Up to `size` changes below the version `before`, of one merchant or of all.
pub(super) async fn list(
    store: &dyn Store,
    merchant: Option<MerchantId>,
    before: u64,
    size: usize,
) -> Result<v1::ListChangesResponse> {
    let stored = store.snapshot().await?;
    let (values, more) = match merchant {
        Some(merchant) => of_merchant(&*stored, merchant, before, size).await?,
        None => of_all(&*stored, before, size).await?,
    };
    let changes =
        values.into_iter().map(|value| Ok(catalog::read_change(value)?.public())).collect::<Result<_>>()?;
    Ok(v1::ListChangesResponse { changes, more })
}

async fn of_merchant(
    stored: &dyn Snapshot,
    merchant: MerchantId,
    before: u64,
    size: usize,
) -> Result<(Vec<Bytes>, bool)> {
    let range = merchant_change::before(merchant, before);
    // One more, to know whether there is one.
    let entries = stored.scan(&range.start, &range.end, size + 1).await?;
    let versions = entries.iter().filter_map(|(_, value)| merchant_change::version(value));
    let keys: Vec<Bytes> = versions.take(size).map(change::key).collect();
    let values = stored.get_many(&keys).await?;
    Ok((values.into_iter().flatten().collect(), entries.len() > size))
}

async fn of_all(stored: &dyn Snapshot, before: u64, size: usize) -> Result<(Vec<Bytes>, bool)> {
    // Versions have no gaps and begin with 1: the page is known before it is read.
    let from = before.saturating_sub(size as u64).max(1);
    let pairs = stored.scan(&change::key(from), &change::key(before), size).await?;
    Ok((pairs.into_iter().rev().map(|(_, value)| value).collect(), from > 1))
}
