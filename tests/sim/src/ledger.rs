//! What the clients did, as they know it themselves. This and the checker share no code with the product.

use std::collections::BTreeMap;

use crate::dice::hash;

/// Merchants of every run. A client with an even number is of the first.
pub(crate) const MERCHANTS: usize = 2;

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
    /// The server's clock, and how many hits of each merchant, that it must count, had been acknowledged by then.
    pub(crate) acknowledged: Vec<(i64, [u64; MERCHANTS])>,
}

impl Ledger {
    /// The path of the page that all hits of one life are of.
    pub(crate) fn page(client: usize, life: usize) -> String {
        format!("/client-{client}/life-{life}")
    }

    /// The lives of a merchant's clients.
    pub(crate) fn lives_of(&self, merchant: usize) -> impl Iterator<Item = (usize, usize, &Lifetime)> {
        let own =
            move |((client, life), lived)| (client % MERCHANTS == merchant).then_some((client, life, lived));
        self.lives.iter().filter_map(move |(&key, lived)| own((key, lived)))
    }

    /// Notes what is acknowledged now.
    pub(crate) fn note(&mut self, at_ms: i64) {
        let mut sums = [0; MERCHANTS];
        for (&(client, _), life) in &self.lives {
            sums[client % MERCHANTS] += taken(&life.tracked[..life.settled]);
        }
        if self.acknowledged.last().is_none_or(|(_, last)| *last != sums) {
            self.acknowledged.push((at_ms, sums));
        }
    }

    /// Hits of a merchant that had been acknowledged when the server's clock showed this time.
    pub(crate) fn acknowledged_by(&self, merchant: usize, time_ms: i64) -> u64 {
        let after = self.acknowledged.partition_point(|(at, _)| *at < time_ms);
        after.checked_sub(1).map_or(0, |last| self.acknowledged[last].1[merchant])
    }

    /// Hits of a merchant that were ever tracked: there can be no more.
    pub(crate) fn tracked(&self, merchant: usize) -> u64 {
        self.lives_of(merchant).map(|(.., life)| taken(&life.tracked)).sum()
    }
}

/// Those that the server takes.
pub(crate) fn taken(hits: &[Tracked]) -> u64 {
    hits.iter().filter(|hit| !hit.refused).count() as u64
}

/// The value of a hit.
pub(crate) fn micros(seed: u64, client: usize, life: usize, number: usize) -> i64 {
    // Below a million euros, far from the limit of a hit.
    (hash(format!("{seed} {client} {life} {number}").as_bytes()) % 1_000_000_000_000) as i64
}
