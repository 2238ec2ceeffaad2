use std::collections::VecDeque;
use std::time::Duration;

/// The latest of them: old ones say nothing of how it is now.
const KEPT: usize = 1_000;

/// Durations that were measured lately.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(VecDeque<Duration>);

/// What half of the samples, and 99 in 100 of them, do not exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quantiles {
    /// Half of them.
    pub(crate) p50: Duration,
    /// 99 in 100.
    pub(crate) p99: Duration,
}

impl Samples {
    /// Takes one in.
    pub(crate) fn note(&mut self, sample: Duration) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(sample);
    }

    /// Nothing as long as there are no samples.
    pub(crate) fn quantiles(&self) -> Option<Quantiles> {
        let mut sorted: Vec<Duration> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        // The smallest sample that as many do not exceed: nearest rank.
        let rank = |hundredths: usize| (sorted.len() * hundredths).div_ceil(100).checked_sub(1);
        Some(Quantiles { p50: *sorted.get(rank(50)?)?, p99: *sorted.get(rank(99)?)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantiles(samples: impl IntoIterator<Item = u64>) -> Option<(u128, u128)> {
        let mut all = Samples::default();
        samples.into_iter().for_each(|ms| all.note(Duration::from_millis(ms)));
        all.quantiles().map(|q| (q.p50.as_millis(), q.p99.as_millis()))
    }

    #[test]
    fn quantiles_are_those_of_the_nearest_rank() {
        assert_eq!(quantiles([]), None);
        assert_eq!(quantiles([7]), Some((7, 7)));
        assert_eq!(quantiles([4, 1, 3, 2]), Some((2, 4)));
        assert_eq!(quantiles((1..=200).rev()), Some((100, 198)));
    }

    #[test]
    fn old_samples_go() {
        assert_eq!(quantiles((0..5_000).map(|n| if n < 4_000 { 9 } else { 1 })), Some((1, 1)));
    }
}
