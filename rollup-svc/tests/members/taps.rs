//! A log and a store that stand between a member and the real ones.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use clock::Clock;
use eventlog::{Chunk, EventLog};
use model::{Partition, Position, Timestamp};
use parking_lot::Mutex;
use store::{Batch, Pair, Snapshot, Store};
use tokio::sync::watch;

/// First byte of the keys of progress records.
const PROGRESS: u8 = 0x12;
/// First bytes of the keys of members.
const MEMBERS: [u8; 2] = [0x16, 1];

/// Notes which records were read.
pub(crate) struct TappedLog {
    pub(crate) inner: Arc<dyn EventLog>,
    pub(crate) seen: Mutex<BTreeSet<(Partition, Position)>>,
    /// Goes on by five seconds before an answer to where the log ends is there.
    pub(crate) clock: Option<Clock>,
}

#[async_trait]
impl EventLog for TappedLog {
    fn partitions(&self) -> u16 {
        self.inner.partitions()
    }
    async fn append(&self, partition: Partition, record: Bytes) -> eventlog::Result<Position> {
        self.inner.append(partition, record).await
    }
    async fn read(&self, partition: Partition, from: Position, max: usize) -> eventlog::Result<Chunk> {
        let chunk = self.inner.read(partition, from, max).await?;
        self.seen.lock().extend(chunk.entries.iter().map(|entry| (partition, entry.position)));
        Ok(chunk)
    }
    async fn wait(&self, partition: Partition, from: Position) -> eventlog::Result<()> {
        self.inner.wait(partition, from).await
    }
    async fn first(&self, partition: Partition) -> eventlog::Result<Position> {
        self.inner.first(partition).await
    }
    async fn end(&self, partition: Partition) -> eventlog::Result<Position> {
        let end = self.inner.end(partition).await;
        if let Some(clock) = &self.clock {
            clock.advance(5_000);
        }
        end
    }
    async fn at_or_after(&self, partition: Partition, time: Timestamp) -> eventlog::Result<Position> {
        self.inner.at_or_after(partition, time).await
    }
    async fn release(&self, partition: Partition, floor: Position) -> eventlog::Result<()> {
        self.inner.release(partition, floor).await
    }
}

/// How a store behaves to its member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    /// These calls wait until it is open, as in a process that sleeps.
    Held {
        reads: bool,
        commits: bool,
    },
    /// Every call fails.
    Away,
    /// Reads of keys of this family fail.
    WithoutFamily(u8),
    /// Members cannot write that they live, or leave.
    WithoutBeats,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Read,
    Commit,
}

/// A store with a gate before it.
pub(crate) struct GatedStore {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) gate: watch::Sender<Gate>,
    /// Commits of cells that wait at the gate.
    pub(crate) waiting: AtomicUsize,
    /// Commits of cells that were refused.
    pub(crate) refused: AtomicUsize,
}

impl GatedStore {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Arc<Self> {
        let gate = watch::Sender::new(Gate::Open);
        Arc::new(Self { inner, gate, waiting: AtomicUsize::new(0), refused: AtomicUsize::new(0) })
    }

    async fn pass(&self, call: Call) -> store::Result<()> {
        let mut gate = self.gate.subscribe();
        let holds = |gate: &Gate| match gate {
            Gate::Held { reads, commits } => {
                if call == Call::Commit {
                    *commits
                } else {
                    *reads
                }
            }
            _ => false,
        };
        match &*gate.wait_for(|gate| !holds(gate)).await.unwrap() {
            Gate::Open | Gate::Held { .. } | Gate::WithoutFamily(_) | Gate::WithoutBeats => Ok(()),
            Gate::Away => Err(unavailable()),
        }
    }
}

fn unavailable() -> store::Error {
    store::Error::Unavailable { doing: "do anything", what: "the test says so".into() }
}

/// A snapshot in which a family cannot be read.
struct Lacking(Box<dyn Snapshot>, u8);

#[async_trait]
impl Snapshot for Lacking {
    async fn get(&self, key: &[u8]) -> store::Result<Option<Bytes>> {
        if key[0] == self.1 { Err(unavailable()) } else { self.0.get(key).await }
    }

    async fn get_many(&self, keys: &[Bytes]) -> store::Result<Vec<Option<Bytes>>> {
        let lacks = keys.iter().any(|key| key[0] == self.1);
        if lacks { Err(unavailable()) } else { self.0.get_many(keys).await }
    }

    async fn scan(&self, start: &[u8], end: &[u8], limit: usize) -> store::Result<Vec<Pair>> {
        if start[0] == self.1 { Err(unavailable()) } else { self.0.scan(start, end, limit).await }
    }
}

#[async_trait]
impl Store for GatedStore {
    async fn snapshot(&self) -> store::Result<Box<dyn Snapshot>> {
        self.pass(Call::Read).await?;
        let snapshot = self.inner.snapshot().await?;
        match *self.gate.borrow() {
            Gate::WithoutFamily(family) => Ok(Box::new(Lacking(snapshot, family))),
            _ => Ok(snapshot),
        }
    }

    async fn commit(&self, batch: Batch) -> store::Result<()> {
        let of_cells = batch.requires.iter().any(|require| require.key[0] == PROGRESS);
        self.waiting.fetch_add(of_cells.into(), Ordering::SeqCst);
        let passed = self.pass(Call::Commit).await;
        self.waiting.fetch_sub(of_cells.into(), Ordering::SeqCst);
        passed?;
        let of_members = batch.writes.iter().any(|write| write.key().starts_with(&MEMBERS));
        if of_members && *self.gate.borrow() == Gate::WithoutBeats {
            return Err(unavailable());
        }
        let result = self.inner.commit(batch).await;
        self.refused.fetch_add((of_cells && result.is_err()).into(), Ordering::SeqCst);
        result
    }

    async fn sync(&self) -> store::Result<()> {
        self.pass(Call::Commit).await?;
        self.inner.sync().await
    }
}

/// Everything in some families, by key.
pub(crate) async fn dump(store: &dyn Store, family: u8) -> Vec<Pair> {
    store.snapshot().await.unwrap().scan(&[family], &[family + 1], 1_000_000).await.unwrap()
}
