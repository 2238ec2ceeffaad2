//! Scans.

use bytes::Bytes;

use super::{all, key, numbered};
use crate::{Batch, Pair, Store};

pub(super) async fn scans_in_byte_order(store: &dyn Store) {
    // In byte order: a prefix before what it begins, and bytes are not signed.
    let sorted: [&[u8]; 12] = [
        b"\x00",
        b"\x00\x00",
        b"\x00\xff",
        b"\x01",
        b"A",
        b"a",
        b"a\x00",
        b"a\x00b",
        b"ab",
        b"\x7f",
        b"\x80",
        b"\xff\xff",
    ];
    let mut batch = Batch::default();
    for place in [7, 2, 11, 0, 5, 9, 4, 10, 1, 8, 3, 6] {
        batch.put(Bytes::from_static(sorted[place]), vec![u8::try_from(place).unwrap() + 1]);
    }
    store.commit(batch).await.unwrap();

    let found = all(store, b"", &[0xff; 8]).await;
    let expected: Vec<Pair> =
        (1_u8..).zip(sorted).map(|(place, key)| (Bytes::from_static(key), vec![place].into())).collect();
    assert_eq!(found, expected);
    for (key, value) in expected {
        assert_eq!(store.get(&key).await.unwrap(), Some(value), "{}", key.escape_ascii());
    }
    let zeros: Vec<Bytes> = all(store, b"\x00", b"\x01").await.into_iter().map(|(key, _)| key).collect();
    assert_eq!(zeros, [&b"\x00"[..], b"\x00\x00", b"\x00\xff"]);
}

pub(super) async fn scans_within_bounds_and_limits(store: &dyn Store) {
    let mut batch = Batch::default();
    for number in 0..10 {
        batch.put(numbered("k", number), "v");
    }
    store.commit(batch).await.unwrap();
    let mut batch = Batch::default();
    batch.delete(numbered("k", 4));
    store.commit(batch).await.unwrap();

    let k = |number| numbered("k", number);
    let cases: [(Bytes, Bytes, usize, &[usize]); 9] = [
        (k(3), k(7), 100, &[3, 5, 6]), // the start is in, the end is not, the deleted is not
        (k(3), k(7), 2, &[3, 5]),
        (k(3), k(7), 3, &[3, 5, 6]),
        (k(3), k(7), 0, &[]),
        (k(4), k(5), 9, &[]),
        (k(7), k(7), 9, &[]),
        (k(7), k(3), 9, &[]), // the wrong way round
        (key("k000008x"), key("l"), 9, &[9]),
        (key("l"), key("m"), 9, &[]),
    ];
    let snapshot = store.snapshot().await.unwrap();
    for (start, end, limit, expected) in cases {
        let found: Vec<Bytes> =
            snapshot.scan(&start, &end, limit).await.unwrap().into_iter().map(|(key, _)| key).collect();
        let expected: Vec<Bytes> = expected.iter().map(|&number| k(number)).collect();
        assert_eq!(found, expected, "{start:?} to {end:?}, {limit} at most");
    }
}

pub(super) async fn scans_page_by_page(store: &dyn Store) {
    const KEYS: usize = 1_000;
    let mut batch = Batch::default();
    for number in 0..KEYS {
        batch.put(numbered("page/", number), "v");
        // A neighbour right behind each key: a page must not step over it.
        batch.put([&numbered("page/", number)[..], b"\x00"].concat(), "v");
    }
    store.commit(batch).await.unwrap();

    let snapshot = store.snapshot().await.unwrap();
    let mut start = b"page/".to_vec();
    let mut seen = Vec::new();
    loop {
        let page = snapshot.scan(&start, b"page0", 333).await.unwrap();
        assert!(page.len() <= 333, "a page of {}", page.len());
        let Some((last, _)) = page.last() else { break };
        start = [last, &b"\x00"[..]].concat();
        seen.extend(page.into_iter().map(|(key, _)| key));
    }
    assert_eq!(seen.len(), 2 * KEYS);
    assert!(
        seen.is_sorted() && seen.windows(2).all(|pair| pair[0] != pair[1]),
        "a key came twice or out of order"
    );
}
