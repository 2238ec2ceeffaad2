use std::collections::BTreeMap;

use tokio::sync::Mutex;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

/// The name under which health is asked for the process as a whole.
const OVERALL: &str = "";

/// Which services are ready, told to load balancers over gRPC and to people over `/readyz`.
pub(crate) struct Health {
    reporter: HealthReporter,
    state: Mutex<State>,
}

struct State {
    services: BTreeMap<&'static str, Service>,
    draining: bool,
}

struct Service {
    grpc: Vec<&'static str>,
    ready: bool,
}

impl Health {
    /// Health of services by name, with the gRPC services of each. None is ready.
    pub(crate) async fn new(services: Vec<(&'static str, Vec<&'static str>)>) -> Self {
        let services =
            services.into_iter().map(|(name, grpc)| (name, Service { grpc, ready: false })).collect();
        let health =
            Self { reporter: HealthReporter::new(), state: Mutex::new(State { services, draining: false }) };
        health.report(&*health.state.lock().await).await;
        health
    }

    /// The gRPC service `grpc.health.v1.Health`.
    pub(crate) fn server(&self) -> HealthServer<HealthService> {
        HealthServer::new(HealthService::from_health_reporter(self.reporter.clone()))
    }

    /// A service has become ready, or no longer is.
    pub(crate) async fn set_ready(&self, service: &str, ready: bool) {
        let mut state = self.state.lock().await;
        if let Some(service) = state.services.get_mut(service) {
            service.ready = ready;
        }
        self.report(&state).await;
    }

    /// From now on nothing is ready: load balancers send new calls elsewhere.
    pub(crate) async fn drain(&self) {
        let mut state = self.state.lock().await;
        state.draining = true;
        self.report(&state).await;
    }

    /// Ends the streams on which health is watched: they would never end by themselves, and the drain waits for streams.
    pub(crate) async fn end_watches(&self) {
        let mut reporter = self.reporter.clone();
        let state = self.state.lock().await;
        for name in state.grpc().map(|(name, _)| name).chain([OVERALL]) {
            reporter.clear_service_status(name).await;
        }
    }

    /// Why the process is not ready, or `None` if it is.
    pub(crate) async fn why_not(&self) -> Option<String> {
        let state = self.state.lock().await;
        if state.draining {
            return Some("draining".to_owned());
        }
        let waiting: Vec<&str> =
            state.services.iter().filter(|(_, service)| !service.ready).map(|(name, _)| *name).collect();
        (!waiting.is_empty()).then(|| format!("not ready: {}", waiting.join(", ")))
    }

    async fn report(&self, state: &State) {
        for (name, ready) in state.grpc() {
            self.reporter.set_service_status(name, status(ready && !state.draining)).await;
        }
        let all = state.services.values().all(|service| service.ready);
        self.reporter.set_service_status(OVERALL, status(all && !state.draining)).await;
    }
}

impl State {
    fn grpc(&self) -> impl Iterator<Item = (&'static str, bool)> {
        self.services.values().flat_map(|service| service.grpc.iter().map(|name| (*name, service.ready)))
    }
}

fn status(serving: bool) -> ServingStatus {
    if serving { ServingStatus::Serving } else { ServingStatus::NotServing }
}
