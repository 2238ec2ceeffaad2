use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use host::{Platform, Served, Service};
use proto::v1::config_service_server::{ConfigServiceServer, SERVICE_NAME};

use crate::{Rpc, Settings};

/// The service.
pub struct Config;

#[async_trait]
impl Service for Config {
    type Settings = Settings;

    const NAME: &'static str = "config";

    async fn start(platform: Platform, settings: Settings) -> anyhow::Result<Served> {
        let (store, catalog, drain) =
            (Arc::clone(&platform.store), platform.catalog.clone(), platform.drain.clone());
        let every = Duration::from_millis(settings.follow_ms);
        platform.tasks.spawn(async move {
            drain.run_until_cancelled_owned(catalog.follow(&*store, every)).await;
        });

        let mut served = Served::default();
        served.grpc.add_service(ConfigServiceServer::new(Rpc::new(platform)));
        served.names.push(SERVICE_NAME);
        Ok(served)
    }
}
