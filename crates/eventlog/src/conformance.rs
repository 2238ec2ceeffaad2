//! The conformance suite of [`crate::EventLog`]: what an implementer owes, as assertions. Every back end's tests run it,
//! word for word the same.
//!
//! It knows nothing of how positions are numbered, of the size of a segment or of the clock: it only compares what the
//! log says with what was appended.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test suite, in the library so that every back end can run it"
)]

mod appending;
mod reading;
mod retaining;

use std::sync::Arc;

use bytes::Bytes;
use model::{Partition, Position};

use crate::{Entry, EventLog};

/// Checks a back end. `open` makes the log of a place, or opens it again with all that was appended: the same name is the
/// same log, a new name a new one, with at least two partitions. The suite has dropped a log before it opens it again.
///
/// Make `open` give logs whose settings keep as little as they can (small segments, nothing beyond the floor), so that
/// retention has the chance to delete too much.
pub async fn run(open: impl AsyncFn(&str) -> Arc<dyn EventLog>) {
    appending::an_empty_log_has_nothing(open("empty").await).await;
    appending::order(open("order").await).await;
    appending::concurrent_appends(open("concurrent").await).await;
    appending::sizes(open("sizes").await).await;
    appending::partitions_do_not_mix(open("partitions").await).await;
    appending::no_such_partition(open("missing").await).await;
    appending::reopening(&open).await;

    reading::from_every_position(open("every-position").await).await;
    reading::chunk_limits(open("chunks").await).await;
    reading::several_readers(open("readers").await).await;
    reading::waiting(open("waiting").await).await;
    reading::times(&open).await;

    retaining::nothing_goes_before_a_floor(&open).await;
    retaining::nothing_goes_at_or_above_the_floor(&open).await;
    retaining::floors_only_rise(open("lower-floor").await).await;
}

/// The partition that most checks use: not the first one, so that a log that ignores the number is found out.
const P: Partition = Partition(1);

/// A record that names itself, `bytes` long (or as long as its name), and does not compress to nothing.
fn record(number: usize, bytes: usize) -> Bytes {
    let mut out = format!("record {number};").into_bytes();
    let mut state = number as u64 + 1;
    while out.len() < bytes {
        // Knuth's MMIX generator.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        out.push((state >> 56) as u8);
    }
    out.into()
}

/// Appends records one after the other, and says where they went.
async fn append_all(log: &dyn EventLog, partition: Partition, records: &[Bytes]) -> Vec<Position> {
    let mut positions = Vec::with_capacity(records.len());
    for record in records {
        positions.push(log.append(partition, record.clone()).await.unwrap());
    }
    positions
}

/// Reads from a position to the end, and checks what every chunk owes.
async fn read_all(log: &dyn EventLog, partition: Partition, from: Position, max_bytes: usize) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut from = from;
    loop {
        let chunk = log.read(partition, from, max_bytes).await.unwrap();
        let Some(last) = chunk.entries.last() else {
            assert_eq!(chunk.next, from, "an empty chunk stays where it is");
            return entries;
        };
        assert!(chunk.next > last.position, "the next read is above the last entry");
        assert!(chunk.entries[0].position >= from, "nothing below the asked position");
        from = chunk.next;
        entries.extend(chunk.entries);
    }
}

/// Checks that exactly these records are in the log, from a position on, at these positions.
async fn assert_holds(log: &dyn EventLog, partition: Partition, positions: &[Position], records: &[Bytes]) {
    let from = positions.first().copied().unwrap_or(Position::START);
    let entries = read_all(log, partition, from, 64 * 1024).await;
    assert_eq!(entries.len(), positions.len(), "as many records as were appended");
    for (entry, (position, record)) in entries.iter().zip(positions.iter().zip(records)) {
        assert_eq!(entry.position, *position);
        assert!(entry.record == *record, "the bytes of the record at {position}");
    }
    for pair in entries.windows(2) {
        assert!(pair[0].position < pair[1].position, "positions rise");
        assert!(pair[0].appended_at <= pair[1].appended_at, "time does not go back");
    }
}
