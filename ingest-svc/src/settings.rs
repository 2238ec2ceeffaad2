use std::time::Duration;

use anyhow::ensure;
use model::limits;
use serde::{Deserialize, Serialize};

/// Less would not hold one frame of each of a few streams.
const MIN_QUEUED_BYTES: usize = 4 * limits::FRAME_BYTES;
/// A client whose credit is too small for its next batch must get more when all it sent is durable: credit is given when
/// a quarter of the window is free, so the window has to be well above one batch.
const MIN_CREDIT_HITS: u64 = 2 * limits::BATCH_HITS as u64;

/// The section `ingest`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Bytes of admitted hits that may wait for the log, over all streams and partitions. When a quarter is left no more
    /// credit is given; when nothing is left no stream is read.
    pub max_queued_bytes: usize,
    /// Hits that one stream may have on their way to the log: its window of credit.
    pub credit_hits: u64,
    /// Streams open at a time in this process.
    pub max_streams: usize,
    /// Streams open at a time of one client of a merchant. A client needs one; a second may be left from before a
    /// reconnect.
    pub max_streams_per_client: usize,
    /// Milliseconds in which a new stream must send its Setup.
    pub setup_timeout_ms: u64,
    /// Milliseconds that acks may wait for a client that does not read them; then its stream is ended.
    pub ack_timeout_ms: u64,
    /// Seconds after which a stream is asked to reconnect, so that streams spread over new instances; 0 is never.
    pub max_stream_age_seconds: u64,
    /// Milliseconds after which a client that was asked to go should come back.
    pub reconnect_after_ms: u32,
    /// Hits at which clients should send what waits.
    pub flush_hits: u32,
    /// Milliseconds that a hit should wait at most at the client.
    pub flush_delay_ms: u32,
    /// Milliseconds that a record of less than 64 KiB waits for more hits of its partition. Not set: 0 in one process, where
    /// a record costs little; 5 over Pulsar, where each is a message.
    pub gather_ms: Option<u64>,
    /// Milliseconds between attempts while the event log takes no writes.
    pub log_retry_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_queued_bytes: 64 << 20,
            credit_hits: 16_384,
            max_streams: 65_536,
            max_streams_per_client: 4,
            setup_timeout_ms: 10_000,
            ack_timeout_ms: 60_000,
            max_stream_age_seconds: 0,
            reconnect_after_ms: 1_000,
            flush_hits: 500,
            flush_delay_ms: 100,
            gather_ms: None,
            log_retry_ms: 1_000,
        }
    }
}

impl Settings {
    /// How long a small record waits for more hits.
    pub(crate) fn gather(&self, shared: bool) -> Duration {
        const OVER_PULSAR_MS: u64 = 5;
        Duration::from_millis(self.gather_ms.unwrap_or(if shared { OVER_PULSAR_MS } else { 0 }))
    }

    /// Whether they can work.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let (bytes, hits) = (self.max_queued_bytes, self.credit_hits);
        ensure!(
            bytes >= MIN_QUEUED_BYTES,
            "ingest.max_queued_bytes {bytes} is not allowed: at least {MIN_QUEUED_BYTES}"
        );
        ensure!(
            hits >= MIN_CREDIT_HITS,
            "ingest.credit_hits {hits} is not allowed: at least {MIN_CREDIT_HITS}"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_work_and_what_cannot_work_is_refused() {
        assert!(Settings::default().check().is_ok());
        let refused = Settings { credit_hits: 100, ..Settings::default() }.check().unwrap_err().to_string();
        assert_eq!(refused, "ingest.credit_hits 100 is not allowed: at least 5000");
        assert!(Settings { max_queued_bytes: 1 << 20, ..Settings::default() }.check().is_err());
    }
}
