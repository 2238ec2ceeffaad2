//! The only reader of the wall clock and of the randomness of the system in this crate, which knows no crate of
//! hitmill but the contract.

use std::sync::atomic::{AtomicU64, Ordering};

/// Milliseconds since 1970 UTC.
#[expect(clippy::disallowed_methods, reason = "the one place of the SDK that reads the wall clock")]
pub(crate) fn now_ms() -> i64 {
    match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(_) => 0,
    }
}

/// A fresh epoch: the time now, and larger than `than` and every other one that this process got.
pub(crate) fn new_epoch(than: u64) -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let least = u64::try_from(now_ms()).unwrap_or(0).max(than.saturating_add(1)).max(1);
    let last =
        LAST.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(least.max(last.saturating_add(1))));
    least.max(last.unwrap_or_default().saturating_add(1))
}

/// A random id of 32 hexadecimal digits.
pub(crate) fn random_id() -> String {
    let (high, low) = (random_seed(), random_seed());
    format!("{high:016x}{low:016x}")
}

/// Random bits. Should the system have none, the time: ids and jitter are no secrets.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place of the SDK that reads the randomness of the system"
)]
pub(crate) fn random_seed() -> u64 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        Err(_) => new_epoch(0).wrapping_mul(SPLIT_MIX_STEP),
    }
}

const SPLIT_MIX_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Cheap random numbers from a seed: `SplitMix64` (Steele, Lea, Flood 2014).
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Numbers that follow from `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(SPLIT_MIX_STEP);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// What names this start of the machine, where the system says so.
pub(crate) fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_rise_even_within_one_millisecond_and_over_a_clock_that_was_set_back() {
        let future = u64::try_from(now_ms()).unwrap() + 1_000_000;
        let epochs = [new_epoch(0), new_epoch(0), new_epoch(future), new_epoch(0)];
        assert!(epochs.is_sorted_by(|a, b| a < b), "{epochs:?}");
        assert!(epochs[2] > future);
    }

    #[test]
    fn ids_differ() {
        assert_ne!(random_id(), random_id());
        assert_eq!(random_id().len(), 32);
    }
}
