use std::collections::HashMap;

use model::{MerchantId, Timestamp};

/// A quota per second is held on the average over this long, so that bursts pass.
const AVERAGED_MS: i128 = 10_000;
/// Thousandths of a hit: a rate per second is this many per millisecond, so that nothing is ever rounded.
const MILLI: i128 = 1_000;

/// What is left of the quotas of merchants that sent lately.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    buckets: HashMap<MerchantId, Bucket>,
    /// At this many buckets those that are full again are let go.
    clean_at: usize,
}

impl Quotas {
    /// Whether a merchant with a quota of `per_second` may send `hits` more now. A batch is never split: the one that
    /// uses the quota up passes whole, and is paid for before the next one.
    pub(crate) fn take(&mut self, merchant: MerchantId, per_second: u64, hits: u64, now: Timestamp) -> bool {
        if per_second == 0 {
            return true;
        }
        if self.buckets.len() >= self.clean_at.max(1_024) {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            self.clean_at = self.buckets.len() * 2;
        }
        let bucket = self.buckets.entry(merchant);
        let bucket = bucket.or_insert(Bucket { level: capacity(per_second), per_second, at: now });
        bucket.per_second = per_second;
        bucket.take(hits, now)
    }
}

/// A token bucket that may go into debt.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Thousandths of hits that may still come.
    level: i128,
    per_second: u64,
    at: Timestamp,
}

impl Bucket {
    fn take(&mut self, hits: u64, now: Timestamp) -> bool {
        self.level = self.level_at(now);
        self.at = now;
        let passes = self.level > 0;
        if passes {
            self.level -= i128::from(hits) * MILLI;
        }
        passes
    }

    /// A full one says no more than none at all.
    fn is_full(&self, now: Timestamp) -> bool {
        self.level_at(now) == capacity(self.per_second)
    }

    fn level_at(&self, now: Timestamp) -> i128 {
        // A clock that was set back gives nothing, and takes nothing away.
        let elapsed = i128::from(now.millis_since(self.at).max(0));
        (self.level + elapsed * i128::from(self.per_second)).min(capacity(self.per_second))
    }
}

fn capacity(per_second: u64) -> i128 {
    i128::from(per_second) * AVERAGED_MS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MERCHANT: MerchantId = MerchantId(7);

    proptest! {
        #[test]
        fn no_more_passes_than_the_rate_allows(
            per_second in 1u64..1_000, batches in prop::collection::vec((0i64..500, 1u64..2_500), 1..300)
        ) {
            let mut quotas = Quotas::default();
            let (mut now, mut passed) = (0, 0);
            for (pause, hits) in batches {
                now += pause;
                if quotas.take(MERCHANT, per_second, hits, Timestamp(now)) {
                    passed += hits;
                }
                // Ten seconds' worth to begin with, what has come since, and the batch that used it up.
                let allowed = per_second * 10 + per_second * now as u64 / 1_000 + 2_500;
                prop_assert!(passed <= allowed, "{} of {}", passed, allowed);
            }
        }

        #[test]
        fn who_keeps_to_the_rate_is_never_refused(per_ms in 1u64..50, times in prop::collection::vec(1u64..300, 1..300)) {
            let mut quotas = Quotas::default();
            let mut now = 0;
            for pause in times {
                now += pause;
                prop_assert!(quotas.take(MERCHANT, per_ms * 1_000, per_ms * pause, Timestamp(now as i64)));
            }
        }
    }

    #[test]
    fn a_debt_is_paid_before_the_next_batch_passes() {
        let mut quotas = Quotas::default();
        let mut take = |hits, now| quotas.take(MERCHANT, 10, hits, Timestamp(now));
        assert!(take(100, 0), "ten seconds' worth");
        assert!(!take(1, 0));
        assert!(take(50, 1), "a hundredth of a hit has come");
        assert!(!take(1, 4_990));
        assert!(take(1, 5_001), "49.99 hits of debt at 10/s, paid since");
    }

    #[test]
    fn no_quota_is_no_limit_and_idle_merchants_are_forgotten() {
        let mut quotas = Quotas::default();
        assert!(quotas.take(MERCHANT, 0, u64::MAX, Timestamp(0)));
        assert!(quotas.buckets.is_empty());
        for id in 0..10_000 {
            quotas.take(MerchantId(id), 5, 1, Timestamp(id as i64 * 100));
        }
        assert!(quotas.buckets.len() <= 1_100, "{}", quotas.buckets.len());
    }
}
