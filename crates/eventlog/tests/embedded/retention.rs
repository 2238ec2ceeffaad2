use eventlog::EventLog;
use eventlog::embedded::{EmbeddedLog, Settings};
use model::Position;

use super::{Hand, P, a_file_each, append, noise, open, read_from, segment};

/// Bytes of a segment with one record of 100 bytes that do not compress.
const FILE_BYTES: u64 = 36 + 48 + 100;

async fn release(log: &EmbeddedLog, floor: u64) -> u64 {
    log.release(P, Position::of_entry(floor)).await.unwrap();
    log.first(P).await.unwrap().entry
}

#[tokio::test]
async fn by_bytes() {
    let home = tempfile::tempdir().unwrap();
    let settings = Settings { retain_bytes: Some(3 * FILE_BYTES), ..a_file_each() };
    let log = open(home.path(), &settings).unwrap();
    for n in 0..10 {
        append(&log, noise(n, 100)).await;
    }
    assert_eq!(log.first(P).await.unwrap().entry, 0, "no floor, no deletion");
    assert_eq!(release(&log, 4).await, 4, "the floor holds");
    assert_eq!(release(&log, 10).await, 7, "three files are kept");
    assert!(!segment(home.path(), 6).exists());
    assert!(segment(home.path(), 7).exists());
    // Sealing deletes too, below the floor only.
    append(&log, noise(10, 100)).await;
    append(&log, noise(11, 100)).await;
    assert_eq!(log.first(P).await.unwrap().entry, 9);
    for n in 12..20 {
        append(&log, noise(n, 100)).await;
    }
    assert_eq!(log.first(P).await.unwrap().entry, 10, "the floor holds");
    drop(log);
    let log = open(home.path(), &settings).unwrap();
    assert_eq!(read_from(&log, 10).await.unwrap().len(), 10);
    assert!(read_from(&log, 9).await.is_err());
    assert_eq!(release(&log, 11).await, 11);
}

#[tokio::test]
async fn by_age() {
    let home = tempfile::tempdir().unwrap();
    let clock = Hand::default();
    let settings = Settings { retain_age_ms: Some(1_000), ..a_file_each() };
    let log = EmbeddedLog::open(home.path(), &settings, clock.now()).unwrap();
    for n in 0..6u8 {
        clock.set(i64::from(n) * 100);
        append(&log, vec![n]).await;
    }
    assert_eq!(release(&log, 4).await, 0, "all are young");
    // A segment ends, at the latest, when the next one is made: entry 1's at 200 ms.
    clock.set(1_200);
    assert_eq!(release(&log, 4).await, 1);
    clock.set(1_201);
    assert_eq!(release(&log, 4).await, 2);
    clock.set(9_999);
    assert_eq!(release(&log, 4).await, 4, "the floor holds");
    assert_eq!(release(&log, 6).await, 5, "the segment that is written to stays");
    assert_eq!(append(&log, "more").await, 6);
}

#[tokio::test]
async fn everything_is_kept_by_default() {
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path(), &a_file_each()).unwrap();
    for n in 0..5 {
        append(&log, noise(n, 100)).await;
    }
    assert_eq!(release(&log, 5).await, 0);
    assert_eq!(read_from(&log, 0).await.unwrap().len(), 5);
}
