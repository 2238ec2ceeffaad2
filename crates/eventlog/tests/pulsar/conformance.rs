use std::sync::Arc;

use eventlog::{EventLog, conformance};
use test_servers::{Server, available};

use crate::server::{open, settings, shared};

/// Ledgers of a few records, so that every check crosses from one into the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms() {
    if !available(&[Server::Pulsar]) {
        return;
    }
    let broker = shared().await;
    conformance::run(async |place: &str| {
        let log: Arc<dyn EventLog> = Arc::new(open(&settings(broker, place)).await);
        log
    })
    .await;
}
