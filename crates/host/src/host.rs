use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use catalog::remote::{self, Remote};
use futures::future::BoxFuture;
use http::{StatusCode, header};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::health::Health;
use crate::pages::{Shown, pages};
use crate::server::{Listen, Server};
use crate::stack::{self, Methods};
use crate::{Drains, Platform, Served, Service, Settings, telemetry};

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
    /// Hears of changes of the catalog over the network.
    remote: Option<Remote>,
    keeps_catalog: bool,
    new_admin_key: Option<String>,
    /// What ends after the server: token and tasks of the services that [`Drains::AfterServer`].
    after: (CancellationToken, TaskTracker),
}

struct Started {
    name: &'static str,
    grpc: Vec<&'static str>,
    ready: Option<BoxFuture<'static, ()>>,
    able: Option<watch::Receiver<bool>>,
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
            remote: None,
            keeps_catalog: false,
            new_admin_key: None,
            after: (CancellationToken::new(), TaskTracker::new()),
        }
    }

    /// Hears of changes of the configuration from config-svc, if no service in here keeps it.
    pub fn watching(self, remote: Option<Remote>) -> Self {
        Self { remote, ..self }
    }

    /// An admin key that one of the services has made at its first start: it can be shown only now.
    pub fn new_admin_key(&self) -> Option<&str> {
        self.new_admin_key.as_deref()
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
        let Served { names: grpc, ready, able, .. } = served;
        self.services.push(Started { name: S::NAME, grpc, ready, able });
        self.keeps_catalog |= S::KEEPS_CATALOG;
        self.new_admin_key = served.new_admin_key.or(self.new_admin_key);
        Ok(self)
    }

    /// Serves all services on one port until `signal`, then drains: streams and calls end first, then the workers, then
    /// the store is made safe. Returns when nothing of it runs any more.
    pub async fn serve(
        mut self,
        listener: impl Listen,
        signal: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let address = listener.local_addr()?;
        let names = self.services.iter().map(|s| (s.name, s.grpc.clone())).collect();
        let health = Arc::new(Health::new(names).await);
        self.watch_readiness(&health);
        self.watch_catalog();
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
            let (name, ready, able) = (service.name, service.ready.take(), service.able.take());
            let (health, drain) = (Arc::clone(health), self.platform.drain.clone());
            self.platform.tasks.spawn(async move {
                let watch = async {
                    if let Some(ready) = ready {
                        ready.await;
                    }
                    tracing::info!(service = name, "ready");
                    health.set_ready(name, true).await;
                    if let Some(able) = able {
                        follow(&health, name, able).await;
                    }
                };
                drain.run_until_cancelled(watch).await;
            });
        }
    }

    /// Others may change the configuration: what is known here follows, and says how far it has come.
    fn watch_catalog(&mut self) {
        let Platform { catalog, store, drain, tasks, shared, .. } = self.platform.clone();
        tasks.spawn(telemetry::version(catalog.changed(), drain.clone()));
        let remote = self.remote.take();
        if !self.keeps_catalog && (shared || remote.is_some()) {
            tasks.spawn(async move {
                drain.run_until_cancelled(remote::follow(remote, catalog, store)).await;
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

/// Says whether a service that was ready is able to serve.
async fn follow(health: &Health, name: &'static str, mut able: watch::Receiver<bool>) {
    let mut before = true;
    loop {
        let now = *able.borrow_and_update();
        if now != before {
            match now {
                true => tracing::info!(service = name, "ready again"),
                false => tracing::warn!(service = name, "not ready any more: new calls should go elsewhere"),
            }
            health.set_ready(name, now).await;
            before = now;
        }
        if able.changed().await.is_err() {
            return;
        }
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
