use std::sync::Arc;

use bytes::Bytes;
use eventlog::embedded::{EmbeddedLog, Settings};
use eventlog::{Error, EventLog};
use model::{Position, Timestamp};

use super::{P, a_file_each, append, noise, one_file, open, read_from};

/// A flush of more than one write: several records of megabytes, queued at once.
#[tokio::test]
async fn large_records_together() {
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path(), &one_file()).unwrap();
    let records: Vec<Bytes> = (0..6).map(|n| noise(n, 2_000_000 + usize::from(n)).into()).collect();
    let appended = |at: usize| log.append(P, records[at].clone());
    let (a, b, c, d, e, f) =
        tokio::join!(appended(0), appended(1), appended(2), appended(3), appended(4), appended(5));
    let entries: Vec<_> = [a, b, c, d, e, f].into_iter().map(|position| position.unwrap().entry).collect();
    assert_eq!(entries, [0, 1, 2, 3, 4, 5], "in the order in which they were queued");
    assert!(read_from(&log, 0).await.unwrap() == records);
    drop(log);
    assert!(read_from(&open(home.path(), &one_file()).unwrap(), 0).await.unwrap() == records);
}

/// A reader of records that retention deletes under its hands reads the record or is told that it is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_what_is_being_deleted() {
    const COUNT: u64 = 200;
    let home = tempfile::tempdir().unwrap();
    let settings = Settings { retain_bytes: Some(0), ..a_file_each() };
    let log = Arc::new(open(home.path(), &settings).unwrap());
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                // Always the oldest: the one that goes next.
                let mut oldest = Position::START;
                while oldest.entry < COUNT - 1 {
                    oldest = log.first(P).await.unwrap();
                    match log.read(P, oldest, 0).await {
                        Ok(chunk) => assert!(
                            chunk
                                .entries
                                .iter()
                                .all(|entry| entry.record == entry.position.entry.to_be_bytes()[..])
                        ),
                        Err(error) => assert!(matches!(error, Error::Gone { .. }), "{error}"),
                    }
                }
            })
        })
        .collect();
    for entry in 0..COUNT {
        assert_eq!(append(&log, entry.to_be_bytes().to_vec()).await, entry);
        log.release(P, Position::of_entry(entry)).await.unwrap();
    }
    for reader in readers {
        reader.await.unwrap();
    }
    assert_eq!(log.first(P).await.unwrap().entry, COUNT - 1);
}

/// Appends that nobody waits for any more are kept or not, but never in part, and the queue gets its room back.
#[tokio::test]
async fn appends_that_are_given_up() {
    let home = tempfile::tempdir().unwrap();
    let settings = Settings { max_queued_bytes: 1_000, ..one_file() };
    let log = EmbeddedLog::open(home.path(), &settings, || Timestamp(0)).unwrap();
    for n in 0..50u8 {
        // Polled once, then dropped: queued, or still waiting for room.
        tokio::select! {
            biased;
            _ = log.append(P, vec![n; 700].into()) => {}
            () = std::future::ready(()) => {}
        }
    }
    append(&log, "last").await;
    let records = read_from(&log, 0).await.unwrap();
    let (last, given_up) = records.split_last().unwrap();
    assert_eq!(last, "last");
    assert!(
        given_up.iter().all(|record| record.len() == 700 && record.iter().all(|byte| *byte == record[0]))
    );
}
