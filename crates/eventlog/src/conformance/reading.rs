use std::sync::Arc;
use std::time::Duration;

use model::{Position, Timestamp};

use super::{P, append_all, assert_holds, read_all, record};
use crate::EventLog;

pub(super) async fn from_every_position(log: Arc<dyn EventLog>) {
    let records: Vec<_> = (0..40).map(|n| record(n, 500 + 37 * n)).collect();
    let positions = append_all(&*log, P, &records).await;
    for at in 0..records.len() {
        assert_holds(&*log, P, &positions[at..], &records[at..]).await;
        // Where a reader goes on that has seen this record.
        let rest = read_all(&*log, P, positions[at].next(), 2_000).await;
        assert_eq!(rest.first().map(|entry| entry.position), positions.get(at + 1).copied());
    }
}

pub(super) async fn chunk_limits(log: Arc<dyn EventLog>) {
    const EACH: usize = 1_000;
    let records: Vec<_> = (0..30).map(|n| record(n, EACH)).collect();
    let positions = append_all(&*log, P, &records).await;
    for max_bytes in [0, 1, EACH, 2 * EACH - 1, 3 * EACH, 1_000 * EACH] {
        let chunk = log.read(P, positions[0], max_bytes).await.unwrap();
        assert_eq!(chunk.entries[0].position, positions[0], "at least one record, even if it is larger");
        // "About": a back end may count its own overhead, but not take twice what was asked.
        assert!(chunk.entries.len() <= 1 + 2 * max_bytes / EACH, "{max_bytes} bytes asked");
        assert_eq!(read_all(&*log, P, positions[0], max_bytes).await.len(), records.len());
    }
    let end = log.end(P).await.unwrap();
    for at_the_end in [positions[29].next(), end, Position { ledger: u64::MAX, entry: 5 }] {
        let chunk = log.read(P, at_the_end, EACH).await.unwrap();
        assert_eq!((chunk.entries, chunk.next), (vec![], at_the_end));
    }
}

pub(super) async fn several_readers(log: Arc<dyn EventLog>) {
    const COUNT: usize = 60;
    let readers: Vec<_> = (0..4)
        .map(|reader| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let (mut from, mut entries) = (Position::START, Vec::new());
                while entries.len() < COUNT {
                    log.wait(P, from).await.unwrap();
                    let chunk = log.read(P, from, 700 * (reader + 1)).await.unwrap();
                    assert!(!chunk.entries.is_empty(), "waiting returns when there is something");
                    from = chunk.next;
                    entries.extend(chunk.entries);
                }
                entries
            })
        })
        .collect();
    let records: Vec<_> = (0..COUNT).map(|n| record(n, 600)).collect();
    let positions = append_all(&*log, P, &records).await;
    for reader in readers {
        let entries = reader.await.unwrap();
        assert!(entries.iter().map(|entry| entry.position).eq(positions.iter().copied()));
        assert!(entries.iter().map(|entry| &entry.record).eq(&records));
    }
}

pub(super) async fn waiting(log: Arc<dyn EventLog>) {
    // On an empty log, and then behind every record of a growing one.
    for n in 0..5 {
        let from = log.end(P).await.unwrap();
        let waiter = {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                log.wait(P, from).await.unwrap();
                log.read(P, from, 1_000).await.unwrap().entries
            })
        };
        // Lets the waiter start; it must work without, too.
        tokio::task::yield_now().await;
        let position = log.append(P, record(n, 100)).await.unwrap();
        let seen = waiter.await.unwrap();
        assert_eq!(
            seen.iter().map(|entry| entry.position).collect::<Vec<_>>(),
            [position],
            "not woken too early"
        );
        log.wait(P, position).await.unwrap();
        log.wait(P, Position::START).await.unwrap();
    }
}

pub(super) async fn times(open: &impl AsyncFn(&str) -> Arc<dyn EventLog>) {
    let mut count = 0;
    for _ in 0..2 {
        let log = open("times").await;
        for _ in 0..15 {
            log.append(P, record(count, 1_500)).await.unwrap();
            count += 1;
            // The times are the log's own; this only makes several of them.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let entries = read_all(&*log, P, Position::START, 64 * 1024).await;
        assert_eq!(entries.len(), count);
        let times: Vec<_> = entries.iter().map(|entry| entry.appended_at).collect();
        assert!(times[0] < times[count - 1], "records of some ten milliseconds have different times");
        for time in times.iter().flat_map(|time| [time.plus_millis(-1), *time, time.plus_millis(1)]) {
            let expected = entries.iter().find(|entry| entry.appended_at >= time).map(|entry| entry.position);
            let found = log.at_or_after(P, time).await.unwrap();
            assert_eq!(found, expected.unwrap_or(log.end(P).await.unwrap()), "at {time}");
        }
        assert_eq!(log.at_or_after(P, Timestamp(0)).await.unwrap(), entries[0].position);
        assert_eq!(log.at_or_after(P, Timestamp(i64::MAX)).await.unwrap(), log.end(P).await.unwrap());
    }
}
