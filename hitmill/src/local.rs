//! Everything in this process: the four services over the log and the store of one directory.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use clock::Clock;
use config_svc::Config;
use host::{Host, Platform};
use ingest_svc::Ingest;
use query_svc::Query;
use rollup_svc::Rollup;
use tokio::net::TcpListener;

use crate::settings::Settings;

/// All services, started and listening, not yet serving.
pub(crate) struct Local {
    /// Where they listen.
    pub(crate) address: SocketAddr,
    /// The admin key, if this start has made one: it cannot be shown again.
    pub(crate) new_admin_key: Option<String>,
    host: Host,
    listener: TcpListener,
}

impl Local {
    /// Opens the data and starts the services. `admin_key` becomes the admin key if there is none yet.
    pub(crate) async fn start(settings: Settings, admin_key: Option<String>) -> anyhow::Result<Self> {
        // First, because it fails fast: opening the data may have to read a long journal.
        let listener = host::bind(&settings.host.listen).await?;
        let address = listener.local_addr()?;
        let data = settings.host.data.clone();
        let platform = host::platform::embedded(&data, settings.log, settings.store, Clock::system()).await?;
        let new_admin_key = bootstrap(&platform, admin_key).await?;
        let host = Host::new(platform, settings.host)
            .with::<Config>(settings.config)
            .await?
            .with::<Rollup>(settings.rollup)
            .await?
            .with::<Query>(settings.query)
            .await?
            .with::<Ingest>(settings.ingest)
            .await?;
        Ok(Self { address, new_admin_key, host, listener })
    }

    /// Serves until `signal`, then drains.
    pub(crate) async fn serve(self, signal: impl Future<Output = ()>) -> anyhow::Result<()> {
        self.host.serve(self.listener, signal).await
    }
}

async fn bootstrap(platform: &Platform, admin_key: Option<String>) -> anyhow::Result<Option<String>> {
    let (store, catalog, clock) =
        (Arc::clone(&platform.store), platform.catalog.clone(), platform.clock.clone());
    config_svc::bootstrap(store, catalog, clock, admin_key).await.context("failed to make the admin key")
}
