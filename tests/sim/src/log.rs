//! An event log that several processes share, and that owes what the trait says and not a bit more.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use clock::Clock;
use eventlog::{Chunk, Entry, Error, EventLog, Result};
use model::{Partition, Position, Timestamp};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::dice::{Dice, hash};
use crate::life::Life;

/// What may go wrong with a log that is far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Troubles {
    /// One in so many appends fails, and the record is there not at all, once, or twice; 0 is none.
    pub(crate) failing: u64,
    /// Milliseconds that a call may take.
    pub(crate) slow_ms: u64,
}

/// The records, for all processes.
#[derive(Debug)]
pub(crate) struct Tape {
    partitions: Vec<(Vec<Entry>, watch::Sender<u64>)>,
    pub(crate) dice: Dice,
    pub(crate) troubles: Troubles,
}

impl Tape {
    /// An empty one.
    pub(crate) fn new(partitions: u16, dice: Dice) -> Self {
        let partitions = (0..partitions).map(|_| (Vec::new(), watch::Sender::new(0))).collect();
        Self { partitions, dice, troubles: Troubles::default() }
    }
}

/// The log in the hands of one life of a process.
#[derive(Debug)]
pub(crate) struct SimLog {
    pub(crate) tape: Arc<Mutex<Tape>>,
    pub(crate) life: Arc<Life>,
    pub(crate) clock: Clock,
}

impl SimLog {
    async fn go(&self) {
        self.life.hear().await;
        let wait = {
            let mut tape = self.tape.lock();
            let slow = tape.troubles.slow_ms;
            if slow == 0 { 0 } else { tape.dice.below(slow) }
        };
        if wait > 0 {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            self.life.hear().await;
        }
    }

    fn put(&self, tape: &mut Tape, partition: Partition, record: &Bytes) -> Position {
        let (entries, end) = &mut tape.partitions[usize::from(partition.0)];
        let position = Position::of_entry(entries.len() as u64);
        let appended_at = entries.last().map_or(Timestamp(0), |last| last.appended_at).max(self.clock.now());
        entries.push(Entry { position, appended_at, record: record.clone() });
        end.send_replace(entries.len() as u64);
        position
    }
}

#[async_trait]
impl EventLog for SimLog {
    fn partitions(&self) -> u16 {
        self.tape.lock().partitions.len() as u16
    }

    async fn append(&self, partition: Partition, record: Bytes) -> Result<Position> {
        self.go().await;
        let result = {
            let mut tape = self.tape.lock();
            let failing = tape.troubles.failing;
            if tape.dice.one_in(failing) {
                for _ in 0..tape.dice.below(3) {
                    self.put(&mut tape, partition, &record);
                }
                let why = std::io::Error::other("the simulation lost the answer");
                Err(Error::Io { doing: "append to", place: format!("partition {partition}"), why })
            } else {
                Ok(self.put(&mut tape, partition, &record))
            }
        };
        self.life.done(|| format!("append {:x} to {partition}: {:?}", hash(&record), result.as_ref().ok()));
        self.life.hear().await;
        result
    }

    async fn read(&self, partition: Partition, from: Position, max_bytes: usize) -> Result<Chunk> {
        self.go().await;
        let tape = self.tape.lock();
        let (entries, _) = &tape.partitions[usize::from(partition.0)];
        let mut bytes = 0;
        let entries: Vec<_> = entries
            .iter()
            .skip(from.entry as usize)
            .take_while(|entry| {
                let first = bytes == 0;
                bytes += entry.record.len();
                first || bytes <= max_bytes
            })
            .cloned()
            .collect();
        let next = entries.last().map_or(from, |entry| entry.position.next());
        Ok(Chunk { entries, next })
    }

    async fn wait(&self, partition: Partition, from: Position) -> Result<()> {
        self.life.hear().await;
        let mut end = self.tape.lock().partitions[usize::from(partition.0)].1.subscribe();
        let reached = end.wait_for(|end| *end > from.entry).await;
        reached.map(drop).map_err(|_| Error::Closed)
    }

    async fn first(&self, _: Partition) -> Result<Position> {
        self.life.hear().await;
        Ok(Position::of_entry(0))
    }

    async fn end(&self, partition: Partition) -> Result<Position> {
        self.go().await;
        Ok(Position::of_entry(self.tape.lock().partitions[usize::from(partition.0)].0.len() as u64))
    }

    async fn at_or_after(&self, partition: Partition, time: Timestamp) -> Result<Position> {
        self.go().await;
        let tape = self.tape.lock();
        let (entries, _) = &tape.partitions[usize::from(partition.0)];
        Ok(Position::of_entry(entries.partition_point(|entry| entry.appended_at < time) as u64))
    }

    async fn release(&self, _: Partition, _: Position) -> Result<()> {
        self.life.hear().await;
        Ok(())
    }
}
