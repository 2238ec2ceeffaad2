//! What the tests share: stores in a cluster, and short ways to use them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use store::tikv::{Settings, TikvStore};
use store::{Batch, Pair, Store};
use test_servers::Tikv;

pub(crate) fn settings(cluster: &Tikv, prefix: &str) -> Settings {
    let endpoints = cluster.endpoints().join(",");
    Settings { endpoints, prefix: prefix.to_owned(), ..Settings::default() }
}

pub(crate) async fn open(cluster: &Tikv, prefix: &str) -> Arc<dyn Store> {
    open_with(&settings(cluster, prefix)).await
}

/// One that gives up soon.
pub(crate) async fn open_hasty(cluster: &Tikv, prefix: &str) -> Arc<dyn Store> {
    open_with(&Settings { timeout_ms: 400, ..settings(cluster, prefix) }).await
}

pub(crate) async fn open_with(settings: &Settings) -> Arc<dyn Store> {
    Arc::new(TikvStore::open(settings).await.unwrap())
}

/// All pairs whose key begins with `prefix`, which ends in a slash.
pub(crate) async fn all(store: &dyn Store, prefix: &str) -> Vec<Pair> {
    let end = prefix.replace('/', "0");
    store.snapshot().await.unwrap().scan(prefix.as_bytes(), end.as_bytes(), usize::MAX).await.unwrap()
}

pub(crate) async fn put(store: &dyn Store, key: &str, value: &str) {
    let mut batch = Batch::default();
    batch.put(key.to_owned(), value.to_owned());
    store.commit(batch).await.unwrap();
}

/// Puts `value` under `count` keys that begin with `prefix`.
pub(crate) fn batch_of(prefix: &str, count: usize, value: &[u8]) -> Batch {
    let mut batch = Batch::default();
    for number in 0..count {
        batch.put(format!("{prefix}{number:06}"), Bytes::copy_from_slice(value));
    }
    batch
}

/// Waits until it is so, for half a minute at most.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
