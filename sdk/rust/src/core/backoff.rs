use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LAST: Duration = Duration::from_secs(30);

/// How long to wait before connecting again: exponential, with full jitter, so that clients which lost a server
/// together do not come back together.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure: evenly spread from nothing to the ceiling, which doubles each time.
    pub(crate) fn next(&mut self, random: u64) -> Duration {
        let ceiling = FIRST.saturating_mul(1 << self.failures.min(16)).min(LAST);
        self.failures = self.failures.saturating_add(1);
        spread(ceiling, random)
    }

    /// Starts again from the shortest wait.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A time between nothing and `ceiling`, to the microsecond.
pub(crate) fn spread(ceiling: Duration, random: u64) -> Duration {
    let micros = u64::try_from(ceiling.as_micros()).unwrap_or(u64::MAX - 1);
    Duration::from_micros(random % (micros + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number that [`spread`] turns into the ceiling itself.
    fn longest(ceiling_ms: u64) -> u64 {
        ceiling_ms * 1_000
    }

    #[test]
    fn ceilings_double_from_100_ms_to_30_s_and_start_again_after_a_reset() {
        let mut backoff = Backoff::default();
        for ceiling_ms in [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000] {
            assert_eq!(backoff.next(longest(ceiling_ms)), Duration::from_millis(ceiling_ms));
        }
        backoff.reset();
        assert_eq!(backoff.next(longest(100)), Duration::from_millis(100));
    }

    #[test]
    fn the_jitter_reaches_from_zero_and_never_passes_the_ceiling() {
        assert_eq!(Backoff::default().next(0), Duration::ZERO);
        assert_eq!(Backoff::default().next(longest(100) + 1), Duration::ZERO);
        assert!(Backoff::default().next(u64::MAX) <= Duration::from_millis(100));
    }

    #[test]
    fn a_hundred_failures_do_not_overflow() {
        let mut backoff = Backoff::default();
        for _ in 0..100 {
            assert!(backoff.next(u64::MAX) <= LAST);
        }
    }
}
