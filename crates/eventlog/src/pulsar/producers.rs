//! Appending: one producer for each partition, made when it is first needed.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ::pulsar::producer::{Message, SendFuture};
use ::pulsar::{Producer, ProducerOptions, TokioExecutor};
use bytes::Bytes;
use model::Position;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::admin::failed;
use super::link::{Client, io_error, timed_out, to_its_end};
use crate::{Error, Result};

/// The way of the records to the brokers.
pub(super) struct Producers {
    client: Client,
    limit: Duration,
    room: Arc<Semaphore>,
    max_queued_bytes: u32,
    slots: Vec<Slot>,
}

struct Slot {
    topic: String,
    // The lock's queue is the order of the partition: whoever has it hands its message over and lets go.
    producer: Mutex<Made>,
}

#[derive(Default)]
struct Made {
    /// Counts the producers that were given up.
    age: u64,
    producer: Option<Producer<TokioExecutor>>,
}

/// Why a message was not taken.
enum Failure {
    /// In time it may be.
    Now(io::Error),
    /// The time is over.
    Late,
}

impl Producers {
    pub(super) fn new(client: Client, limit: Duration, max_queued_bytes: usize, topics: Vec<String>) -> Self {
        let max_queued_bytes =
            max_queued_bytes.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize)) as u32;
        let room = Arc::new(Semaphore::new(max_queued_bytes as usize));
        let slots = topics.into_iter().map(|topic| Slot { topic, producer: Mutex::default() }).collect();
        Self { client, limit, room, max_queued_bytes, slots }
    }

    /// Sends a record until its receipt is here or the time is over.
    pub(super) async fn append(&self, partition: u16, record: Bytes) -> Result<Position> {
        let slot = &self.slots[usize::from(partition)];
        let deadline = Instant::now() + self.limit;
        let late = || failed("append to", &slot.topic, timed_out(self.limit));
        // A record larger than the whole queue takes all of it. The empty one takes a byte, so that it is bounded too.
        let share = (record.len() as u32).clamp(1, self.max_queued_bytes);
        let room = timeout_at(deadline, Arc::clone(&self.room).acquire_many_owned(share)).await;
        let room = Arc::new(room.map_err(|_| late())?.map_err(|_| Error::Closed)?);
        self.queued();
        let mut pause = Duration::from_millis(50);
        loop {
            let why = match self.send(slot, &record, &room, deadline).await {
                Ok(position) => {
                    drop(room);
                    self.queued();
                    return Ok(position);
                }
                Err(Failure::Late) => return Err(late()),
                Err(Failure::Now(why)) => why,
            };
            if Instant::now() + pause >= deadline {
                return Err(failed("append to", &slot.topic, why));
            }
            tracing::debug!(topic = slot.topic, "an append is tried again: {why}");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    async fn send(
        &self,
        slot: &Slot,
        record: &Bytes,
        room: &Arc<OwnedSemaphorePermit>,
        deadline: Instant,
    ) -> std::result::Result<Position, Failure> {
        let (age, receipt) = timeout_at(deadline, self.hand_over(slot, record))
            .await
            .map_err(|_| Failure::Late)?
            .map_err(Failure::Now)?;
        // The client keeps the record until it has a receipt or gives up, also when nobody waits for that any more.
        let room = Arc::clone(room);
        let receipt = tokio::spawn(async move {
            let receipt = receipt.await;
            drop(room);
            receipt
        });
        let receipt = match timeout_at(deadline, receipt).await {
            Err(_) => return Err(Failure::Late),
            Ok(Err(stopped)) => return Err(Failure::Now(io::Error::other(stopped))),
            Ok(Ok(Ok(receipt))) => receipt,
            Ok(Ok(Err(error))) => {
                // The client repairs what it can by itself. What it reports is beyond that: a new producer.
                let mut made = slot.producer.lock().await;
                if made.age == age {
                    *made = Made { age: age + 1, producer: None };
                }
                return Err(Failure::Now(io_error(error)));
            }
        };
        match receipt.message_id {
            Some(id) if id.ledger_id != u64::MAX => Ok(Position { ledger: id.ledger_id, entry: id.entry_id }),
            _ => Err(Failure::Now(io::Error::other(
                "the broker took the record for a duplicate and does not say where it is: deduplication must be off",
            ))),
        }
    }

    /// Puts a message into the client's queue.
    async fn hand_over(&self, slot: &Slot, record: &Bytes) -> io::Result<(u64, SendFuture)> {
        let mut made = slot.producer.lock().await;
        let age = made.age;
        let producer = match &mut made.producer {
            Some(producer) => producer,
            none => {
                let options = ProducerOptions { block_queue_if_full: true, ..ProducerOptions::default() };
                let builder = self.client.producer().with_topic(&slot.topic).with_options(options);
                none.insert(to_its_end(self.limit, builder.build()).await?)
            }
        };
        let message = Message { payload: record.to_vec(), ..Message::default() };
        let receipt = producer.send_non_blocking(message).await.map_err(io_error)?;
        Ok((age, receipt))
    }

    fn queued(&self) {
        let queued = self.max_queued_bytes as usize - self.room.available_permits();
        metrics::gauge!("hitmill_log_queue_bytes").set(queued as f64);
    }
}
