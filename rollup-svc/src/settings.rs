use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What an operator tunes of rollup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Milliseconds from a hit's arrival to its commit, at least; more when commits take long.
    pub flush_interval_ms: u64,
    /// A commit may take one part in this many of a worker's time: the larger, the later and the cheaper.
    pub flush_share: u32,
    /// Bytes of each partition that its worker reads again after a crash, about: visitor state that is older is written out. Not set:
    /// 512 MiB in one process, 128 MiB where others take over from it and nobody wants to wait for that.
    pub replay_bytes: Option<u64>,
    /// Bytes of one commit, about: a merchant's visitor state that is larger is written in several.
    pub commit_bytes: u64,
    /// Bytes that all workers may hold of merchants, about: beyond it those that rest are put away.
    pub memory_bytes: u64,
    /// Threads that fold. Not set: as many as there are cores. 0: none of their own, the workers run among the calls.
    pub threads: Option<u16>,
    /// Milliseconds between two beats of a process, by which the others know that it lives.
    pub lease_beat_ms: u64,
    /// Milliseconds without a beat after which the others take a process for dead and take over its partitions.
    pub lease_death_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            flush_interval_ms: 200,
            flush_share: 8,
            replay_bytes: None,
            commit_bytes: 8 * 1024 * 1024,
            memory_bytes: 1024 * 1024 * 1024,
            threads: None,
            lease_beat_ms: 500,
            lease_death_ms: 3_000,
        }
    }
}

impl Settings {
    /// Bytes of the log that a worker reads again.
    pub(crate) fn replay(&self, shared: bool) -> u64 {
        const ALONE: u64 = 512 * 1024 * 1024;
        const SHARED: u64 = 128 * 1024 * 1024;
        self.replay_bytes.unwrap_or(if shared { SHARED } else { ALONE })
    }

    /// Time between two beats.
    pub(crate) fn beat_interval(&self) -> Duration {
        Duration::from_millis(self.lease_beat_ms.max(1))
    }

    /// Time without a beat after which the others must be thought to have taken over.
    pub(crate) fn death(&self) -> Duration {
        self.beat_interval().saturating_mul(u32::try_from(self.patience()).unwrap_or(u32::MAX))
    }

    /// Own beats after which another process that was silent is dead.
    pub(crate) fn patience(&self) -> u64 {
        const LEAST: u64 = 2;
        (self.lease_death_ms / self.lease_beat_ms.max(1)).max(LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_others_take_over_within_5_seconds_of_a_kill() {
        let settings = Settings::default();
        // One beat that was just made, the silence, and a look that has just missed the end of it.
        let longest = settings.death() + 2 * settings.beat_interval();
        assert!(longest <= Duration::from_secs(5), "{longest:?}");
    }
}
