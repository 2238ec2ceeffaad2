//! Folding all of the log again, from its start, into a new generation: for when cells were lost, or cannot be trusted.
//!
//! One commit gives every partition a checkpoint at the log's start and the next generation. Workers require their
//! checkpoint, so each finds out with its next commit and begins again there; readers see the new generation from that
//! commit on, and `complete_until` says how far it is. What the old generation left is deleted afterwards: nobody reads it.

use eventlog::EventLog;
use keyspace::checkpoint::{self, Checkpoint};
use keyspace::{after, folded};
use model::{Generation, MerchantId, Partition, Position, Timestamp};
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
        let checkpoint = checkpoint.map_err(|why| {
            let place = format!("the checkpoint of partition {partition}");
            Error::Malformed { place, why }
        })?;
        places.push(Place { partition, checkpoint, first: log.first(partition).await? });
    }
    Ok(places)
}

/// Begins the next generation at the start of the log. Fails with a conflict only if somebody else did so at the same time:
/// what workers commit meanwhile is in the way of nothing, since they require the checkpoints that this replaces.
pub async fn begin(store: &dyn Store, places: &[Place]) -> Result<Generation> {
    let key = folded::newest_key();
    let found = store.get(&key).await?;
    let newest = found.as_deref().map(folded::decode_newest).transpose();
    let newest = newest
        .map_err(|why| Error::Malformed { place: "the number of the newest generation".to_owned(), why })?;
    let generation = Generation(newest.unwrap_or(Generation::FIRST).0 + 1);
    let mut batch = Batch::durable();
    batch.require(key.clone(), found).put(key, folded::encode_newest(generation));
    for place in places {
        let checkpoint = Checkpoint { read_from: place.first, complete_until: Timestamp(0), generation };
        batch.put(checkpoint::key(place.partition), checkpoint.encode());
    }
    store.commit(batch).await?;
    Ok(generation)
}

/// Deletes what a merchant has of generations before the live one; says how many keys that were.
pub async fn sweep(
    store: &dyn Store,
    merchant: MerchantId,
    partitions: impl Iterator<Item = Partition>,
    live: Generation,
) -> Result<u64> {
    let mut gone = 0;
    for range in folded::before(merchant, partitions, live) {
        let mut start = range.start;
        loop {
            // A snapshot for each page: one that lives for long would keep what is deleted from being cleared away.
            let page = store.snapshot().await?.scan(&start, &range.end, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            start = after(last);
            let mut batch = Batch::default();
            page.iter().for_each(|(key, _)| {
                batch.delete(key.clone());
            });
            gone += page.len() as u64;
            store.commit(batch).await?;
        }
    }
    Ok(gone)
}
