//! Folding all of the log again, from its start, into a new generation: for when cells were lost, or cannot be trusted.
//!
//! One commit gives every partition a checkpoint at the log's start and the next generation. Workers require their
//! checkpoint, so each finds out with its next commit and begins again there; readers see the new generation from that
//! commit on, and `complete_until` says how far it is. What the old generation left is deleted afterwards: nobody reads it.

use eventlog::EventLog;
use keyspace::checkpoint::{self, Checkpoint};
use keyspace::{after, folded};
use model::{Generation, Partition, Position, Timestamp};
use store::{Batch, Store};

use crate::error::{Error, Result};

/// Keys looked at, and deleted, at a time.
const PAGE: usize = 1_000;

/// Where a partition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The partition.
    pub partition: Partition,
    /// What is folded of it, if anything is.
    pub checkpoint: Option<Checkpoint>,
    /// Where the fold would begin again.
    pub first: Position,
}

/// Where every partition stands.
pub async fn places(store: &dyn Store, log: &dyn EventLog) -> Result<Vec<Place>> {
    let partitions: Vec<_> = (0..log.partitions()).map(Partition).collect();
    let keys: Vec<_> = partitions.iter().copied().map(checkpoint::key).collect();
    let found = store.snapshot().await?.get_many(&keys).await?;
    let mut places = Vec::with_capacity(partitions.len());
    for (partition, value) in partitions.into_iter().zip(found) {
        let checkpoint = value.as_deref().map(Checkpoint::decode).transpose();
        let checkpoint = checkpoint.map_err(|source| {
            let place = format!("the checkpoint of partition {partition}");
            Error::Malformed { place, source }
        })?;
        places.push(Place { partition, checkpoint, first: log.first(partition).await? });
    }
    Ok(places)
}

/// Begins the next generation at the start of the log; fails with a conflict if a worker went on since the `places` were
/// read, which the caller tries again.
pub async fn begin(store: &dyn Store, places: &[Place]) -> Result<Generation> {
    let generations = places.iter().filter_map(|place| place.checkpoint).map(|known| known.generation);
    let generation = Generation(generations.max().unwrap_or(Generation::FIRST).0 + 1);
    let mut batch = Batch::durable();
    for place in places {
        let (key, before) = (checkpoint::key(place.partition), place.checkpoint);
        let checkpoint = Checkpoint { read_from: place.first, complete_until: Timestamp(0), generation };
        batch.require(key.clone(), before.map(|known| known.encode())).put(key, checkpoint.encode());
    }
    store.commit(batch).await?;
    Ok(generation)
}

/// Deletes what older generations left, and tells now and then how many keys are gone.
pub async fn sweep(store: &dyn Store, live: Generation, mut tell: impl FnMut(u64)) -> Result<u64> {
    let range = folded::range();
    let (mut start, mut gone) = (range.start, 0);
    loop {
        // A snapshot for each page: one that lives for long would keep what is deleted from being cleared away.
        let page = store.snapshot().await?.scan(&start, &range.end, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(gone) };
        start = after(last);
        let mut batch = Batch::default();
        let old = |key: &[u8]| folded::generation_of(key).is_some_and(|generation| generation < live);
        for (key, _) in page.iter().filter(|(key, _)| old(key)) {
            batch.delete(key.clone());
        }
        if !batch.is_empty() {
            gone += batch.writes.len() as u64;
            store.commit(batch).await?;
            tell(gone);
        }
    }
}
