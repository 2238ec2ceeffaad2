//! How long it takes from a call of the SDK until a subscriber sees the number that the hit moved, measured from outside:
//! now and then one shopper fires a hit of a name that nobody else uses, and its count in a live answer is watched.

use std::time::{Duration, Instant};

use super::samples::{Quantiles, Samples};

/// The name of the hit, as some analytics call it when somebody stays on a page.
pub(super) const NAME: &str = "engaged";
/// Between two of them.
const EVERY: Duration = Duration::from_secs(1);
/// A count that does not come means nothing after this long: a new day has begun counts of its own, or the stream broke.
const GIVE_UP: Duration = Duration::from_secs(10);

/// At most one marker is on its way at a time, so that a count that rises can only be its own.
#[derive(Debug, Default)]
pub(super) struct Marker {
    /// The count that was seen last.
    seen: Option<u64>,
    fired: Option<Instant>,
    on_its_way: bool,
    samples: Samples,
}

impl Marker {
    /// Whether to fire one now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let since = self.fired.map(|fired| now.saturating_duration_since(fired));
        let wait = if self.on_its_way { GIVE_UP } else { EVERY };
        self.seen.is_some() && since.is_none_or(|since| since >= wait)
    }

    /// It was fired.
    pub(super) fn fire(&mut self, now: Instant) {
        (self.fired, self.on_its_way) = (Some(now), true);
    }

    /// A subscriber saw this count.
    pub(super) fn counted(&mut self, count: u64, at: Instant) {
        let before = self.seen.replace(count);
        if let (Some(fired), Some(before), true) = (self.fired, before, self.on_its_way)
            && count > before
        {
            self.on_its_way = false;
            self.samples.note(at.saturating_duration_since(fired));
        }
    }

    /// What was measured lately.
    pub(super) fn quantiles(&self) -> Option<Quantiles> {
        self.samples.quantiles()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_time_from_firing_to_the_count_that_has_it_is_measured() {
        let (mut marker, start) = (Marker::default(), Instant::now());
        assert!(!marker.is_due(start), "what is not watched cannot be measured");
        marker.counted(41, start);
        assert!(marker.is_due(start));
        marker.fire(start + ms(10));
        marker.counted(41, start + ms(100));
        assert_eq!(marker.quantiles(), None, "others moved, not this one");
        marker.counted(42, start + ms(250));
        assert_eq!(marker.quantiles(), Some(Quantiles { p50: ms(240), p99: ms(240) }));
        assert!(!marker.is_due(start + ms(1_009)) && marker.is_due(start + ms(1_010)));
    }

    #[test]
    fn a_count_that_falls_measures_nothing_and_the_next_marker_comes_late() {
        let (mut marker, start) = (Marker::default(), Instant::now());
        marker.counted(41, start);
        marker.fire(start);
        marker.counted(0, start + ms(200));
        assert_eq!(marker.quantiles(), None);
        assert!(!marker.is_due(start + ms(9_999)) && marker.is_due(start + ms(10_000)));
    }
}
