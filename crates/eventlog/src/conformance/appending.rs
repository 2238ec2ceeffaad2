use std::sync::Arc;

use bytes::Bytes;
use model::{Kind, Partition, Position, Timestamp};

use super::{P, append_all, assert_holds, read_all, record};
use crate::{Error, EventLog, MAX_RECORD_BYTES};

pub(super) async fn an_empty_log_has_nothing(log: Arc<dyn EventLog>) {
    assert!(log.partitions() >= 2, "the suite needs two partitions");
    for partition in (0..log.partitions()).map(Partition) {
        let end = log.end(partition).await.unwrap();
        assert_eq!(log.first(partition).await.unwrap(), end);
        assert_eq!(log.at_or_after(partition, Timestamp(0)).await.unwrap(), end);
        let chunk = log.read(partition, end, 1024).await.unwrap();
        assert_eq!((chunk.entries, chunk.next), (vec![], end));
    }
}

pub(super) async fn order(log: Arc<dyn EventLog>) {
    let records: Vec<_> = (0..50).map(|n| record(n, 40 * n)).collect();
    let mut positions: Vec<Position> = Vec::new();
    for record in &records {
        let end = log.end(P).await.unwrap();
        assert!(positions.last().is_none_or(|last| end > *last), "the end is above every durable record");
        let position = log.append(P, record.clone()).await.unwrap();
        assert!(position >= end, "the end is at or below every later record");
        positions.push(position);
        // What was appended can be read at once.
        assert_eq!(log.read(P, position, 1).await.unwrap().entries[0].record, *record);
    }
    assert_eq!(log.first(P).await.unwrap(), positions[0]);
    assert_holds(&*log, P, &positions, &records).await;
    assert_eq!(
        read_all(&*log, P, Position::START, 1_000).await.len(),
        records.len(),
        "START is before every record"
    );
}

pub(super) async fn concurrent_appends(log: Arc<dyn EventLog>) {
    const WRITERS: usize = 8;
    const EACH: usize = 40;
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let own: Vec<_> = (0..EACH).map(|n| record(writer * EACH + n, 200)).collect();
                let positions = append_all(&*log, P, &own).await;
                assert!(positions.is_sorted(), "one after the other is in order");
                positions.into_iter().zip(own).collect::<Vec<_>>()
            })
        })
        .collect();
    let mut appended = Vec::new();
    for writer in writers {
        appended.extend(writer.await.unwrap());
    }
    appended.sort_by_key(|(position, _)| *position);
    let (positions, records): (Vec<_>, Vec<_>) = appended.into_iter().unzip();
    assert!(positions.windows(2).all(|pair| pair[0] < pair[1]), "no position twice");
    // All of them, each once, where its append said.
    assert_holds(&*log, P, &positions, &records).await;
}

pub(super) async fn sizes(log: Arc<dyn EventLog>) {
    let zeros = Bytes::from(vec![0; 300_000]);
    let records =
        [record(0, 1), Bytes::from_static(b"x"), zeros, record(1, MAX_RECORD_BYTES), record(2, 100_000)];
    let positions = append_all(&*log, P, &records).await;
    assert_holds(&*log, P, &positions, &records).await;

    let refused = log.append(P, record(3, MAX_RECORD_BYTES + 1)).await.unwrap_err();
    assert!(matches!(refused, Error::TooLarge { limit: MAX_RECORD_BYTES, .. }), "{refused}");
    assert_holds(&*log, P, &positions, &records).await;
}

pub(super) async fn partitions_do_not_mix(log: Arc<dyn EventLog>) {
    let (even, odd): (Vec<_>, Vec<_>) =
        (0..20).map(|n| record(n, 100)).partition(|record| record[7] % 2 == 0);
    let here = append_all(&*log, Partition(0), &even).await;
    let there = append_all(&*log, P, &odd).await;
    assert_holds(&*log, Partition(0), &here, &even).await;
    assert_holds(&*log, P, &there, &odd).await;
}

pub(super) async fn no_such_partition(log: Arc<dyn EventLog>) {
    let asked = Partition(log.partitions());
    let failures = [
        log.append(asked, record(0, 10)).await.map(|_| ()).unwrap_err(),
        log.read(asked, Position::START, 10).await.map(|_| ()).unwrap_err(),
        log.wait(asked, Position::START).await.unwrap_err(),
        log.first(asked).await.map(|_| ()).unwrap_err(),
        log.end(asked).await.map(|_| ()).unwrap_err(),
        log.at_or_after(asked, Timestamp(0)).await.map(|_| ()).unwrap_err(),
        log.release(asked, Position::START).await.unwrap_err(),
    ];
    for failure in failures {
        assert!(matches!(failure, Error::NoPartition { asked: told, .. } if told == asked), "{failure}");
        assert_eq!(failure.kind(), Kind::Invalid);
    }
}

pub(super) async fn reopening(open: &impl AsyncFn(&str) -> Arc<dyn EventLog>) {
    let (mut positions, mut records) = (Vec::new(), Vec::new());
    for round in 0..4 {
        let log = open("reopening").await;
        assert_holds(&*log, P, &positions, &records).await;
        let end = log.end(P).await.unwrap();
        assert!(positions.last().is_none_or(|last| end > *last), "the end is above every durable record");
        let more: Vec<_> = (0..7).map(|n| record(round * 7 + n, 3_000)).collect();
        positions.extend(append_all(&*log, P, &more).await);
        records.extend(more);
        assert_holds(&*log, P, &positions, &records).await;
    }
}
