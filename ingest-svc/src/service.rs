use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use host::{Platform, Served, Service};
use model::limits;
use proto::raw::ingest_service_server::IngestServiceServer;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::rpc::Rpc;
use crate::shared::Shared;
use crate::{Settings, http};

/// After a change of the configuration every open stream checks its key. Changes that come within this time are one.
const RECHECK_PAUSE: Duration = Duration::from_millis(250);

/// The service that takes hits in.
#[derive(Debug)]
pub struct Ingest;

#[async_trait]
impl Service for Ingest {
    type Settings = Settings;

    const NAME: &'static str = "ingest";

    async fn start(platform: Platform, settings: Settings) -> anyhow::Result<Served> {
        settings.check()?;
        let reconfigured = watch::Sender::new(0);
        let shared = Arc::new(Shared::start(&platform, settings, reconfigured.subscribe()));
        platform.tasks.spawn(tell(platform.catalog.changed(), reconfigured, platform.drain.clone()));

        let routes = http::routes(Arc::clone(&shared));
        let service = IngestServiceServer::new(Rpc { shared, tasks: platform.tasks.clone() })
            // The only limit on a frame: below it, memory for one is held for each stream that sends.
            .max_decoding_message_size(limits::FRAME_BYTES);
        let mut grpc = tonic::service::RoutesBuilder::default();
        grpc.add_service(service);
        let names = vec!["hitmill.v1.IngestService"];
        Ok(Served { grpc, names, http: routes, ready: None })
    }
}

/// Tells the streams of new versions of the configuration, a few times a second at most: with many streams and merchants
/// each change would wake all of them.
async fn tell(mut changed: watch::Receiver<u64>, to: watch::Sender<u64>, drain: CancellationToken) {
    let work = async {
        while changed.changed().await.is_ok() {
            to.send_replace(*changed.borrow_and_update());
            tokio::time::sleep(RECHECK_PAUSE).await;
        }
    };
    drain.run_until_cancelled(work).await;
}
