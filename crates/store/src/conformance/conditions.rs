//! Preconditions.

use bytes::Bytes;

use super::{all, key, put};
use crate::{Batch, Error, Store};

pub(super) async fn requires_absence(store: &dyn Store) {
    let lease = key("absence/lease");
    conditional(store, &lease, None, "first").await.unwrap();
    let refused = conditional(store, &lease, None, "second").await.unwrap_err();
    assert_names(&refused, &lease);
    assert_eq!(store.get(&lease).await.unwrap(), Some(key("first")));

    let mut batch = Batch::default();
    batch.delete(lease.clone());
    store.commit(batch).await.unwrap();
    conditional(store, &lease, None, "third").await.unwrap();
    assert_eq!(store.get(&lease).await.unwrap(), Some(key("third")), "a deleted key is absent");
}

pub(super) async fn requires_a_value(store: &dyn Store) {
    let progress = key("value/progress");
    let refused = conditional(store, &progress, Some("1"), "2").await.unwrap_err();
    assert_names(&refused, &progress);
    assert_eq!(store.get(&progress).await.unwrap(), None, "an absent key has no value");

    put(store, &progress, &key("1")).await;
    conditional(store, &progress, Some("1"), "2").await.unwrap();
    // The old value, a beginning of the value, and one that begins with it.
    for differing in ["1", "", "22"] {
        let refused = conditional(store, &progress, Some(differing), "3").await.unwrap_err();
        assert_names(&refused, &progress);
    }
    assert_eq!(store.get(&progress).await.unwrap(), Some(key("2")));
}

pub(super) async fn applies_all_or_nothing(store: &dyn Store) {
    put(store, &key("all/a"), &key("1")).await;
    put(store, &key("all/b"), &key("1")).await;
    let before = all(store, b"all/", b"all0").await;

    // Two requirements hold, the third does not; the writes are of these keys and of others.
    let mut batch = Batch::durable();
    batch.require("all/a", Some(key("1"))).require("all/c", None).require("all/b", Some(key("2")));
    batch.put("all/a", "2").delete("all/b").put("all/c", "2");
    let refused = store.commit(batch.clone()).await.unwrap_err();
    assert_names(&refused, b"all/b");
    assert_eq!(all(store, b"all/", b"all0").await, before, "a refused batch changed something");

    put(store, &key("all/b"), &key("2")).await;
    store.commit(batch).await.unwrap();
    assert_eq!(all(store, b"all/", b"all0").await, [(key("all/a"), key("2")), (key("all/c"), key("2"))]);
}

pub(super) async fn checks_without_writing(store: &dyn Store) {
    put(store, &key("check"), &key("1")).await;
    let mut holds = Batch::durable();
    holds.require("check", Some(key("1"))).require("check/absent", None);
    store.commit(holds).await.unwrap();
    let mut fails = Batch::default();
    fails.require("check", None);
    assert_names(&store.commit(fails).await.unwrap_err(), b"check");
    store.commit(Batch::default()).await.unwrap();
}

async fn conditional(
    store: &dyn Store,
    of: &Bytes,
    required: Option<&str>,
    value: &'static str,
) -> crate::Result<()> {
    let mut batch = Batch::default();
    batch.require(of.clone(), required.map(key)).put(of.clone(), value);
    store.commit(batch).await
}

fn assert_names(error: &Error, expected: &[u8]) {
    assert!(
        matches!(error, Error::Conflict { key } if key == expected),
        "expected a conflict, was {error:?}"
    );
}
