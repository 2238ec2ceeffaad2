//! What a snapshot sees, and for how long.

use std::sync::Arc;

use bytes::Bytes;

use super::{key, numbered, put};
use crate::{Batch, Pair, Store};

const KEYS: usize = 3_000;

pub(super) async fn see_what_was_before_and_nothing_after(store: &dyn Store) {
    let empty = store.snapshot().await.unwrap();
    put(store, &key("see/kept"), &key("1")).await;
    put(store, &key("see/changed"), &key("1")).await;
    put(store, &key("see/deleted"), &key("1")).await;
    let before = store.snapshot().await.unwrap();

    let mut batch = Batch::default();
    batch.put("see/changed", "2").delete("see/deleted").put("see/new", "2");
    store.commit(batch).await.unwrap();
    let after = store.snapshot().await.unwrap();

    let one = |name: &str| (key(name), key("1"));
    let two = |name: &str| (key(name), key("2"));
    let expected: [(_, Vec<Pair>); 3] = [
        (&empty, vec![]),
        (&before, vec![one("see/changed"), one("see/deleted"), one("see/kept")]),
        (&after, vec![two("see/changed"), one("see/kept"), two("see/new")]),
    ];
    let names = ["see/changed", "see/deleted", "see/kept", "see/new"].map(key);
    for (snapshot, pairs) in expected {
        assert_eq!(snapshot.scan(b"see/", b"see0", 100).await.unwrap(), pairs);
        let value = |name: &Bytes| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let values: Vec<_> = names.iter().map(value).collect();
        assert_eq!(snapshot.get_many(&names).await.unwrap(), values);
        for (name, value) in names.iter().zip(values) {
            assert_eq!(snapshot.get(name).await.unwrap(), value);
        }
    }
}

/// Pages of one snapshot are read while every key is changed or deleted again and again.
pub(super) async fn stay_as_they_are_under_many_changes(store: Arc<dyn Store>) {
    write_all(&*store, 0).await;
    let snapshot = store.snapshot().await.unwrap();
    let writer = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for round in 1..=5 {
                write_all(&*store, round).await;
            }
        }
    });

    let mut passes = 0;
    // The last pass begins after the last change.
    loop {
        let ended = writer.is_finished();
        let mut start = Bytes::from_static(b"stay/");
        for number in (0..KEYS).step_by(100) {
            let page = snapshot.scan(&start, b"stay0", 100).await.unwrap();
            let expected: Vec<Pair> = (number..number + 100).map(|number| pair(number, 0)).collect();
            assert!(page == expected, "pass {passes}: the page from key {number} changed");
            start = [&page.last().unwrap().0[..], b"\x00"].concat().into();
            tokio::task::yield_now().await;
        }
        passes += 1;
        if ended {
            break;
        }
    }
    writer.await.unwrap();
    let now = store.snapshot().await.unwrap().scan(b"stay/", b"stay0", usize::MAX).await.unwrap();
    let expected: Vec<Pair> =
        (0..KEYS).filter(|number| !deleted(*number, 5)).map(|number| pair(number, 5)).collect();
    assert!(now == expected, "a new snapshot does not see the last round");
}

async fn write_all(store: &dyn Store, round: usize) {
    for first in (0..KEYS).step_by(500) {
        let mut batch = Batch::default();
        for number in first..first + 500 {
            let (key, value) = pair(number, round);
            if deleted(number, round) {
                batch.delete(key)
            } else {
                batch.put(key, value)
            };
        }
        store.commit(batch).await.unwrap();
    }
}

/// In each later round another seventh of the keys is missing.
fn deleted(number: usize, round: usize) -> bool {
    round > 0 && number % 7 == round
}

fn pair(number: usize, round: usize) -> Pair {
    (numbered("stay/", number), numbered("round ", round))
}
