//! Many tasks at once.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::numbered;
use crate::{Batch, Error, Store};

const TASKS: usize = 8;
const ROUNDS: usize = 50;

/// Compare-and-set: each task reads, adds one, and writes if nobody was faster.
pub(super) async fn increments_are_not_lost(store: Arc<dyn Store>) {
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for _ in 0..ROUNDS {
                while !try_increment(&*store).await {}
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(number(store.get(b"counter").await.unwrap()), TASKS * ROUNDS);
}

/// One task writes the same number to a hundred keys in each batch; others must never see two numbers.
pub(super) async fn batches_are_seen_whole(store: Arc<dyn Store>) {
    let writer = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for round in 1..=ROUNDS {
                let mut batch = Batch::default();
                for place in 0..100 {
                    batch.put(numbered("whole/", place), numbered("", round));
                }
                store.commit(batch).await.unwrap();
            }
        }
    });
    let mut last = None;
    let mut looks = 0;
    // The last look comes after the writer ended, so that there is one that must see the last round.
    loop {
        let ended = writer.is_finished();
        let found = store.snapshot().await.unwrap().scan(b"whole/", b"whole0", 1_000).await.unwrap();
        let rounds: Vec<&Bytes> = found.iter().map(|(_, value)| value).collect();
        assert!(
            rounds.len() == 100 || rounds.is_empty() && last.is_none(),
            "saw {} keys of 100",
            rounds.len()
        );
        assert!(rounds.windows(2).all(|pair| pair[0] == pair[1]), "saw a part of a batch: {rounds:?}");
        let seen = rounds.first().map(|&round| round.clone());
        assert!(seen >= last, "went back from {last:?} to {seen:?}");
        last = seen;
        looks += 1;
        if ended {
            break;
        }
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
    assert_eq!(last, Some(numbered("", ROUNDS)), "the last of {looks} looks");
}

/// What a plain get has seen of a batch, every snapshot that is taken later sees as well.
pub(super) async fn a_get_never_sees_a_batch_before_snapshots_do(store: Arc<dyn Store>) {
    let writer = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for round in 1..=ROUNDS * 4 {
                let mut batch = Batch::default();
                for place in 0..500 {
                    batch.put(numbered("get/", place), numbered("", round));
                }
                store.commit(batch).await.unwrap();
            }
        }
    });
    while !writer.is_finished() {
        let first = store.get(&numbered("get/", 0)).await.unwrap();
        let last = store.snapshot().await.unwrap().get(&numbered("get/", 499)).await.unwrap();
        assert!(last >= first, "get saw {first:?}, and a snapshot after it {last:?}");
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
}

async fn try_increment(store: &dyn Store) -> bool {
    let old = store.get(b"counter").await.unwrap();
    let mut batch = Batch::default();
    batch.put("counter", (number(old.clone()) + 1).to_string());
    batch.require("counter", old);
    let done = store.commit(batch).await;
    assert!(matches!(done, Ok(()) | Err(Error::Conflict { .. })), "was {done:?}");
    done.is_ok()
}

fn number(value: Option<Bytes>) -> usize {
    value.map_or(0, |digits| String::from_utf8(digits.to_vec()).unwrap().parse().unwrap())
}
