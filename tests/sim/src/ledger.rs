//! What the clients did, as they know it themselves. This and the checker share no code with the product.

use std::collections::BTreeMap;

use crate::dice::hash;

/// A hit, which follows from the seed, its client, the client's life, and its number in that life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tracked {
    /// When it happened; milliseconds since 1970.
    pub(crate) time_ms: i64,
    /// Whether the server must refuse it: it is of the far future or of long ago.
    pub(crate) refused: bool,
    /// Whether it is a purchase.
    pub(crate) purchase: bool,
    /// Millionths of a euro: no two hits have the same, so that a loss and a duplicate cannot make up for each other.
    pub(crate) micros: i64,
}

/// One life of a client: what it tracked, and how much of it was settled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lifetime {
    /// In order.
    pub(crate) tracked: Vec<Tracked>,
    /// So many of them, the first ones, were acknowledged or refused: all that the client may rely on.
    pub(crate) settled: usize,
    /// The client flushed everything in the end.
    pub(crate) flushed: bool,
}

/// All lives of all clients.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// By client and life.
    pub(crate) lives: BTreeMap<(usize, usize), Lifetime>,
    /// The server's clock, and how many hits that it must count had been acknowledged by then.
    pub(crate) acknowledged: Vec<(i64, u64)>,
}

impl Ledger {
    /// The path of the page that all hits of one life are of.
    pub(crate) fn page(client: usize, life: usize) -> String {
        format!("/client-{client}/life-{life}")
    }

    /// Hits that were acknowledged so far and must be counted.
    pub(crate) fn acknowledged(&self) -> u64 {
        let of = |life: &Lifetime| life.tracked[..life.settled].iter().filter(|hit| !hit.refused).count();
        self.lives.values().map(|life| of(life) as u64).sum()
    }

    /// Hits that had been acknowledged when the server's clock showed this time.
    pub(crate) fn acknowledged_by(&self, time_ms: i64) -> u64 {
        let after = self.acknowledged.partition_point(|(at, _)| *at < time_ms);
        after.checked_sub(1).map_or(0, |last| self.acknowledged[last].1)
    }
}

/// The value of a hit.
pub(crate) fn micros(seed: u64, client: usize, life: usize, number: usize) -> i64 {
    // Below a million euros, far from the limit of a hit.
    (hash(format!("{seed} {client} {life} {number}").as_bytes()) % 1_000_000_000_000) as i64
}
