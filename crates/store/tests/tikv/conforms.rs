use test_servers::{Server, Tikv, available};

use crate::cluster::open;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms() {
    if !available(&[Server::Tikv]) {
        return;
    }
    let cluster = Tikv::start(1).await.unwrap();
    let cluster = &cluster;
    store::conformance::run(|place| async move { open(cluster, &format!("place-{place}")).await }).await;
}
