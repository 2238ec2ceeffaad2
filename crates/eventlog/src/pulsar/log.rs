use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use model::{Partition, Position, Timestamp};

use super::Settings;
use super::admin::Admin;
use super::link::{self, Link};
use super::part::Part;
use super::producers::Producers;
use super::setup::prepare;
use crate::{Chunk, Error, EventLog, MAX_RECORD_BYTES, Result};

/// The event log in Apache Pulsar: the partitioned topic `hits` of a namespace.
///
/// * **A record is a message**, and its position is the message's ledger and entry. Any number of processes append and
///   read; the broker that owns the partition puts them in order.
/// * **At least once.** When a connection is lost before the receipt came, the record is sent again: if the broker had it
///   already, it is in the log twice, and `append` gives the later position. An append that failed may have left its
///   record in the log, too. Without a failure of a broker or of the network every record is there once. Whoever
///   folds the log drops what comes twice by the hits' own numbers.
/// * **No gaps.** A reader goes from one record to the next only if they are neighbours, or the list of ledgers shows that
///   nothing is between them. What is listed but not delivered, as when tiered storage is away, is a failure after the
///   time limit, never the end of the log. Only at [`Position::START`], which asks for whatever is the oldest, the log
///   cannot know whether there was more before it.
/// * **Retention is the operator's.** It is set to unlimited when the log is opened; nothing is ever deleted by hitmill, so
///   [`release`](EventLog::release) has nothing to do. Old ledgers go to tiered storage instead.
/// * **Times are those of the clocks of those who append**, and each reader sees them rise only.
///   [`at_or_after`](EventLog::at_or_after) is exact as long as these clocks agree within a second.
pub struct PulsarLog {
    producers: Producers,
    parts: Arc<Vec<Part>>,
}

impl PulsarLog {
    /// Opens the log, and makes the namespace and the topic if they are not there. Waits for brokers that are starting.
    pub async fn open(settings: &Settings) -> Result<Self> {
        settings.check()?;
        let admin = Admin::new(settings)?;
        let partitions = prepare(&admin, settings).await?;
        let client = link::connect(settings).await?;
        let limit = Duration::from_millis(settings.timeout_ms);
        let link = Arc::new(Link { admin, client: client.clone(), limit });
        let parts: Vec<_> = (0..partitions)
            .map(|number| Part::new(Arc::clone(&link), Partition(number), &settings.namespace))
            .collect();
        let topics = parts.iter().map(|part| part.topic().to_owned()).collect();
        let producers = Producers::new(client, limit, settings.max_queued_bytes, topics);
        let parts = Arc::new(parts);
        tokio::spawn(sweep(Arc::downgrade(&parts)));
        Ok(Self { producers, parts })
    }

    fn part(&self, partition: Partition) -> Result<&Part> {
        let missing = Error::NoPartition { asked: partition, partitions: self.partitions() };
        self.parts.get(usize::from(partition.0)).ok_or(missing)
    }
}

#[async_trait]
impl EventLog for PulsarLog {
    fn partitions(&self) -> u16 {
        self.parts.len() as u16
    }

    async fn append(&self, partition: Partition, record: Bytes) -> Result<Position> {
        self.part(partition)?;
        if record.len() > MAX_RECORD_BYTES {
            return Err(Error::TooLarge { bytes: record.len(), limit: MAX_RECORD_BYTES });
        }
        self.producers.append(partition.0, record).await
    }

    async fn read(&self, partition: Partition, from: Position, max_bytes: usize) -> Result<Chunk> {
        self.part(partition)?.read(from, max_bytes).await
    }

    async fn wait(&self, partition: Partition, from: Position) -> Result<()> {
        self.part(partition)?.wait(from).await
    }

    async fn first(&self, partition: Partition) -> Result<Position> {
        self.part(partition)?.first().await
    }

    async fn end(&self, partition: Partition) -> Result<Position> {
        self.part(partition)?.end().await
    }

    async fn at_or_after(&self, partition: Partition, time: Timestamp) -> Result<Position> {
        self.part(partition)?.at_or_after(time).await
    }

    async fn release(&self, partition: Partition, _: Position) -> Result<()> {
        self.part(partition).map(|_| ())
    }
}

/// Closes idle readers for as long as the log is there.
async fn sweep(parts: Weak<Vec<Part>>) {
    const INTERVAL: Duration = Duration::from_secs(10);
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Some(parts) = parts.upgrade() else { return };
        for part in parts.iter() {
            part.sweep(Instant::now());
        }
    }
}
