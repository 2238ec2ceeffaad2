//! Garbage collection: overwritten values are removed once nobody may read them any more.
//!
//! TiKV removes, as it compacts, what was overwritten before the safe point that the placement driver knows, and it is for its
//! users to move that point (TiDB does; without it nobody would, and the old values of every cell would stay). Moving it also
//! resolves the locks of before, since the records that tell what became of their transactions go as well.
//!
//! The safe point is one of the whole cluster. So the records about it are outside of every installation's prefix: how long
//! each installation wants old values kept, of which the longest counts, and when the point was last moved, which by a
//! conditional commit one process does for all.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tikv_client::Timestamp;
use tokio::time::{sleep, timeout};

use super::commit::commit;
use super::failure::shown;
use super::prefix::Prefix;
use super::store::Inner;
use super::view::View;
use crate::{Batch, Error, Result, Snapshot};

/// In place of an installation's name; none can have a dot in it.
const COMMON: &str = ".hitmill-gc";
/// The safe point that was set last, in milliseconds.
const MOVED_TO: &[u8] = b"moved-to";
/// With the installation's name behind it: the seconds for which it wants values kept.
const WANTED: &str = "wanted/";
const PAST_WANTED: &[u8] = b"wanted0";
const DOING: &str = "collect garbage";
const SHORTEST_ROUND: Duration = Duration::from_secs(1);
const LONGEST_ROUND: Duration = Duration::from_secs(600);

/// Collects until the store is gone.
pub(super) async fn run(inner: Weak<Inner>, installation: String) {
    loop {
        let Some(inner) = inner.upgrade() else { return };
        let round = round(inner.keep);
        let common = Arc::new(Inner {
            connection: Arc::clone(&inner.connection),
            prefix: Prefix::new(COMMON),
            timeout: inner.timeout,
            keep: inner.keep,
        });
        drop(inner);
        // Every region is asked for its locks, which may take long, but not as long as this.
        match timeout(LONGEST_ROUND, collect(&common, &installation)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "failed to collect garbage, will try again"),
            Err(_) => tracing::warn!("failed to collect garbage in time, will try again"),
        }
        drop(common);
        sleep(round).await;
    }
}

/// How often the point moves. The more often, the less is kept beyond what was wanted.
fn round(keep: Duration) -> Duration {
    (keep / 10).clamp(SHORTEST_ROUND, LONGEST_ROUND)
}

/// Moves the safe point, if it is time and no one else does.
async fn collect(common: &Arc<Inner>, installation: &str) -> Result<()> {
    let wish = Bytes::from(common.keep.as_secs().to_string());
    let place = Bytes::from(format!("{WANTED}{installation}"));
    let taken = Instant::now();
    let at = common.connection.timestamp(DOING).await?;
    let now = at.physical;
    let view = View { inner: Arc::clone(common), at, taken };
    if view.get(&place).await?.as_ref() != Some(&wish) {
        let mut batch = Batch::default();
        batch.put(place, wish);
        commit(common, &batch).await?;
    }

    let wanted = view.scan(WANTED.as_bytes(), PAST_WANTED, usize::MAX).await?;
    let wanted = wanted.iter().filter_map(|(_, seconds)| number(seconds)).max().unwrap_or_default();
    let keep = common.keep.max(Duration::from_secs(wanted.unsigned_abs()));
    let safe = now - i64::try_from(keep.as_millis()).unwrap_or(now);
    let moved_to = view.get(MOVED_TO).await?;
    let was = moved_to.as_ref().and_then(number).unwrap_or_default();
    if u128::from((safe - was).max(0).unsigned_abs()) < round(keep).as_millis() {
        return Ok(());
    }
    let mut batch = Batch::default();
    batch.require(MOVED_TO, moved_to).put(MOVED_TO, safe.to_string());
    match commit(common, &batch).await {
        Ok(()) => {}
        Err(Error::Conflict { .. }) => return Ok(()), // another process was first
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
