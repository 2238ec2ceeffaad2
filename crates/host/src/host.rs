use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use http::{StatusCode, header};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::health::Health;
use crate::pages::{Shown, pages};
use crate::server::Server;
use crate::stack::{self, Methods};
use crate::{Drains, Platform, Service, Settings, telemetry};

/// The contract, and the gRPC services that every host has.
const DESCRIPTORS: [&[u8]; 4] = [
    proto::DESCRIPTORS,
    tonic_health::pb::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
];
const OWN_SERVICES: [&str; 3] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// Runs services: all in one process, or one alone. There is no other way in which a service runs.
pub struct Host {
    platform: Platform,
    settings: Settings,
    grpc: Router,
    http: Router,
    services: Vec<Started>,
    /// What ends after the server: token and tasks of the services that [`Drains::AfterServer`].
    after: (CancellationToken, TaskTracker),
}

struct Started {
    name: &'static str,
    grpc: Vec<&'static str>,
    ready: Option<BoxFuture<'static, ()>>,
}

impl Host {
    /// A host without services.
    pub fn new(platform: Platform, settings: Settings) -> Self {
        telemetry::init_metrics();
        Self {
            platform,
            settings,
            grpc: Router::new(),
            http: Router::new(),
            services: Vec::new(),
            after: (CancellationToken::new(), TaskTracker::new()),
        }
    }

    /// Starts a service.
    pub async fn with<S: Service>(mut self, settings: S::Settings) -> anyhow::Result<Self> {
        let mut platform = self.platform.clone();
        if S::DRAINS == Drains::AfterServer {
            (platform.drain, platform.tasks) = self.after.clone();
        }
        let served =
            S::start(platform, settings).await.with_context(|| format!("failed to start {}", S::NAME))?;
        // Each brings a fallback of its own; the host's is for all.
        self.grpc = self.grpc.merge(served.grpc.routes().into_axum_router().reset_fallback());
        self.http = self.http.merge(served.http);
        self.services.push(Started { name: S::NAME, grpc: served.names, ready: served.ready });
        Ok(self)
    }

    /// Serves all services on one port until `signal`, then drains: streams and calls end first, then the workers, then
    /// the store is made safe. Returns when nothing of it runs any more.
    pub async fn serve(
        mut self,
        listener: TcpListener,
        signal: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let address = listener.local_addr()?;
        let names = self.services.iter().map(|s| (s.name, s.grpc.clone())).collect();
        let health = Arc::new(Health::new(names).await);
        self.watch_readiness(&health);
        self.platform.tasks.spawn(telemetry::upkeep(self.platform.drain.clone()));

        let app = self.app(&health)?;
        let close = CancellationToken::new();
        let server = Server::new(app, &self.settings).run(listener, close.clone(), self.limit());
        let server = tokio::spawn(server);
        tracing::info!(%address, "serving");

        signal.await;
        self.drain(&health, close, server).await
    }

    fn watch_readiness(&mut self, health: &Arc<Health>) {
        for service in &mut self.services {
            let (name, ready) = (service.name, service.ready.take());
            let (health, drain) = (Arc::clone(health), self.platform.drain.clone());
            self.platform.tasks.spawn(async move {
                let ready = async {
                    if let Some(ready) = ready {
                        ready.await;
                    }
                };
                if drain.run_until_cancelled(ready).await.is_some() {
                    tracing::info!(service = name, "ready");
                    health.ready(name).await;
                }
            });
        }
    }

    fn app(&mut self, health: &Arc<Health>) -> anyhow::Result<Router> {
        let methods = Arc::new(Methods::of(&DESCRIPTORS)?);
        let mut own = tonic::service::RoutesBuilder::default();
        own.add_service(health.server());
        own.add_service(self.reflection().build_v1()?);
        own.add_service(self.reflection().build_v1alpha()?);
        let grpc = std::mem::take(&mut self.grpc).merge(own.routes().into_axum_router().reset_fallback());
        let http = std::mem::take(&mut self.http);
        let pages = pages(Shown { health: Arc::clone(health), data: self.settings.data.clone() });

        Ok(stack::around_grpc(grpc, &methods)
            .merge(stack::around_http(http, &methods, self.settings.http_body_bytes))
            .merge(stack::around_pages(pages.fallback(nothing_here), &methods)))
    }

    /// What grpcurl sees: the services that run here, not all of the contract.
    fn reflection(&self) -> tonic_reflection::server::Builder<'static> {
        let builder = tonic_reflection::server::Builder::configure().include_reflection_service(false);
        let builder = DESCRIPTORS.iter().fold(builder, |b, set| b.register_encoded_file_descriptor_set(set));
        let served = self.services.iter().flat_map(|service| &service.grpc);
        served.chain(&OWN_SERVICES).fold(builder, |b, name| b.with_service_name(*name))
    }

    /// The order matters: when the streams have ended nothing more is appended, so the workers can fold all that is left,
    /// and when those have ended nothing more is committed.
    async fn drain(
        self,
        health: &Health,
        close: CancellationToken,
        server: tokio::task::JoinHandle<anyhow::Result<usize>>,
    ) -> anyhow::Result<()> {
        let started = Instant::now();
        tracing::info!("draining; a second signal leaves at once");
        health.drain().await;
        tokio::time::sleep(Duration::from_millis(self.settings.drain_notice_ms)).await;

        self.platform.drain.cancel();
        health.end_watches().await;
        close.cancel();
        let cut_off = server.await.context("the server failed")??;
        let serving = wait(&self.platform.tasks, self.limit()).await;

        self.after.0.cancel();
        let working = wait(&self.after.1, self.limit()).await;

        self.platform.store.sync().await.context("failed to make the store safe")?;
        let took_ms = started.elapsed().as_millis() as u64;
        match cut_off + serving + working {
            0 => tracing::info!(took_ms, "drained: every call and every task ended by itself"),
            _ => tracing::warn!(
                took_ms,
                connections_cut = cut_off,
                tasks_left = serving + working,
                "drained, but not all ended in time: what was not acknowledged will be sent again, and what is in the \
                 log will be folded at the next start"
            ),
        }
        Ok(())
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(self.settings.drain_seconds)
    }
}

/// Waits until all tasks have ended, but no longer than `limit`; gives how many are left.
async fn wait(tasks: &TaskTracker, limit: Duration) -> usize {
    tasks.close();
    match tokio::time::timeout(limit, tasks.wait()).await {
        Ok(()) => 0,
        Err(_) => tasks.len(),
    }
}

async fn nothing_here(request: Request) -> Response {
    let path = request.uri().path();
    let content_type = request.headers().get(header::CONTENT_TYPE);
    if content_type.is_some_and(|t| t.as_bytes().starts_with(b"application/grpc")) {
        return tonic::Status::unimplemented(format!("no method {path} here")).into_http::<Body>();
    }
    (StatusCode::NOT_FOUND, format!("nothing at {path}: / says where to look\n")).into_response()
}
