//! Hits of some clients of some merchants, appended while members come and go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eventlog::EventLog;
use keyspace::record::{BatchEntry, RecordBuilder, RefusedHits};
use model::{DataStreamId, Lane, MerchantId, Partition, Position, Timestamp};
use prost::Message;
use proto::v1;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const NOON: i64 = 1_431_864_000_000; // 2015-05-17T12:00:00Z
const CLIENTS: u64 = 48;
pub(crate) const MERCHANTS: u64 = 5;

/// What was appended.
#[derive(Debug, Default)]
pub(crate) struct Appended {
    /// The last record with hits of a merchant in a partition.
    pub(crate) last: BTreeMap<(MerchantId, Partition), Position>,
    /// Hits, each counted once.
    pub(crate) distinct: u64,
    /// Hits that came again.
    pub(crate) again: u64,
}

/// Appends until it is told to stop.
pub(crate) struct Load {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Appended>,
}

impl Load {
    pub(crate) fn start(log: Arc<dyn EventLog>) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut appended = Appended::default();
            for round in 0.. {
                append(&*log, round, &mut appended).await;
                tokio::time::sleep(Duration::from_millis(3)).await;
                if stopped.try_recv().is_ok() {
                    break;
                }
            }
            appended
        });
        Self { stop, task }
    }

    pub(crate) async fn stop(self) -> Appended {
        self.stop.send(()).unwrap();
        self.task.await.unwrap()
    }
}

/// One batch of one client; every seventh comes twice.
async fn append(log: &dyn EventLog, round: u64, appended: &mut Appended) {
    const HITS: u64 = 3;
    let (client, turn) = (round % CLIENTS, round / CLIENTS);
    let merchant = MerchantId(1 + client % MERCHANTS);
    let partition = Partition((client % u64::from(log.partitions())) as u16);
    let times = if round.is_multiple_of(7) { 2 } else { 1 };
    for _ in 0..times {
        let record = record(merchant, &[(&format!("client {client}"), 1 + turn * HITS, HITS)]);
        let position = log.append(partition, record).await.unwrap();
        appended.last.insert((merchant, partition), position);
    }
    appended.distinct += HITS;
    appended.again += (times - 1) * HITS;
}

/// A record with batches of one merchant or of several: client, first seq, how many hits.
pub(crate) fn record(merchant: MerchantId, batches: &[(&str, u64, u64)]) -> Bytes {
    records(&batches.iter().map(|batch| (merchant, *batch)).collect::<Vec<_>>())
}

pub(crate) fn records(batches: &[(MerchantId, (&str, u64, u64))]) -> Bytes {
    let mut builder = RecordBuilder::default();
    for (merchant, (client, first_seq, hits)) in batches {
        let hit = |seq: u64| v1::Hit {
            name: "page_view".into(),
            // Sessions end and begin, back and forth over the hours.
            time_ms: NOON + (seq * 7_919 % 600) as i64 * 60_000,
            url: format!("https://shop.example/{}", seq % 11),
            ..v1::Hit::default()
        };
        let batch = v1::Batch {
            client_id: (*client).into(),
            epoch: 1,
            first_seq: *first_seq,
            hits: (*first_seq..first_seq + hits).map(hit).collect(),
            ..v1::Batch::default()
        };
        let entry = BatchEntry {
            merchant: *merchant,
            received_at: Timestamp(NOON),
            data_stream: DataStreamId(1),
            rules_version: 1,
            lane: Lane::History,
            client_id: "",
            epoch: 0,
            context: b"",
            refused: RefusedHits::default(),
            batch: &batch.encode_to_vec(),
        };
        builder.batch(&entry, &[]);
    }
    builder.finish()
}
