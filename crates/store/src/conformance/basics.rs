//! Single keys and single batches.

use bytes::Bytes;

use super::{all, key, numbered, put};
use crate::{Batch, Error, MAX_KEY_BYTES, Store};

pub(super) async fn puts_gets_and_deletes(store: &dyn Store) {
    let (merchant, other) = (key("basics/merchant"), key("basics/other"));
    assert_eq!(store.get(&merchant).await.unwrap(), None, "a key that was never written");

    put(store, &merchant, &key("one")).await;
    assert_eq!(store.get(&merchant).await.unwrap(), Some(key("one")));
    assert_eq!(store.get(&other).await.unwrap(), None, "the key beside it");
    assert_eq!(store.get(b"basics/merchan").await.unwrap(), None, "a prefix of the key");

    put(store, &merchant, &key("two")).await;
    assert_eq!(store.get(&merchant).await.unwrap(), Some(key("two")), "overwritten");

    let mut batch = Batch::default();
    batch.delete(merchant.clone()).delete(other.clone());
    store.commit(batch).await.unwrap();
    assert_eq!(store.get(&merchant).await.unwrap(), None, "deleted");

    put(store, &merchant, &key("three")).await;
    assert_eq!(store.get(&merchant).await.unwrap(), Some(key("three")), "written again after it was deleted");
}

pub(super) async fn gets_many_in_the_order_asked(store: &dyn Store) {
    put(store, &key("many/a"), &key("1")).await;
    put(store, &key("many/c"), &key("3")).await;
    let asked = [key("many/c"), key("many/b"), key("many/a"), key("many/c")];
    let found = store.snapshot().await.unwrap().get_many(&asked).await.unwrap();
    assert_eq!(found, [Some(key("3")), None, Some(key("1")), Some(key("3"))]);
    assert!(store.snapshot().await.unwrap().get_many(&[]).await.unwrap().is_empty());
}

pub(super) async fn the_later_write_of_a_key_wins(store: &dyn Store) {
    let (put_last, deleted_last) = (key("twice/put"), key("twice/deleted"));
    let mut batch = Batch::default();
    batch.put(put_last.clone(), "first").delete(put_last.clone()).put(put_last.clone(), "last");
    batch.put(deleted_last.clone(), "first").put(deleted_last.clone(), "second").delete(deleted_last.clone());
    store.commit(batch).await.unwrap();
    assert_eq!(all(store, b"twice/", b"twice0").await, [(put_last, key("last"))]);
}

pub(super) async fn keeps_large_values_and_batches(store: &dyn Store) {
    // Not compressible, so that nothing makes it small on the way: the high bytes of a linear congruence.
    let mut state = 1_u64;
    let mebibyte: Bytes = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    })
    .take(1 << 20)
    .collect();
    put(store, &key("large/value"), &mebibyte).await;
    assert!(
        store.get(b"large/value").await.unwrap().unwrap() == mebibyte,
        "the value of 1 MiB came back different"
    );

    let longest = Bytes::from(vec![b'k'; MAX_KEY_BYTES]);
    put(store, &longest, &key("longest")).await;
    assert_eq!(store.get(&longest).await.unwrap(), Some(key("longest")));

    let mut batch = Batch::durable();
    for number in 0..1_000 {
        batch.put(numbered("batch/", number), numbered("value ", number));
    }
    store.commit(batch).await.unwrap();
    let found = all(store, b"batch/", b"batch0").await;
    assert_eq!(found.len(), 1_000);
    for (number, pair) in found.into_iter().enumerate() {
        assert_eq!(pair, (numbered("batch/", number), numbered("value ", number)));
    }
}

pub(super) async fn refuses_empty_values_and_bad_keys(store: &dyn Store) {
    let mut batch = Batch::default();
    batch.put("refused/a", "1").put("refused/b", "").put("refused/c", "3");
    let refused = store.commit(batch).await.unwrap_err();
    assert!(matches!(&refused, Error::EmptyValue { key } if key == "refused/b"), "was {refused:?}");
    for length in [0, MAX_KEY_BYTES + 1] {
        let bad = Bytes::from(vec![b'k'; length]);
        let mut puts = Batch::default();
        puts.put("refused/d", "4").put(bad.clone(), "5");
        let mut requires = Batch::default();
        requires.require(bad, None).put("refused/e", "6");
        for batch in [puts, requires] {
            let refused = store.commit(batch).await.unwrap_err();
            assert!(
                matches!(refused, Error::KeyLength { length: named } if named == length),
                "was {refused:?}"
            );
        }
    }
    assert_eq!(all(store, b"refused/", b"refused0").await, [], "a refused batch wrote something");
}
