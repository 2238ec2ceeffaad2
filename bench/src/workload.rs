//! The hits: the same for the same seed, byte for byte, with the distributions of the workload that other systems were
//! measured on (docs/performance.md).

mod encode;
mod facts;
mod generator;
mod tally;
mod words;

pub use generator::{Frame, Generator};
pub use tally::{Counts, Tally};

/// What is generated. The same workload gives the same bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Everything random follows from it.
    pub seed: u64,
    /// Merchants, by Zipf's law with exponent 1.1.
    pub merchants: u32,
    /// Clients, each as likely as any other, at every merchant.
    pub clients: u32,
    /// Bytes that a hit takes in its encoded batch, with its share of what its batch says once.
    pub hit_bytes: usize,
    /// Consecutive hits of one client in each batch.
    pub batch_hits: u32,
    /// The epoch of all clients: when the run began, in milliseconds since 1970.
    pub epoch: u64,
    /// When the first hit happened, in milliseconds since 1970.
    pub first_ms: i64,
    /// Nanoseconds from each hit to the next.
    pub step_ns: u64,
}

/// Clients of the common workload.
pub const CLIENTS: u32 = 200_000;
/// Merchants of the common workload.
pub const MERCHANTS: u32 = 1_000;
