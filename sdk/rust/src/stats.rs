use std::time::Duration;

use proto::v1::{RefusalReason, Refused};

/// What became of the hits so far, and how the connection stands.
///
/// Every hit is in one place: `tracked + restored = acked + refused + dropped + wiped + queued`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Hits that were tracked since the start.
    pub tracked: u64,
    /// Hits of an earlier run that came out of the queue directory.
    pub restored: u64,
    /// Hits that are queued or in flight.
    pub queued: u64,
    /// Their bytes in memory, about.
    pub queued_bytes: u64,
    /// Hits that were sent, each time counted.
    pub sent: u64,
    /// Hits that are durable at the server.
    pub acked: u64,
    /// Hits that were refused, by reason; one larger than any server takes is refused here, before it is queued.
    pub refused: Refusals,
    /// Hits that were thrown away to stay within the bounds of the queue.
    pub dropped: u64,
    /// Hits that were thrown away by opting out.
    pub wiped: u64,
    /// How often a connection was made after the first.
    pub reconnects: u64,
    /// Time between sending and acknowledgement of the last frame.
    pub last_ack_latency: Option<Duration>,
    /// How the connection stands.
    pub link: LinkState,
    /// Why the last connection went, or could not be made.
    pub last_error: Option<String>,
    /// What the server said about the last hit that it refused.
    pub last_refusal: Option<String>,
    /// How often the queue directory could not be written. Hits wait in memory until it can.
    pub storage_errors: u64,
    /// Why, the last time.
    pub last_storage_error: Option<String>,
}

/// How the connection stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkState {
    /// None; the next attempt comes after a while.
    #[default]
    Waiting,
    /// One is being made.
    Connecting,
    /// Hits are sent as the server gives credit.
    Open,
    /// The server asked to leave: acks are awaited, and a new connection comes.
    Draining,
    /// The server refused for good, for one because the key was revoked. `last_error` says why; hits stay queued.
    Refused,
}

const REASONS: usize = RefusalReason::BadItem as usize + 1;

/// How many hits were refused, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals([u64; REASONS]);

impl Stats {
    /// Notes what an ack refused of the hits that were counted as acknowledged.
    pub(crate) fn refuse(&mut self, refused: &[Refused]) {
        for refused in refused {
            self.acked = self.acked.saturating_sub(refused.hits);
            self.refused.add(refused.reason(), refused.hits);
            self.last_refusal = Some(refused.message.clone());
        }
    }
}

impl Refusals {
    /// How many for this reason.
    pub fn of(&self, reason: RefusalReason) -> u64 {
        self.0.get(index(reason)).copied().unwrap_or(0)
    }

    /// How many for any reason. Reasons that only later servers know count as unspecified.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(crate) fn add(&mut self, reason: RefusalReason, hits: u64) {
        if let Some(count) = self.0.get_mut(index(reason)) {
            *count = count.saturating_add(hits);
        }
    }
}

fn index(reason: RefusalReason) -> usize {
    usize::try_from(i32::from(reason)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_the_contract_has_its_own_count() {
        let mut refusals = Refusals::default();
        let reasons: Vec<_> = (0..).map_while(|n| RefusalReason::try_from(n).ok()).collect();
        for (times, reason) in reasons.iter().enumerate() {
            refusals.add(*reason, times as u64);
        }
        for (times, reason) in reasons.iter().enumerate() {
            assert_eq!(refusals.of(*reason), times as u64);
        }
        assert_eq!(reasons.last(), Some(&RefusalReason::BadItem));
    }
}
