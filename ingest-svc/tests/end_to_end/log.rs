//! The embedded log with a tap: it can be slow, or full.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use eventlog::embedded::{EmbeddedLog, Settings};
use eventlog::{Chunk, Error, EventLog, Result};
use keyspace::record::{Entry, RefusedEntry, read};
use model::{Lane, Partition, Position, Timestamp};
use prost::Message;
use proto::v1::Batch;
use proto::wire::BatchRef;
use tokio::sync::{Mutex, watch};

pub(crate) const PARTITIONS: u16 = 4;

pub(crate) struct TappedLog {
    log: EmbeddedLog,
    /// How many more appends go on before they wait.
    open_for: watch::Sender<usize>,
    full: AtomicBool,
    waiting: AtomicBool,
    /// Appends that waited go on in the order in which they came, as with the log itself.
    turn: Mutex<()>,
}

/// A batch as it was found in the log.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) partition: u16,
    pub(crate) client_id: String,
    pub(crate) lane: Lane,
    pub(crate) batch: Batch,
    /// Seqs of the accepted hits.
    pub(crate) seqs: Vec<u64>,
}

impl TappedLog {
    pub(crate) fn open(directory: &std::path::Path) -> Arc<Self> {
        let settings = Settings { partitions: PARTITIONS, ..Settings::default() };
        let log = EmbeddedLog::open(directory, &settings, || Timestamp(0)).unwrap();
        Arc::new(Self {
            log,
            open_for: watch::Sender::new(usize::MAX),
            full: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
            turn: Mutex::default(),
        })
    }

    /// Appends wait from now on, or go on.
    pub(crate) fn close(&self, closed: bool) {
        self.open_for.send_replace(if closed { 0 } else { usize::MAX });
    }

    /// So many appends go on, then they wait again.
    pub(crate) fn let_through(&self, appends: usize) {
        self.open_for.send_replace(appends);
    }

    /// Appends fail from now on, or work again.
    pub(crate) fn fill(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    /// Whether an append came while it was closed.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.waiting.load(Ordering::SeqCst)
    }

    async fn entries(&self) -> Vec<(u16, Bytes)> {
        let mut out = Vec::new();
        for partition in 0..PARTITIONS {
            let mut from = Position::START;
            loop {
                let chunk = self.log.read(Partition(partition), from, 1 << 20).await.unwrap();
                if chunk.entries.is_empty() {
                    break;
                }
                from = chunk.next;
                out.extend(chunk.entries.into_iter().map(|entry| (partition, entry.record)));
            }
        }
        out
    }

    /// How many records there are.
    pub(crate) async fn records(&self) -> usize {
        self.entries().await.len()
    }

    /// All batches, by partition and in order.
    pub(crate) async fn batches(&self) -> Vec<Found> {
        let mut out = Vec::new();
        for (partition, record) in self.entries().await {
            for entry in read(&record).unwrap() {
                let Entry::Batch(entry) = entry.unwrap() else { continue };
                let own = BatchRef::parse(entry.batch).unwrap().client_id;
                let batch = Batch::decode(entry.batch).unwrap();
                let refused: Vec<_> = entry.refused.iter().map(|(index, _)| u64::from(index)).collect();
                let all = 0..batch.hits.len() as u64;
                let accepted = all.filter(|index| !refused.contains(index));
                out.push(Found {
                    partition,
                    client_id: if own.is_empty() { entry.client_id } else { own }.to_owned(),
                    lane: entry.lane,
                    seqs: accepted.map(|index| batch.first_seq + index).collect(),
                    batch,
                });
            }
        }
        out
    }

    /// Seqs of all accepted hits of a client, in the order of the log.
    pub(crate) async fn seqs(&self, client_id: &str) -> Vec<u64> {
        let batches = self.batches().await;
        batches
            .into_iter()
            .filter(|found| found.client_id == client_id)
            .flat_map(|found| found.seqs)
            .collect()
    }

    /// What was refused without a trace but its number.
    pub(crate) async fn refused(&self) -> Vec<RefusedEntry> {
        let mut out = Vec::new();
        for (_, record) in self.entries().await {
            for entry in read(&record).unwrap() {
                if let Entry::Refused(entry) = entry.unwrap() {
                    out.push(entry);
                }
            }
        }
        out
    }
}

#[async_trait]
impl EventLog for TappedLog {
    fn partitions(&self) -> u16 {
        self.log.partitions()
    }

    async fn append(&self, partition: Partition, record: Bytes) -> Result<Position> {
        self.waiting.store(*self.open_for.borrow() == 0, Ordering::SeqCst);
        let turn = self.turn.lock().await;
        let _ = self.open_for.subscribe().wait_for(|appends| *appends > 0).await;
        self.open_for.send_modify(|appends| *appends = appends.saturating_sub(1));
        drop(turn);
        if self.full.load(Ordering::SeqCst) {
            let why = std::io::ErrorKind::StorageFull.into();
            return Err(Error::Io { doing: "append to", place: "a full disk".to_owned(), why });
        }
        self.log.append(partition, record).await
    }

    async fn read(&self, partition: Partition, from: Position, max_bytes: usize) -> Result<Chunk> {
        self.log.read(partition, from, max_bytes).await
    }

    async fn wait(&self, partition: Partition, from: Position) -> Result<()> {
        self.log.wait(partition, from).await
    }

    async fn first(&self, partition: Partition) -> Result<Position> {
        self.log.first(partition).await
    }

    async fn end(&self, partition: Partition) -> Result<Position> {
        self.log.end(partition).await
    }

    async fn at_or_after(&self, partition: Partition, time: Timestamp) -> Result<Position> {
        self.log.at_or_after(partition, time).await
    }

    async fn release(&self, partition: Partition, floor: Position) -> Result<()> {
        self.log.release(partition, floor).await
    }
}
