//! What is there after the store was closed and opened again.

use std::sync::Arc;

use super::{all, key, numbered, put};
use crate::{Batch, Pair, Store};

pub(super) async fn keeps_commits<F, Opening>(open: &F, place: usize)
where
    F: Fn(usize) -> Opening,
    Opening: Future<Output = Arc<dyn Store>>,
{
    let mut expected: Vec<Pair> = Vec::new();
    for round in 0..3 {
        let store = open(place).await;
        assert_eq!(all(&*store, b"kept/", b"kept0").await, expected, "after {round} times of opening");

        let mut durable = Batch::durable();
        durable.put(numbered("kept/durable ", round), "1").put("kept/changed", numbered("", round));
        store.commit(durable).await.unwrap();
        put(&*store, &numbered("kept/sync ", round), &key("1")).await;
        put(&*store, &numbered("kept/x ", round), &key("1")).await;
        store.sync().await.unwrap();
        let mut last = Batch::default();
        last.put(numbered("kept/buffered ", round), "1").delete(numbered("kept/x ", round));
        store.commit(last).await.unwrap();

        expected.retain(|(name, _)| name != "kept/changed");
        expected.push((key("kept/changed"), numbered("", round)));
        for name in ["kept/durable ", "kept/sync ", "kept/buffered "] {
            expected.push((numbered(name, round), key("1")));
        }
        expected.sort();
    }
    assert_eq!(all(&*open(place).await, b"kept/", b"kept0").await, expected, "at the end");
}
