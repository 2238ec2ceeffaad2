use serde::{Deserialize, Serialize};

/// What an operator tunes of rollup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Milliseconds from a hit's arrival to its commit, at least; more when commits take long.
    pub flush_interval_ms: u64,
    /// A commit may take one part in this many of a worker's time: the larger, the later and the cheaper.
    pub flush_share: u32,
    /// Bytes of the log that a worker reads again after a crash, about: visitor state that is older is written out.
    pub replay_bytes: u64,
    /// Bytes that all workers may hold of merchants, about: beyond it those that rest are put away.
    pub memory_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            flush_interval_ms: 200,
            flush_share: 8,
            replay_bytes: 512 * 1024 * 1024,
            memory_bytes: 1024 * 1024 * 1024,
        }
    }
}
