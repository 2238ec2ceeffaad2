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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_check_response::ServingStatus;
    use tonic_health::pb::health_client::HealthClient;

    use super::*;

    async fn get(address: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn the_port_says_what_is_waited_for_and_is_handed_on() {
        let listener = crate::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (listener, lobby) = open(listener, &Settings::default()).await.unwrap();

        assert!(get(&address, "/healthz").await.starts_with("HTTP/1.1 200"));
        let readyz = get(&address, "/readyz").await;
        assert!(readyz.starts_with("HTTP/1.1 503"), "{readyz}");
        assert!(readyz.ends_with("not ready: waiting for the event log and the store\n"), "{readyz}");
        assert!(get(&address, "/v1/batches").await.starts_with("HTTP/1.1 503"));

        let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
        let channel = channel.connect().await.unwrap();
        let health = HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await.unwrap();
        assert_eq!(health.into_inner().status(), ServingStatus::NotServing);
        let mut ingest = proto::v1::ingest_service_client::IngestServiceClient::new(channel);
        let refused = ingest.send(proto::v1::SendRequest::default()).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Unavailable, "to be tried again");

        lobby.close().await;
        let (connected, accepted) = tokio::join!(TcpStream::connect(&address), listener.accept());
        assert!(connected.is_ok() && accepted.is_ok());
    }
}
