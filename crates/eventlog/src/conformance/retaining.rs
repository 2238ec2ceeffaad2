use std::sync::Arc;

use bytes::Bytes;
use model::{Kind, Partition, Position};

use super::{P, append_all, assert_holds, read_all, record};
use crate::{Error, EventLog};

/// Enough that a log with small segments has several.
fn many(count: usize) -> Vec<Bytes> {
    (0..count).map(|n| record(n, 5_000)).collect()
}

pub(super) async fn nothing_goes_before_a_floor(open: &impl AsyncFn(&str) -> Arc<dyn EventLog>) {
    let records = many(60);
    let log = open("no-floor").await;
    let positions = append_all(&*log, P, &records).await;
    assert_holds(&*log, P, &positions, &records).await;
    drop(log);
    let log = open("no-floor").await;
    assert_holds(&*log, P, &positions, &records).await;
    // Another partition's floor is not this one's.
    log.release(Partition(0), Position { ledger: u64::MAX, entry: u64::MAX }).await.unwrap();
    assert_holds(&*log, P, &positions, &records).await;
}

pub(super) async fn nothing_goes_at_or_above_the_floor(open: &impl AsyncFn(&str) -> Arc<dyn EventLog>) {
    let mut records = many(40);
    let mut log = open("floor").await;
    let mut positions = append_all(&*log, P, &records).await;
    for floor in [0, 1, 13, 14, 39, 41, 55] {
        log.release(P, positions[floor.min(positions.len() - 1)]).await.unwrap();
        // Records that come later seal segments, which is when a log may delete as well.
        let more = many(4);
        positions.extend(append_all(&*log, P, &more).await);
        records.extend(more);
        let floor = floor.min(positions.len() - 5);
        assert_holds(&*log, P, &positions[floor..], &records[floor..]).await;
        assert_gone_below_first(&*log, &positions, &records).await;
        drop(log);
        log = open("floor").await;
        assert_holds(&*log, P, &positions[floor..], &records[floor..]).await;
        assert_gone_below_first(&*log, &positions, &records).await;
    }
}

pub(super) async fn floors_only_rise(log: Arc<dyn EventLog>) {
    let records = many(40);
    let positions = append_all(&*log, P, &records).await;
    log.release(P, positions[30]).await.unwrap();
    let first = log.first(P).await.unwrap();
    log.release(P, positions[2]).await.unwrap();
    assert!(log.first(P).await.unwrap() >= first, "what is gone stays gone");
    assert_holds(&*log, P, &positions[30..], &records[30..]).await;
}

/// A read below the first record says that it is gone, and does not go on at the first one in silence.
async fn assert_gone_below_first(log: &dyn EventLog, positions: &[Position], records: &[Bytes]) {
    let first = log.first(P).await.unwrap();
    let kept = positions.partition_point(|position| *position < first);
    assert_eq!(positions.get(kept), Some(&first), "the first is a record that was appended");
    for asked in &positions[..kept] {
        match log.read(P, *asked, 1_000).await {
            Err(error @ Error::Gone { .. }) => assert_eq!(error.kind(), Kind::NotFound),
            other => panic!("{asked} is below {first}, and reading it gave {other:?}"),
        }
    }
    assert_holds(log, P, &positions[kept..], &records[kept..]).await;
    assert_eq!(read_all(log, P, first, 20_000).await.len(), positions.len() - kept);
}
