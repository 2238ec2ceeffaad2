//! The only reader of the wall clock and of the randomness of the operating system, with a manual twin for tests.
//! Everything that decides takes time and randomness as arguments; this crate is where they come from.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use model::Timestamp;

/// Where time and randomness come from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<Manual>),
}

#[derive(Debug)]
struct Manual {
    now: AtomicI64,
    random: AtomicU64,
}

impl Clock {
    /// The machine's clock and randomness.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `now` until it is moved, with randomness that follows from `seed`.
    pub fn manual(now: Timestamp, seed: u64) -> Self {
        Self(Source::Manual(Arc::new(Manual { now: AtomicI64::new(now.0), random: AtomicU64::new(seed) })))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp(system_millis()),
            Source::Manual(manual) => Timestamp(manual.now.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock; the machine's clock stays where it is.
    pub fn advance(&self, millis: i64) {
        if let Source::Manual(manual) = &self.0 {
            manual.now.fetch_add(millis, Ordering::SeqCst);
        }
    }

    /// `N` random bytes; fit for secrets when they come from the system.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        match &self.0 {
            Source::System => fill_from_system(&mut out),
            Source::Manual(manual) => {
                for chunk in out.chunks_mut(8) {
                    let word = split_mix(manual.random.fetch_add(SPLIT_MIX_STEP, Ordering::SeqCst));
                    chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
                }
            }
        }
        out
    }

    /// A random number.
    pub fn random_u64(&self) -> u64 {
        u64::from_le_bytes(self.random())
    }
}

const SPLIT_MIX_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64 (Steele, Lea, Flood 2014): one step from a counter to a well-mixed word.
fn split_mix(counter: u64) -> u64 {
    let mut z = counter.wrapping_add(SPLIT_MIX_STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
fn system_millis() -> i64 {
    match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    }
}

#[expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "the one place that reads the system's randomness; without it no key is safe"
)]
fn fill_from_system(out: &mut [u8]) {
    getrandom::fill(out).expect("the operating system gives random bytes");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told_and_repeats_itself() {
        let run = || {
            let clock = Clock::manual(Timestamp(5), 42);
            clock.advance(10);
            (clock.now(), clock.random::<12>(), clock.random_u64())
        };
        assert_eq!(run(), run());
        assert_eq!(run().0, Timestamp(15));
    }

    #[test]
    fn the_system_clock_is_past_2024_and_its_randomness_differs() {
        let clock = Clock::system();
        assert!(clock.now() > Timestamp(1_704_067_200_000));
        assert_ne!(clock.random_u64(), clock.random_u64());
    }
}
