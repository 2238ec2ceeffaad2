//! What the tests share: servers, and short ways to use them.

use std::time::{Duration, Instant};

use bytes::Bytes;
use eventlog::pulsar::{PulsarLog, Settings};
use eventlog::{Entry, EventLog, Result};
use model::{Partition, Position};
use test_servers::{Pulsar, PulsarOptions};
use tokio::sync::OnceCell;

/// The partition of the tests that need only one.
pub(crate) const P: Partition = Partition(1);

/// The broker of all tests that do it no harm. It ends with the test process.
pub(crate) async fn shared() -> &'static Pulsar {
    static SHARED: OnceCell<Pulsar> = OnceCell::const_new();
    // It deletes what nobody uses, as brokers do unless they are told otherwise, only much sooner.
    let more = [
        ("brokerDeleteInactiveTopicsEnabled", "true"),
        ("brokerDeleteInactiveTopicsFrequencySeconds", "1"),
        ("brokerDeleteInactiveTopicsMaxInactiveDurationSeconds", "1"),
    ];
    let more = more.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    SHARED
        .get_or_init(|| start(PulsarOptions { entries_per_ledger: 12, more, ..PulsarOptions::default() }))
        .await
}

pub(crate) async fn start(options: PulsarOptions) -> Pulsar {
    Pulsar::start(options).await.unwrap()
}

/// A log of three partitions that is not there yet.
pub(crate) fn settings(broker: &Pulsar, namespace: &str) -> Settings {
    Settings {
        url: broker.url(),
        admin_url: broker.admin_url(),
        namespace: format!("hitmill-tests/{namespace}"),
        partitions: 3,
        ..Settings::default()
    }
}

pub(crate) async fn open(settings: &Settings) -> PulsarLog {
    PulsarLog::open(settings).await.unwrap()
}

/// A record that names itself.
pub(crate) fn record(number: usize) -> Bytes {
    format!("record {number}").into()
}

/// All records of the partition from a position on, or the failure that a reader meets.
pub(crate) async fn read_from(log: &PulsarLog, from: Position) -> Result<Vec<Entry>> {
    let (mut from, mut entries) = (from, Vec::new());
    loop {
        let chunk = log.read(P, from, 100_000).await?;
        if chunk.entries.is_empty() {
            return Ok(entries);
        }
        from = chunk.next;
        entries.extend(chunk.entries);
    }
}

/// Waits until it is so, for a minute at most.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
