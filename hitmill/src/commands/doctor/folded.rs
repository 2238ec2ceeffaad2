use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::Context as _;
use bytes::Bytes;
use keyspace::checkpoint::{self, Checkpoint};
use keyspace::progress::{self, Progress};
use keyspace::{after, folded};
use model::{Generation, Partition, Position};
use store::Store;

const PAGE: usize = 10_000;

/// How far a store says that the log was folded. Of the embedded log: only its positions are numbers of records.
#[derive(Debug, Default)]
pub(super) struct Folded {
    /// Where the worker of a partition goes on.
    read_from: BTreeMap<Partition, u64>,
    /// Before which record all is in the cells of some merchant.
    applied: BTreeMap<Partition, u64>,
    /// The newest generation of cells that is known of.
    pub(super) newest: Option<Generation>,
}

impl Folded {
    #[cfg(test)]
    pub(super) fn at(partition: Partition, read_from: u64, before: u64) -> Self {
        let (read_from, applied) = ([(partition, read_from)].into(), [(partition, before)].into());
        Self { read_from, applied, newest: None }
    }

    pub(super) async fn of(store: &dyn Store) -> anyhow::Result<Self> {
        let mut folded = Self::default();
        let newest = folded::newest_key();
        for range in [progress::all(), checkpoint::range(), newest.clone()..after(&newest)] {
            each(store, range, |key, value| folded.note(key, value)).await?;
        }
        Ok(folded)
    }

    /// Takes up what a value says, if it says anything and can be read.
    pub(super) fn note(&mut self, key: &[u8], value: &[u8]) {
        let generation = if let Some(generation) = progress::generation_of(key) {
            self.note_progress(key, value);
            Some(generation)
        } else if let Some(partition) = checkpoint::partition_of(key) {
            self.note_checkpoint(partition, value)
        } else if key == folded::newest_key() {
            folded::decode_newest(value).ok()
        } else {
            None
        };
        self.newest = self.newest.max(generation);
    }

    fn note_progress(&mut self, key: &[u8], value: &[u8]) {
        if let (Some(partition), Ok(Progress { applied_through: Position { ledger: 0, entry }, .. })) =
            (progress::partition_of(key), Progress::decode(value))
        {
            let applied = self.applied.entry(partition).or_default();
            *applied = (*applied).max(entry + 1);
        }
    }

    fn note_checkpoint(&mut self, partition: Partition, value: &[u8]) -> Option<Generation> {
        let checkpoint = Checkpoint::decode(value).ok()?;
        if checkpoint.read_from.ledger == 0 {
            self.read_from.insert(partition, checkpoint.read_from.entry);
        }
        Some(checkpoint.generation)
    }

    /// Where the worker of a partition goes on, if it was ever folded.
    pub(super) fn read_from(&self, partition: Partition) -> Option<u64> {
        self.read_from.get(&partition).copied()
    }

    /// Before which record something of a partition is folded.
    pub(super) fn before(&self, partition: Partition) -> u64 {
        let applied = self.applied.get(&partition).copied().unwrap_or_default();
        applied.max(self.read_from(partition).unwrap_or_default())
    }

    /// How many partitions it knows of.
    pub(super) fn partitions(&self) -> u16 {
        let last = self.read_from.keys().chain(self.applied.keys()).max();
        last.map_or(0, |last| last.0.saturating_add(1))
    }
}

/// Gives what a store has in a range of keys to `note`.
pub(super) async fn each(
    store: &dyn Store,
    range: Range<Bytes>,
    mut note: impl FnMut(&[u8], &[u8]),
) -> anyhow::Result<()> {
    let mut start = range.start;
    loop {
        let page = store.snapshot().await?.scan(&start, &range.end, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        start = after(last);
        page.iter().for_each(|(key, value)| note(key, value));
    }
}

/// Notes the newest generation in a store that was made anew, so that no number of one that readers have seen is given again.
pub(super) async fn note_newest(store: &dyn Store, newest: Generation) -> anyhow::Result<()> {
    let mut batch = store::Batch::durable();
    batch.put(folded::newest_key(), folded::encode_newest(newest));
    store.commit(batch).await.context("note the newest generation")
}
