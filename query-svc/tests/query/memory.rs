//! A store and a log in memory, as simple as their traits allow.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use eventlog::{Chunk, Entry, EventLog};
use model::{Partition, Position, Timestamp};
use parking_lot::Mutex;
use store::{Batch, Pair, Snapshot, Store, Write};

#[derive(Clone, Default)]
pub(crate) struct MemoryStore(Arc<Inner>);

#[derive(Default)]
struct Inner {
    pairs: Mutex<Arc<BTreeMap<Bytes, Bytes>>>,
    scans: Arc<AtomicUsize>,
}

struct View {
    pairs: Arc<BTreeMap<Bytes, Bytes>>,
    scans: Arc<AtomicUsize>,
}

impl MemoryStore {
    /// How many scans there were.
    pub(crate) fn scans(&self) -> usize {
        self.0.scans.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn snapshot(&self) -> store::Result<Box<dyn Snapshot>> {
        Ok(Box::new(View { pairs: self.0.pairs.lock().clone(), scans: self.0.scans.clone() }))
    }

    async fn commit(&self, batch: Batch) -> store::Result<()> {
        assert!(batch.requires.is_empty(), "tests write without conditions");
        let mut pairs = self.0.pairs.lock();
        let pairs = Arc::make_mut(&mut pairs);
        for write in batch.writes {
            match write {
                Write::Put(key, value) => drop(pairs.insert(key, value)),
                Write::Delete(key) => drop(pairs.remove(&key)),
            }
        }
        Ok(())
    }

    async fn sync(&self) -> store::Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Snapshot for View {
    async fn get(&self, key: &[u8]) -> store::Result<Option<Bytes>> {
        Ok(self.pairs.get(key).cloned())
    }

    async fn get_many(&self, keys: &[Bytes]) -> store::Result<Vec<Option<Bytes>>> {
        Ok(keys.iter().map(|key| self.pairs.get(key).cloned()).collect())
    }

    async fn scan(&self, start: &[u8], end: &[u8], limit: usize) -> store::Result<Vec<Pair>> {
        self.scans.fetch_add(1, Ordering::SeqCst);
        // A read takes time: without this nothing else would ever run beside it.
        tokio::task::yield_now().await;
        let range = (std::ops::Bound::Included(start), std::ops::Bound::Excluded(end));
        let found = self.pairs.range::<[u8], _>(range).take(limit);
        Ok(found.map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

/// Partitions of records, each with the time at which it was appended.
pub(crate) struct MemoryLog {
    partitions: Vec<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    first: u64,
    records: Vec<(Timestamp, Bytes)>,
}

impl MemoryLog {
    pub(crate) fn new(partitions: u16) -> Self {
        Self { partitions: (0..partitions).map(|_| Mutex::default()).collect() }
    }

    /// Appends a record at a time.
    pub(crate) fn put(&self, partition: Partition, at: Timestamp, record: Bytes) -> Position {
        let mut kept = self.partitions[usize::from(partition.0)].lock();
        kept.records.push((at, record));
        Position::of_entry(kept.first + kept.records.len() as u64 - 1)
    }

    /// Deletes the oldest record.
    pub(crate) fn forget_first(&self, partition: Partition) {
        let mut kept = self.partitions[usize::from(partition.0)].lock();
        kept.records.remove(0);
        kept.first += 1;
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    fn partitions(&self) -> u16 {
        self.partitions.len() as u16
    }

    async fn append(&self, _: Partition, _: Bytes) -> eventlog::Result<Position> {
        Err(eventlog::Error::Closed)
    }

    async fn read(&self, partition: Partition, from: Position, _: usize) -> eventlog::Result<Chunk> {
        let kept = self.partitions[usize::from(partition.0)].lock();
        if from.entry < kept.first {
            let first = Position::of_entry(kept.first);
            return Err(eventlog::Error::Gone { partition, asked: from, first });
        }
        // One record at a time, so that a reader has to read on.
        let next = kept.records.get((from.entry - kept.first) as usize);
        let entry =
            next.map(|(at, record)| Entry { position: from, appended_at: *at, record: record.clone() });
        let next = if entry.is_some() { from.next() } else { from };
        Ok(Chunk { entries: entry.into_iter().collect(), next })
    }

    async fn wait(&self, _: Partition, _: Position) -> eventlog::Result<()> {
        Err(eventlog::Error::Closed)
    }

    async fn first(&self, partition: Partition) -> eventlog::Result<Position> {
        Ok(Position::of_entry(self.partitions[usize::from(partition.0)].lock().first))
    }

    async fn end(&self, partition: Partition) -> eventlog::Result<Position> {
        let kept = self.partitions[usize::from(partition.0)].lock();
        Ok(Position::of_entry(kept.first + kept.records.len() as u64))
    }

    async fn at_or_after(&self, _: Partition, _: Timestamp) -> eventlog::Result<Position> {
        Err(eventlog::Error::Closed)
    }

    async fn release(&self, _: Partition, _: Position) -> eventlog::Result<()> {
        Err(eventlog::Error::Closed)
    }
}
