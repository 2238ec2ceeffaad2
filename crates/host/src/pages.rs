use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use http::{StatusCode, header};

use crate::health::Health;
use crate::telemetry;

/// What `/` says.
const INDEX: &str = "hitmill: streaming analytics over gRPC.

gRPC, gRPC-web and HTTP share this port.

  grpcurl -plaintext HOST:PORT list     every gRPC service (reflection is on)
  hitmill --help                        the command line that talks to this server
  /readyz                               whether it is ready, and if not, why
  /healthz                              whether it is alive
  /metrics                              what it does, for Prometheus
";

/// What the pages show.
pub(crate) struct Shown {
    /// Which services are ready.
    pub(crate) health: Arc<Health>,
    /// Whose disk matters.
    pub(crate) data: PathBuf,
}

/// The pages that every process has, whatever it serves.
pub(crate) fn pages(shown: Shown) -> Router {
    Router::new()
        .route("/", get(|| async { INDEX }))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Arc::new(shown))
}

async fn readyz(State(shown): State<Arc<Shown>>) -> impl IntoResponse {
    match shown.health.why_not().await {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

async fn metrics(State(shown): State<Arc<Shown>>) -> impl IntoResponse {
    // The version is that of the text format, which scrapers negotiate by.
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], telemetry::exposition(&shown.data))
}
