use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use host::{Platform, Served, Service};
use model::limits;
use proto::raw::ingest_service_server::IngestServiceServer;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::budget::Budget;
use crate::rpc::Rpc;
use crate::shared::Shared;
use crate::{Settings, http};

/// After a change of the configuration every open stream checks its key. Changes that come within this time are one.
const RECHECK_PAUSE: Duration = Duration::from_millis(250);
/// A log that takes no writes for this long is a reason to send clients elsewhere.
const LOG_AWAY: Duration = Duration::from_secs(5);
/// Between two looks at whether it does.
const LOOK: Duration = Duration::from_millis(500);

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
        let service =
            IngestServiceServer::new(Rpc { shared: Arc::clone(&shared), tasks: platform.tasks.clone() })
                // The only limit on a frame: below it, memory for one is held for each stream that sends.
                .max_decoding_message_size(limits::FRAME_BYTES);
        let mut grpc = tonic::service::RoutesBuilder::default();
        grpc.add_service(service);
        let (to, able) = watch::channel(true);
        let (budget, drain) = (Arc::clone(&shared.budget), platform.drain.clone());
        platform.tasks.spawn(async move { drain.run_until_cancelled(look_at_log(&budget, to)).await });
        let names = vec!["hitmill.v1.IngestService"];
        Ok(Served { grpc, names, http: routes, able: Some(able), ..Served::default() })
    }
}

/// Says whether hits can be taken. A log that is away for a moment is waited for: to send everybody elsewhere would cost more.
async fn look_at_log(budget: &Budget, able: watch::Sender<bool>) {
    let mut broken_since = None;
    loop {
        broken_since = budget.is_broken().then(|| broken_since.unwrap_or_else(Instant::now));
        let is_able = broken_since.is_none_or(|since: Instant| since.elapsed() < LOG_AWAY);
        able.send_if_modified(|was| std::mem::replace(was, is_able) != is_able);
        tokio::time::sleep(LOOK).await;
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
