use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message as _;
use proto::v1::{self, Codec, RefusalReason};
use tokio::sync::{Semaphore, watch};

use crate::core::sender::SenderCore;
use crate::core::{Core as _, Flush};
use crate::shared::Shared;
use crate::{Hit, SendError, Stats, wire};

mod builder;
mod port;

pub use builder::SenderBuilder;

/// Hits that a batch may have, by the contract.
const BATCH_HITS: usize = 2_500;
/// Bytes that a batch may have, and what is around its hits.
const BATCH_BYTES: usize = (512 << 10) + 1_024;

/// Sends the batches of many clients over one stream: for importers, for shops' back ends, and for load generators.
/// Unlike a [`Client`](crate::Client) it waits when the server is slow, and it leaves the seqs to its caller, who can
/// read its source again. Cheap to clone; all clones are the same sender.
#[derive(Clone)]
pub struct Sender(Arc<Inner>);

struct Inner {
    shared: Arc<Shared<SenderCore>>,
    /// Bytes that may still be queued. Closed when the server said no for good.
    memory: Arc<Semaphore>,
    memory_bytes: usize,
    flush_timeout: Option<Duration>,
    codec: Codec,
    ended: watch::Receiver<()>,
}

/// Consecutive hits of one client.
///
/// Seqs are counted from `first_seq`: each hit adds its `skipped` to the count, takes the count as its own seq, and then
/// adds one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientBatch {
    /// The client, at most 256 bytes.
    pub client_id: String,
    /// Its epoch: seqs rise within it. Not 0.
    pub epoch: u64,
    /// Seq of the first hit, from 1.
    pub first_seq: u64,
    /// Facts shared by all hits of the batch.
    pub context: Option<v1::Context>,
    /// The hits, at most 2,500 and 512 KiB.
    pub hits: Vec<Hit>,
}

/// A hit that was not taken, or a batch. Sending it again as it is will fail again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The client it came from.
    pub client_id: String,
    /// Its epoch.
    pub epoch: u64,
    /// Its seq; 0 if it cannot be told.
    pub seq: u64,
    /// How many hits this stands for: 1; more where a batch was refused as a whole, or where there were too many to list
    /// (then without client and seq); 0 if it cannot be told.
    pub hits: u64,
    /// Why.
    pub reason: RefusalReason,
    /// The value at fault and what is allowed.
    pub message: String,
}

/// A frame that is durable at the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameAck {
    /// Its hits, those included that were refused.
    pub hits: u64,
    /// Bytes of its batches.
    pub bytes: usize,
    /// When it was handed to the connection.
    pub sent: Instant,
    /// When the acknowledgement was seen.
    pub acked: Instant,
}

impl FrameAck {
    /// How long the acknowledgement took.
    pub fn latency(&self) -> Duration {
        self.acked.saturating_duration_since(self.sent)
    }
}

impl Sender {
    /// A sender to the server at `address`, such as `http://127.0.0.1:7700`, with a write key, or with an admin key for
    /// [history](SenderBuilder::admin_history).
    pub fn builder(address: impl Into<String>, key: impl Into<String>) -> SenderBuilder {
        SenderBuilder::new(address.into(), key.into())
    }

    /// Queues a batch. Waits while the memory is used up, which it is for as long as the server gives no credit. Batches
    /// of one client must be sent in the order of their seqs. Nothing was queued if the future is dropped.
    pub async fn send(&self, batch: ClientBatch) -> Result<(), SendError> {
        let hits = v1::Hits { hits: batch.hits.into_iter().map(v1::Hit::from).collect() };
        let head = v1::Batch {
            client_id: batch.client_id,
            epoch: batch.epoch,
            first_seq: batch.first_seq,
            context: batch.context,
            ..v1::Batch::default()
        };
        let encoded = hits.encode_to_vec();
        let (hits, bytes) = (hits.hits.len(), encoded.len() + head.encoded_len());
        check(hits, bytes)?;
        self.queue(wire::head_and_hits(&head, &encoded, self.0.codec), hits as u64).await
    }

    /// Queues a message `Batch` that the caller encoded, of this many hits: a load generator encodes once and sends often.
    /// It must name its client and epoch; a `sent_at_ms` is added as it is sent.
    pub async fn send_encoded(&self, batch: Bytes, hits: u64) -> Result<(), SendError> {
        check(usize::try_from(hits).unwrap_or(usize::MAX), batch.len())?;
        self.queue(batch, hits).await
    }

    async fn queue(&self, batch: Bytes, hits: u64) -> Result<(), SendError> {
        let bytes = u32::try_from(batch.len()).unwrap_or(u32::MAX);
        // Given back when the batch is settled.
        self.0.memory.acquire_many(bytes).await.map_err(|_| self.closed())?.forget();
        let now = self.0.shared.now();
        if self.0.shared.lock().core.push(now, batch, hits) {
            self.0.shared.wake();
        }
        Ok(())
    }

    fn closed(&self) -> SendError {
        match self.0.shared.lock().core.settled(u64::MAX) {
            Flush::Refused(reason) => SendError::Refused(reason),
            _ => SendError::Closed,
        }
    }

    /// Returns when everything that was queued is durable, and its refusals were reported. With the default settings it
    /// waits for as long as it takes, but not for a server that refused the key.
    pub async fn flush(&self) -> Result<(), SendError> {
        self.0.shared.flush(self.0.flush_timeout).await
    }

    /// [Flushes](Sender::flush), and ends the sender.
    pub async fn shutdown(&self) -> Result<(), SendError> {
        let flushed = self.flush().await;
        self.0.shared.stop();
        // An error says that the driver is gone, which is what is waited for.
        let _ = self.0.ended.clone().changed().await;
        flushed
    }

    /// What became of the hits so far, and how the connection stands.
    pub fn stats(&self) -> Stats {
        let used = self.0.memory_bytes.saturating_sub(self.0.memory.available_permits());
        Stats { queued_bytes: used as u64, ..self.0.shared.lock().core.stats() }
    }
}

fn check(hits: usize, bytes: usize) -> Result<(), SendError> {
    if hits > BATCH_HITS || bytes > BATCH_BYTES {
        return Err(SendError::TooLarge { hits, bytes, max_hits: BATCH_HITS, max_bytes: BATCH_BYTES });
    }
    Ok(())
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.stop();
    }
}
