//! The port while its services wait for what they stand on: alive, not ready, and clear about it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::health::Health;
use crate::pages::{Shown, pages};
use crate::server::Server;
use crate::{Settings, telemetry};

/// What is not ready.
const WAITING: &str = "waiting for the event log and the store";
/// Whoever still asks when the services come knows nothing that is worth waiting for.
const LIMIT: Duration = Duration::from_secs(1);

/// A server that only says that nothing is ready. Dropped, it stops at once.
pub(crate) struct Lobby {
    health: Arc<Health>,
    close: CancellationToken,
    serving: JoinHandle<anyhow::Result<usize>>,
}

/// Serves at a port until the lobby is closed; connections that come later wait at the port that is given back.
pub(crate) async fn open(listener: TcpListener, settings: &Settings) -> anyhow::Result<(TcpListener, Lobby)> {
    let listener = listener.into_std()?;
    let twin = TcpListener::from_std(listener.try_clone().context("failed to open the port twice")?)?;
    telemetry::init_metrics();
    let health = Arc::new(Health::new(vec![(WAITING, Vec::new())]).await);
    let mut grpc = tonic::service::RoutesBuilder::default();
    grpc.add_service(health.server());
    let shown = Shown { health: Arc::clone(&health), data: settings.data.clone() };
    let app: Router = grpc.routes().into_axum_router().reset_fallback();
    let app = app.merge(pages(shown).fallback(not_yet));
    let close = CancellationToken::new();
    let serving = tokio::spawn(Server::new(app, settings).run(twin, close.clone(), LIMIT));
    Ok((TcpListener::from_std(listener)?, Lobby { health, close, serving }))
}

impl Lobby {
    /// Ends it.
    pub(crate) async fn close(mut self) {
        self.health.end_watches().await;
        self.close.cancel();
        if let Err(error) = (&mut self.serving).await {
            tracing::warn!("the port did not close well: {error}");
        }
    }
}

impl Drop for Lobby {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// To be tried again, whatever it is.
async fn not_yet(request: Request) -> Response {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    if content_type.is_some_and(|t| t.as_bytes().starts_with(b"application/grpc")) {
        return tonic::Status::unavailable(WAITING).into_http::<Body>();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("{WAITING}\n")).into_response()
}
