use std::fs;
use std::time::Duration;

use eventlog::EventLog;
use eventlog::pulsar::{Settings, Topic};
use model::{Kind, Position};
use test_servers::{Offload, Pulsar, PulsarOptions, Server, available};

use crate::server::{P, open, read_from, record, settings, start};

/// Old ledgers in files, BookKeeper's copies deleted, everything started again: nobody sees a difference; and if the files
/// are away, that is a failure and not an end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_tiered_storage_is_read_as_before() {
    if !available(&[Server::Pulsar]) {
        return;
    }
    let options =
        PulsarOptions { entries_per_ledger: 10, offload: Offload::Filesystem, ..PulsarOptions::default() };
    let mut broker = start(options).await;
    let settings = settings(&broker, "tiered");
    let log = open(&settings).await;
    for number in 0..45 {
        log.append(P, record(number)).await.unwrap();
    }
    let before = read_from(&log, Position::START).await.unwrap();
    let topic = Topic::open(&settings).await.unwrap();
    offloaded(&topic, &before[44].position).await;
    topic.trim(P).await.unwrap();
    drop(log);

    broker.stop().await.unwrap();
    broker.start_again().await.unwrap();
    let log = open(&settings).await;
    assert_eq!(
        read_from(&log, Position::START).await.unwrap(),
        before,
        "the same positions, times and bytes"
    );
    assert_eq!(
        read_from(&log, before[17].position).await.unwrap(),
        before[17..],
        "from the midst of a ledger"
    );
    assert_eq!(log.first(P).await.unwrap(), before[0].position);
    assert_eq!(log.at_or_after(P, before[12].appended_at).await.unwrap(), {
        let first = before.iter().find(|entry| entry.appended_at >= before[12].appended_at);
        first.unwrap().position
    });
    drop(log);

    broker.stop().await.unwrap();
    let (files, away) = (broker.data().join("offload"), broker.data().join("away"));
    fs::rename(&files, &away).unwrap();
    broker.start_again().await.unwrap();
    without_files(&broker, &settings, &before[0].position).await;

    broker.stop().await.unwrap();
    fs::remove_dir_all(&files).ok();
    fs::rename(&away, &files).unwrap();
    broker.start_again().await.unwrap();
    let log = open(&settings).await;
    let after = read_from(&log, Position::START).await.unwrap();
    assert_eq!(after[..45], before);
    assert_eq!(after[45].record, record(45), "appended while the files were away");
}

/// Moves all but the open ledger, and checks what is told of it.
async fn offloaded(topic: &Topic, last: &Position) {
    let status = topic.status(P).await.unwrap();
    let records: Vec<_> = status.ledgers.iter().map(|ledger| (ledger.records, ledger.offloaded)).collect();
    assert_eq!(records, [(10, false), (10, false), (10, false), (10, false), (5, false)]);
    assert_eq!((status.last.as_ref(), status.tiered_bytes), (Some(last), 0));
    assert!(status.bookkeeper_bytes > 45 * 8, "the records and what is around them");
    let third = Position { ledger: status.ledgers[2].id, entry: 3 };
    assert_eq!(topic.offload(P, Some(third)).await.unwrap(), 2);
    let offloaded = async || {
        let status = topic.status(P).await.unwrap();
        status.ledgers.iter().map(|ledger| ledger.offloaded).collect::<Vec<_>>()
    };
    assert_eq!(offloaded().await, [true, true, false, false, false], "those below the third");

    assert_eq!(topic.offload(P, None).await.unwrap(), 2);
    assert_eq!(offloaded().await, [true, true, true, true, false]);
    assert_eq!(topic.offload(P, None).await.unwrap(), 0, "the open one cannot be moved");
    topic.roll_over(P).await.unwrap();
    assert_eq!(topic.offload(P, None).await.unwrap(), 1, "until it is closed");
    assert_eq!(offloaded().await, [true, true, true, true, true, false]);
    let status = topic.status(P).await.unwrap();
    assert_eq!(status.bookkeeper_bytes, 0);
    assert!(status.tiered_bytes > 45 * 8);
}

async fn without_files(broker: &Pulsar, settings: &Settings, first: &Position) {
    let hasty = Settings { timeout_ms: 6_000, url: broker.url(), ..settings.clone() };
    let log = open(&hasty).await;
    for from in [Position::START, *first] {
        let failure = log.read(P, from, 1_000).await.unwrap_err();
        assert_eq!(failure.kind(), Kind::Unavailable, "{failure}");
    }
    // What is new is not held up.
    let end = log.end(P).await.unwrap();
    let position = log.append(P, record(45)).await.unwrap();
    assert_eq!(log.read(P, end, 1_000).await.unwrap().entries[0].position, position);
    tokio::time::timeout(Duration::from_secs(20), log.wait(P, end)).await.unwrap().unwrap();
}
