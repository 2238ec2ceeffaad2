use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hitmill_sdk::Stats;

use crate::demo::samples::Quantiles;

/// Over how long a rate is taken.
const OVER: Duration = Duration::from_secs(5);

/// What became of the hits that were fired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Given to the SDK.
    pub(crate) fired: u64,
    /// Left over from an earlier run that did not end well, and sent now.
    pub(crate) restored: u64,
    /// Durable at the server.
    pub(crate) acked: u64,
    /// Not taken by the server.
    pub(crate) refused: u64,
    /// Thrown away by the SDK.
    pub(crate) dropped: u64,
    /// On their way.
    pub(crate) queued: u64,
}

/// How the sending goes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// What became of the hits.
    pub(crate) totals: Totals,
    /// How many people are in the shop.
    pub(crate) shoppers: usize,
    /// Hits that become durable in a second, now.
    pub(crate) hits_per_second: f64,
    /// From sending a frame to its acknowledgement, as the SDK measures it.
    pub(crate) ack: Option<Quantiles>,
    /// From a call of the SDK until a subscriber sees it counted.
    pub(crate) live: Option<Quantiles>,
    /// Why hits are not delivered, if so.
    pub(crate) trouble: Option<String>,
}

/// How fast a count rises.
#[derive(Debug, Default)]
pub(super) struct Rate(VecDeque<(Instant, u64)>);

impl Totals {
    /// Adds what one client says.
    pub(super) fn add(&mut self, stats: &Stats) {
        self.fired += stats.tracked;
        self.restored += stats.restored;
        self.acked += stats.acked;
        self.refused += stats.refused.total();
        self.dropped += stats.dropped;
        self.queued += stats.queued;
    }
}

impl Rate {
    /// By how much the count rose in a second, over the last few; it stands at `count` now.
    pub(super) fn per_second(&mut self, count: u64, now: Instant) -> f64 {
        self.0.push_back((now, count));
        while self.0.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > OVER) {
            self.0.pop_front();
        }
        let (at, before) = self.0.front().copied().unwrap_or((now, count));
        let seconds = now.saturating_duration_since(at).as_secs_f64();
        if seconds > 0.0 { count.saturating_sub(before) as f64 / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_the_last_five_seconds() {
        let (mut rate, start) = (Rate::default(), Instant::now());
        let mut at = |seconds, count| rate.per_second(count, start + Duration::from_secs(seconds));
        assert_eq!([at(0, 100), at(2, 300), at(4, 300)], [0.0, 100.0, 50.0]);
        // From 300 at 2 s to 800 at 7 s.
        assert_eq!(at(7, 800), 100.0);
    }
}
