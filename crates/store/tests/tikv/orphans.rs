//! A client that dies after it locked a key, and before it locked the primary one, leaves a lock that nothing tells about.

use bytes::Bytes;
use store::{Batch, Store};
use test_servers::Tikv;
use tikv_client::{TimestampExt, TransactionClient};

use crate::cluster::{all, open, put};
use crate::wire::lock;

pub(crate) async fn what_a_dead_client_left_without_a_trace_is_undone(cluster: &Tikv) {
    let store = open(cluster, "orphans").await;
    let store: &dyn Store = &*store;

    put(store, "a/kept", "kept").await;
    leave_lock(cluster, "a/get").await;
    assert_eq!(store.get(b"a/get").await.unwrap(), None);

    leave_lock(cluster, "a/many").await;
    let keys: [Bytes; 2] = ["a/kept".into(), "a/many".into()];
    let found = store.snapshot().await.unwrap().get_many(&keys).await.unwrap();
    assert_eq!(found, [Some("kept".into()), None]);

    leave_lock(cluster, "a/scan").await;
    assert_eq!(all(store, "a/").await, [("a/kept".into(), "kept".into())]);

    leave_lock(cluster, "a/required").await;
    let mut batch = Batch::default();
    batch.require("a/required", None).put("a/required", "ours");
    store.commit(batch).await.unwrap();

    leave_lock(cluster, "a/written").await;
    put(store, "a/written", "ours").await;
    let keys: Vec<Bytes> = all(store, "a/").await.into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["a/kept", "a/required", "a/written"]);
}

/// Of a commit that began ten seconds ago, and so is past the life of its lock.
async fn leave_lock(cluster: &Tikv, key: &str) {
    let client = TransactionClient::new(cluster.endpoints()).await.unwrap();
    let mut start = client.current_timestamp().await.unwrap();
    start.physical -= 10_000;
    lock(cluster, &format!("orphans/{key}"), &format!("orphans/{key}/primary"), start.version()).await;
}
