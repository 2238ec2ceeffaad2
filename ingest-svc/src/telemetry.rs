use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};
use model::Refusal;

use crate::intake::Taken;

/// What is counted. The handles are kept: looking one up by name for every frame would cost more than counting.
pub(crate) struct Telemetry {
    accepted: Counter,
    refused: Vec<Counter>,
    batches: Counter,
    bytes: Counter,
    /// Streams that are open.
    pub(crate) streams: Gauge,
    /// Time from receiving a frame until all of it was durable.
    pub(crate) ack_seconds: Histogram,
    /// Bytes that wait for the log.
    pub(crate) queued_bytes: Gauge,
    /// Streams from which credit is withheld.
    pub(crate) credit_withheld: Gauge,
    /// Sizes of the records appended.
    pub(crate) record_bytes: Histogram,
    /// Appends that failed.
    pub(crate) append_failures: Counter,
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Telemetry")
    }
}

impl Telemetry {
    /// The handles.
    pub(crate) fn new() -> Self {
        describe();
        let refused =
            |reason: Refusal| counter!("hitmill_ingest_hits_refused_total", "reason" => reason.name());
        Self {
            accepted: counter!("hitmill_ingest_hits_accepted_total"),
            refused: Refusal::ALL.map(refused).into(),
            batches: counter!("hitmill_ingest_batches_total"),
            bytes: counter!("hitmill_ingest_bytes_total"),
            streams: gauge!("hitmill_ingest_streams"),
            ack_seconds: histogram!("hitmill_ingest_ack_seconds"),
            queued_bytes: gauge!("hitmill_ingest_queued_bytes"),
            credit_withheld: gauge!("hitmill_ingest_credit_withheld_streams"),
            record_bytes: histogram!("hitmill_ingest_record_bytes"),
            append_failures: counter!("hitmill_ingest_append_failures_total"),
        }
    }

    /// Counts a frame of this many bytes.
    pub(crate) fn frame(&self, bytes: usize, taken: &Taken) {
        self.bytes.increment(bytes as u64);
        self.batches.increment(taken.batches);
        self.accepted.increment(taken.accepted);
        for (counter, hits) in self.refused.iter().zip(taken.refused).filter(|(_, hits)| *hits > 0) {
            counter.increment(hits);
        }
    }
}

fn describe() {
    describe_counter!("hitmill_ingest_hits_accepted_total", "Hits that were admitted");
    describe_counter!("hitmill_ingest_hits_refused_total", "Hits that were refused, by reason");
    describe_counter!("hitmill_ingest_batches_total", "Batches received");
    describe_counter!("hitmill_ingest_bytes_total", Unit::Bytes, "Bytes of frames received");
    describe_gauge!("hitmill_ingest_streams", "Streams open");
    describe_histogram!(
        "hitmill_ingest_ack_seconds",
        Unit::Seconds,
        "Time from receiving a frame until all of it is durable"
    );
    describe_gauge!("hitmill_ingest_queued_bytes", Unit::Bytes, "Admitted hits that wait for the event log");
    describe_gauge!(
        "hitmill_ingest_credit_withheld_streams",
        "Streams that get no credit because the queue is nearly full or the event log takes no writes"
    );
    describe_histogram!("hitmill_ingest_record_bytes", Unit::Bytes, "Sizes of the records appended");
    describe_counter!("hitmill_ingest_append_failures_total", "Appends that the event log did not take");
}
