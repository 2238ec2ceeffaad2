//! What the tests share: a cluster, and stores in it.

use std::sync::Arc;

use store::Store;
use store::tikv::{Settings, TikvStore};
use test_servers::Tikv;

pub(crate) fn settings(cluster: &Tikv, prefix: &str) -> Settings {
    let endpoints = cluster.endpoints().join(",");
    Settings { endpoints, prefix: prefix.to_owned(), ..Settings::default() }
}

pub(crate) async fn open(cluster: &Tikv, prefix: &str) -> Arc<dyn Store> {
    Arc::new(TikvStore::open(&settings(cluster, prefix)).await.unwrap())
}
