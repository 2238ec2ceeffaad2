//! The machine that a client runs on: its clock, its randomness, its disk and its network. Nothing else in this crate asks
//! the system for any of them, so a simulation can put a world of its own in their place.

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use disk::Disk;
use tonic::transport::{Channel, Endpoint, Error as TransportError};

/// What will be there later.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a client needs of the machine that it runs on.
pub trait World: Debug + Send + Sync + 'static {
    /// Milliseconds since 1970 UTC.
    fn now_ms(&self) -> i64;

    /// Random bits: ids and jitter, no secrets.
    fn random(&self) -> u64;

    /// What names this start of the machine, if it is known.
    fn boot_id(&self) -> Option<String>;

    /// A fresh epoch: the time now, and larger than `than` and than every other one that came from here.
    fn new_epoch(&self, than: u64) -> u64;

    /// Where queue directories are.
    fn disk(&self) -> Arc<dyn Disk>;

    /// The addresses that a name stands for.
    fn look_up(&self, host: String, port: u16) -> Later<io::Result<Vec<SocketAddr>>>;

    /// Connects.
    fn connect(&self, endpoint: Endpoint) -> Later<Result<Channel, TransportError>>;
}

/// A random id of 32 hexadecimal digits.
pub(crate) fn random_id(world: &dyn World) -> String {
    format!("{:016x}{:016x}", world.random(), world.random())
}

/// This machine.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct System;

impl World for System {
    #[expect(clippy::disallowed_methods, reason = "the one place of the SDK that reads the wall clock")]
    fn now_ms(&self) -> i64 {
        match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(_) => 0,
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place of the SDK that reads the randomness of the system"
    )]
    fn random(&self) -> u64 {
        let mut bytes = [0; 8];
        match getrandom::fill(&mut bytes) {
            Ok(()) => u64::from_le_bytes(bytes),
            // Should the system have none, the time is enough for ids and jitter.
            Err(_) => self.new_epoch(0).wrapping_mul(SPLIT_MIX_STEP),
        }
    }

    fn boot_id(&self) -> Option<String> {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(id.trim().to_owned()).filter(|id| !id.is_empty())
    }

    fn new_epoch(&self, than: u64) -> u64 {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let least = u64::try_from(self.now_ms()).unwrap_or(0).max(than.saturating_add(1)).max(1);
        let last = LAST
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(least.max(last.saturating_add(1))));
        least.max(last.unwrap_or_default().saturating_add(1))
    }

    fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(disk::System)
    }

    fn look_up(&self, host: String, port: u16) -> Later<io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((&*host, port)).await?.collect()) })
    }

    fn connect(&self, endpoint: Endpoint) -> Later<Result<Channel, TransportError>> {
        Box::pin(async move { endpoint.connect().await })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_rise_even_within_one_millisecond_and_over_a_clock_that_was_set_back() {
        let future = u64::try_from(System.now_ms()).unwrap() + 1_000_000;
        let epochs =
            [System.new_epoch(0), System.new_epoch(0), System.new_epoch(future), System.new_epoch(0)];
        assert!(epochs.is_sorted_by(|a, b| a < b), "{epochs:?}");
        assert!(epochs[2] > future);
    }

    #[test]
    fn ids_differ() {
        assert_ne!(random_id(&System), random_id(&System));
        assert_eq!(random_id(&System).len(), 32);
    }
}
