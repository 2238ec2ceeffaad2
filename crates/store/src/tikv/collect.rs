//! Garbage collection: overwritten values are removed once nobody may read them any more.
//!
//! TiKV removes, as it compacts, what was overwritten before the safe point that the placement driver knows, and it is for its
//! users to move that point (TiDB does; without it nobody would, and the old values of every cell would stay). Moving it also
//! resolves the locks of before, since the records that tell what became of their transactions go as well.
//!
//! The safe point is one of the whole cluster. So the records about it are outside of every installation's prefix: the wishes
//! of all processes, of which the longest counts, and when the point was last moved, which by a conditional commit one process
//! does for all.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tikv_client::Timestamp;
use tokio::time::{sleep, timeout};

use super::commit::commit;
use super::failure::shown;
use super::store::Inner;
use super::view::View;
use super::wish::{PAST_WISHES, WISHES, Wanted, round};
use crate::{Batch, Error, Result, Snapshot};

/// The safe point that was set last, in milliseconds.
const MOVED_TO: &[u8] = b"moved-to";
const DOING: &str = "collect garbage";
/// Of one attempt: every region is asked for its locks.
const LONGEST: Duration = Duration::from_secs(600);
/// How many stale wishes one commit removes. The rest are for the next one.
const STALE_AT_ONCE: usize = 500;

/// Collects until the store is gone. The first time is after a while, so that short commands leave it to the services.
pub(super) async fn run(store: Weak<Inner>) {
    while let Some(round) = store.upgrade().map(|inner| round(inner.keep)) {
        sleep(round).await;
        let Some(common) = store.upgrade().map(|inner| inner.common()) else { return };
        match timeout(LONGEST, collect(&common)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "failed to collect garbage, will try again"),
            Err(_) => tracing::warn!("failed to collect garbage in time, will try again"),
        }
    }
}

/// Moves the safe point, if it is time and no one else does.
async fn collect(common: &Arc<Inner>) -> Result<()> {
    let taken = Instant::now();
    let at = common.connection.timestamp(DOING).await?;
    let now = at.physical;
    // Who is not in it has opened its store later, and takes no snapshot of before this moment.
    let view = View { inner: Arc::clone(common), at, taken };
    let Wanted { longest, stale } = Wanted::of(view.scan(WISHES, PAST_WISHES, usize::MAX).await?, now);
    let keep = common.keep.max(longest);
    let safe = now - i64::try_from(keep.as_millis()).unwrap_or(now);
    let moved_to = view.get(MOVED_TO).await?;
    let was = moved_to.as_ref().and_then(number).unwrap_or_default();
    if u128::from((safe - was).max(0).unsigned_abs()) < round(keep).as_millis() {
        return Ok(());
    }
    let mut batch = Batch::default();
    batch.require(MOVED_TO, moved_to).put(MOVED_TO, safe.to_string());
    for (place, wish) in stale.into_iter().take(STALE_AT_ONCE) {
        batch.require(place.clone(), Some(wish)).delete(place);
    }
    match commit(common, &batch).await {
        Ok(()) => {}
        Err(Error::Conflict { .. }) => return Ok(()), // another process was first, or is back
        Err(error) => return Err(error),
    }
    let safe = Timestamp { physical: safe, ..Default::default() };
    let moved = common.connection.client().gc(safe).await;
    moved.map_err(|error| Error::Unavailable { doing: DOING, what: shown(&error) })?;
    metrics::counter!("hitmill_store_collections_total").increment(1);
    Ok(())
}

fn number(text: &Bytes) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
