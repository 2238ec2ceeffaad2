//! Appending and reading while something happens to the broker.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use eventlog::pulsar::PulsarLog;
use eventlog::{Entry, EventLog};
use model::{Kind, Position};

use crate::server::{P, read_from, record, until};

const WRITERS: usize = 4;
/// Appends of each writer before the disturbance, and after it.
const LEAST: usize = 25;

#[derive(Default)]
struct Shared {
    acknowledged: AtomicUsize,
    failed: AtomicUsize,
    stop: AtomicBool,
}

/// Appends with several writers and follows with a reader, while `disturb` does its work. Then checks that every
/// acknowledged record is where its append said, that the reader was given exactly what the log holds, and says how many
/// appends failed.
pub(crate) async fn under_load(log: &Arc<PulsarLog>, disturb: impl Future<Output = ()>) -> usize {
    let shared = Arc::new(Shared::default());
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(Arc::clone(log), Arc::clone(&shared), writer)))
        .collect();
    let follower = tokio::spawn(follow(Arc::clone(log), Arc::clone(&shared)));
    let more = async || {
        let enough = shared.acknowledged.load(Ordering::SeqCst) + WRITERS * LEAST;
        until("more is appended", async || shared.acknowledged.load(Ordering::SeqCst) >= enough).await;
    };
    more().await;
    disturb.await;
    more().await;
    shared.stop.store(true, Ordering::SeqCst);

    let mut acknowledged = BTreeMap::new();
    for writer in writers {
        let own = writer.await.unwrap();
        assert!(own.is_sorted(), "one after the other is in order");
        acknowledged.extend(own);
    }
    // The last word: a follower stops at what was acknowledged, and others may have been stored behind it.
    let held = read_from(log, Position::START).await.unwrap();
    let followed = follower.await.unwrap();
    assert!(held.windows(2).all(|pair| pair[0].position < pair[1].position), "positions rise");
    assert!(held.starts_with(&followed), "a reader beside it all is given the same");
    let held: BTreeMap<_, _> = held.into_iter().map(|entry| (entry.position, entry.record)).collect();
    for (position, number) in &acknowledged {
        assert_eq!(held.get(position), Some(&record(*number)), "the record acknowledged at {position}");
        assert!(followed.last().is_some_and(|last| last.position >= *position), "followed to {position}");
    }
    shared.failed.load(Ordering::SeqCst)
}

async fn write(log: Arc<PulsarLog>, shared: Arc<Shared>, writer: usize) -> Vec<(Position, usize)> {
    let mut own = Vec::new();
    for number in (writer..).step_by(WRITERS) {
        if shared.stop.load(Ordering::SeqCst) {
            break;
        }
        match log.append(P, record(number)).await {
            Ok(position) => {
                own.push((position, number));
                shared.acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            // A client would send it again; the test goes on with the next.
            Err(error) => {
                assert_eq!(error.kind(), Kind::Unavailable, "{error}");
                shared.failed.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
    own
}

async fn follow(log: Arc<PulsarLog>, shared: Arc<Shared>) -> Vec<Entry> {
    let (mut from, mut entries) = (Position::START, Vec::new());
    loop {
        let stop = shared.stop.load(Ordering::SeqCst);
        match log.read(P, from, 2_000).await {
            Ok(chunk) if chunk.entries.is_empty() => {
                // What was acknowledged before it was told to stop is read by now.
                if stop && log.end(P).await.unwrap() <= from {
                    return entries;
                }
                if !stop {
                    tokio::select! {
                        waited = log.wait(P, from) => drop(waited),
                        () = tokio::time::sleep(std::time::Duration::from_millis(200)) => {}
                    }
                }
            }
            Ok(chunk) => {
                from = chunk.next;
                entries.extend(chunk.entries);
            }
            Err(error) => assert_eq!(error.kind(), Kind::Unavailable, "{error}"),
        }
    }
}
