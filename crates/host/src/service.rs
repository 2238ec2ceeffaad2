use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Platform;

/// One service: ingest, rollup, query or config.
#[async_trait]
pub trait Service {
    /// What an operator tunes of it; the default is good for one machine.
    type Settings: Default + Serialize + DeserializeOwned + Send + Sync;

    /// Its name: the section of the settings, and the field `service` of its spans.
    const NAME: &'static str;

    /// When its `platform.drain` is cancelled.
    const DRAINS: Drains = Drains::WithServer;

    /// Whether it keeps the catalog of its process up to date by itself.
    const KEEPS_CATALOG: bool = false;

    /// Starts its tasks on `platform.tasks` (which stop by `platform.drain`) and says what it serves.
    async fn start(platform: Platform, settings: Self::Settings) -> anyhow::Result<Served>;
}

/// When a service is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drains {
    /// At once: streams say GoAway, and the server waits for them.
    WithServer,
    /// When the server is closed and nothing more will come: a worker folds the rest of the log, commits, and ends.
    AfterServer,
}

/// What a service serves on the shared port.
#[derive(Default)]
pub struct Served {
    /// Its gRPC services, with the names that health reports on.
    pub grpc: tonic::service::RoutesBuilder,
    /// Full names of the gRPC services: `hitmill.v1.QueryService`.
    pub names: Vec<&'static str>,
    /// Its plain HTTP routes.
    pub http: axum::Router,
    /// Resolves when the service is ready to serve (rollup: caught up with the log once); health says so.
    pub ready: Option<futures::future::BoxFuture<'static, ()>>,
    /// Whether it can serve now, if that may change after it was ready; health says so.
    pub able: Option<tokio::sync::watch::Receiver<bool>>,
    /// An admin key that this start has made: it can be shown only now.
    pub new_admin_key: Option<String>,
}
