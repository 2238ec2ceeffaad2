use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use host::{Platform, Served, Service};
use proto::v1::config_service_server::{ConfigServiceServer, SERVICE_NAME};

use crate::{Rpc, Settings, bootstrap};

/// The service.
pub struct Config;

#[async_trait]
impl Service for Config {
    type Settings = Settings;

    const NAME: &'static str = "config";
    const KEEPS_CATALOG: bool = true;

    async fn start(platform: Platform, settings: Settings) -> anyhow::Result<Served> {
        let Platform { store, catalog, clock, drain, .. } = platform.clone();
        let given = (!settings.admin_key.is_empty()).then_some(settings.admin_key);
        let new_admin_key = bootstrap(Arc::clone(&store), catalog.clone(), clock, given)
            .await
            .context("failed to make the admin key")?;
        let every = Duration::from_millis(settings.follow_ms);
        platform.tasks.spawn(async move {
            drain.run_until_cancelled_owned(catalog.follow(&*store, every)).await;
        });

        let mut served = Served { new_admin_key, ..Served::default() };
        served.grpc.add_service(ConfigServiceServer::new(Rpc::new(platform)));
        served.names.push(SERVICE_NAME);
        Ok(served)
    }
}
