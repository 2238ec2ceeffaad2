use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds between two messages to a subscriber that does not say what it wants.
const DEFAULT_INTERVAL_MS: u64 = 250;

/// The section `query`: what an operator tunes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Bytes of memory for cells that were read.
    pub cache_bytes: u64,
    /// Rows of one answer, unary or over HTTP. StreamQuery has no such limit.
    pub max_rows: usize,
    /// Rows of one subscription: they are kept in memory while it lasts.
    pub max_live_rows: usize,
    /// Subscriptions that one merchant may have open at a time.
    pub subscriptions_per_merchant: usize,
    /// The least milliseconds between two messages to one subscriber, whatever it asks for.
    pub min_interval_ms: u64,
    /// Seconds after which a reader that takes nothing is dropped.
    pub stalled_seconds: u64,
    /// Seconds that a live answer is kept after its last subscriber went, for going on after a break.
    pub resumable_seconds: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cache_bytes: 128 << 20,
            max_rows: 200_000,
            max_live_rows: 10_000,
            subscriptions_per_merchant: 1_000,
            min_interval_ms: 100,
            stalled_seconds: 60,
            resumable_seconds: 60,
        }
    }
}

impl Settings {
    /// How often a subscriber hears of changes that asks for this, 0 being nothing in particular.
    pub(crate) fn interval(&self, asked_ms: u32) -> Duration {
        let asked = if asked_ms == 0 { DEFAULT_INTERVAL_MS } else { asked_ms.into() };
        Duration::from_millis(asked.max(self.min_interval_ms))
    }

    /// How long a reader may take nothing.
    pub(crate) fn stalled(&self) -> Duration {
        Duration::from_secs(self.stalled_seconds)
    }

    /// How long a live answer without subscribers is kept.
    pub(crate) fn resumable(&self) -> Duration {
        Duration::from_secs(self.resumable_seconds)
    }
}
