//! How long each process wants overwritten values kept: a record in the cluster, which the process renews.
//!
//! ```text
//! .hitmill-gc/wanted/{installation}/{the timestamp at which the process opened its store} = {seconds} {renewed, ms}
//! ```
//!
//! There is one of each process, since those of one installation differ while a setting is rolled out. A wish counts for as
//! long as it asks values to be kept, and some rounds more, after its last renewal, by the time of the placement driver:
//! processes that are gone do not hold the safe point back for ever. A process that could not renew its wish for as long
//! trusts no snapshot of before.

use std::sync::Weak;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use tikv_client::TimestampExt;
use tokio::time::sleep;

use super::commit::commit;
use super::store::Inner;
use crate::{Batch, Pair, Result};

/// What the keys of all wishes begin with.
pub(super) const WISHES: &[u8] = b"wanted/";
/// The end of their range.
pub(super) const PAST_WISHES: &[u8] = b"wanted0";
const DOING: &str = "record how long old values are wanted";
const SHORTEST_ROUND: Duration = Duration::from_secs(1);
const LONGEST_ROUND: Duration = Duration::from_secs(600);
/// How many renewals may fail before snapshots suffer.
const SPARE_ROUNDS: u32 = 3;

/// How often a wish is renewed, and the safe point moved. The more often, the less is kept beyond what was wanted.
pub(super) fn round(keep: Duration) -> Duration {
    (keep / 10).clamp(SHORTEST_ROUND, LONGEST_ROUND)
}

/// How long a wish counts after its renewal.
fn lease(keep: Duration) -> Duration {
    keep.saturating_add(SPARE_ROUNDS * round(keep))
}

/// The wish of this process.
pub(super) struct Wish {
    place: Bytes,
    counts: Mutex<Counts>,
}

impl Wish {
    /// Makes it known in the cluster.
    pub(super) async fn make(common: &Inner, installation: &str) -> Result<Self> {
        // No timestamp is given out twice.
        let id = common.connection.timestamp(DOING).await?.version();
        let place = Bytes::from([WISHES, format!("{installation}/{id}").as_bytes()].concat());
        let begun = Instant::now();
        record(common, &place).await?;
        let counts = Counts { since: Instant::now(), until: begun + lease(common.keep) };
        Ok(Self { place, counts: Mutex::new(counts) })
    }

    /// Whether a snapshot that was taken then can be read until `end`, if it is young enough.
    pub(super) fn covers(&self, taken: Instant, end: Instant) -> bool {
        self.counts.lock().covers(taken, end)
    }

    async fn renew(&self, common: &Inner) -> Result<()> {
        let begun = Instant::now();
        record(common, &self.place).await?;
        self.counts.lock().renew(begun, Instant::now(), lease(common.keep));
        Ok(())
    }
}

/// Renews the wish of the store until that is gone.
pub(super) async fn renew(store: Weak<Inner>) {
    while let Some(round) = store.upgrade().map(|inner| round(inner.keep)) {
        sleep(round).await;
        let Some(inner) = store.upgrade() else { return };
        let Some(wish) = &inner.wish else { return };
        if let Err(error) = wish.renew(&inner.common()).await {
            tracing::warn!(%error, "failed to {DOING}, will try again");
        }
    }
}

async fn record(common: &Inner, place: &Bytes) -> Result<()> {
    let now = common.connection.timestamp(DOING).await?.physical;
    let mut batch = Batch::default();
    batch.put(place.clone(), format!("{} {now}", common.keep.as_secs()));
    commit(common, &batch).await
}

/// From when and until when the wish counts without a gap, as far as its process knows: rather too short.
struct Counts {
    since: Instant,
    until: Instant,
}

impl Counts {
    fn renew(&mut self, begun: Instant, done: Instant, lease: Duration) {
        if done >= self.until {
            // In between, values may have been removed that older snapshots need.
            self.since = done;
        }
        self.until = begun + lease;
    }

    fn covers(&self, taken: Instant, end: Instant) -> bool {
        self.since <= taken && end < self.until
    }
}

/// What all processes want together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The longest that one of them wants values kept.
    pub(super) longest: Duration,
    /// Wishes of processes that are gone.
    pub(super) stale: Vec<Pair>,
}

impl Wanted {
    /// What these wishes come to at `now`, in milliseconds of the placement driver.
    pub(super) fn of(wishes: Vec<Pair>, now: i64) -> Self {
        let mut wanted = Self { longest: Duration::ZERO, stale: Vec::new() };
        for (place, wish) in wishes {
            match read(&wish) {
                Some((keep, renewed)) if millis(now.saturating_sub(renewed)) <= lease(keep) => {
                    wanted.longest = wanted.longest.max(keep);
                }
                _ => wanted.stale.push((place, wish)),
            }
        }
        wanted
    }
}

fn read(wish: &Bytes) -> Option<(Duration, i64)> {
    let (keep, renewed) = std::str::from_utf8(wish).ok()?.split_once(' ')?;
    Some((Duration::from_secs(keep.parse().ok()?), renewed.parse().ok()?))
}

/// Negative is only what was renewed just after the look.
fn millis(since: i64) -> Duration {
    Duration::from_millis(since.max(0).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Counts, Wanted};
    use crate::Pair;

    #[test]
    fn the_longest_of_the_fresh_counts() {
        // 100 s are renewed every 10 s, and count for 130 s; an hour every 6 minutes, and for 78 minutes.
        let [short, long] = [("a/1", "100 1000000"), ("a/2", "3600 1000000")].map(pair);
        let [other, unreadable] = [("b/1", "100 5600000"), ("b/2", "7")].map(pair);
        let of = |now| {
            let Wanted { longest, stale } =
                Wanted::of(vec![short.clone(), long.clone(), other.clone(), unreadable.clone()], now);
            (longest.as_secs(), stale)
        };
        assert_eq!(of(1_130_000), (3_600, vec![unreadable.clone()]));
        assert_eq!(of(1_130_001), (3_600, vec![short.clone(), unreadable.clone()]));
        assert_eq!(of(5_680_000), (3_600, vec![short.clone(), unreadable.clone()]));
        assert_eq!(of(5_680_001), (100, vec![short.clone(), long.clone(), unreadable.clone()]));
        assert_eq!(of(i64::MAX), (0, vec![short.clone(), long.clone(), other.clone(), unreadable.clone()]));
    }

    fn pair((place, wish): (&'static str, &'static str)) -> Pair {
        (place.into(), wish.into())
    }

    #[test]
    fn a_gap_ends_what_was_taken_before() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut counts = Counts { since: at(1), until: at(130) };
        assert!(counts.covers(at(1), at(129)));
        assert!(!counts.covers(at(0), at(50)), "it was taken before the wish was known");
        assert!(!counts.covers(at(100), at(130)), "the wish counts no longer");
        counts.renew(at(120), at(129), Duration::from_secs(130));
        assert!(counts.covers(at(1), at(249)) && !counts.covers(at(1), at(250)));
        counts.renew(at(240), at(250), Duration::from_secs(130));
        assert!(!counts.covers(at(249), at(260)), "it was taken before the gap");
        assert!(counts.covers(at(250), at(369)));
    }
}
