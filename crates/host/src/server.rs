//! The port: who is let in, under which limits a connection is served, and how it is closed.

mod gate;
mod listen;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpConnectInfo;
use tower::ServiceExt;

use crate::Settings;
use gate::Gate;
pub use listen::{Connection, Listen};

/// After a failure to accept (no file descriptors left): trying again at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Buffer for the headers of an HTTP/1 request, like the header list of HTTP/2; hyper wants at least 8 KiB.
const MIN_HTTP1_BUFFER: usize = 8 << 10;

/// Listens on `address`.
pub async fn bind(address: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|e| match e.kind() {
        std::io::ErrorKind::AddrInUse => {
            anyhow::anyhow!("{address} is in use: stop what listens there, or choose another address")
        }
        _ => anyhow::anyhow!(
            "failed to listen on {address}: {e}: an address is HOST:PORT, such as 127.0.0.1:7700"
        ),
    })
}

/// Serves connections.
#[derive(Clone)]
pub(crate) struct Server {
    http: Builder<TokioExecutor>,
    app: Router,
    gate: Arc<Gate>,
    first_byte: Duration,
    cut: CancellationToken,
}

impl Server {
    /// A server of `app`.
    pub(crate) fn new(app: Router, settings: &Settings) -> Self {
        Self {
            http: http(settings),
            app,
            gate: Arc::new(Gate::new(settings.max_connections, settings.max_connections_per_address)),
            first_byte: Duration::from_secs(settings.header_timeout_seconds),
            cut: CancellationToken::new(),
        }
    }

    /// Accepts connections until `close`, then ends each when its calls have ended, at the latest after `limit`. Gives
    /// how many had to be cut off.
    pub(crate) async fn run(
        self,
        listener: impl Listen,
        close: CancellationToken,
        limit: Duration,
    ) -> anyhow::Result<usize> {
        let graceful = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                () = close.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => self.admit(stream, peer, graceful.watcher()),
                Err(e) => {
                    tracing::warn!(error = %e, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        // Closed before the drain: a client that connects now is refused at once instead of hanging.
        drop(listener);
        let gate = Arc::clone(&self.gate);
        let cut = self.cut.clone();
        let done = tokio::time::timeout(limit, graceful.shutdown()).await;
        let left = if done.is_ok() { 0 } else { gate.open() };
        cut.cancel();
        Ok(left)
    }

    fn admit(&self, stream: impl Connection, peer: SocketAddr, watcher: Watcher) {
        let Some(pass) = self.gate.enter(peer.ip()) else { return };
        let server = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = server.cut.cancelled() => {}
                served = server.connection(stream, peer, watcher) => {
                    if let Err(e) = served {
                        tracing::debug!(error = format!("{e:#}"), "a connection ended");
                    }
                }
            }
            drop(pass);
        });
    }

    async fn connection(
        &self,
        mut stream: impl Connection,
        peer: SocketAddr,
        watcher: Watcher,
    ) -> anyhow::Result<()> {
        // Acks and credits are small and must not wait for more.
        stream.set_nodelay()?;
        let local = stream.local_addr().ok();
        tokio::time::timeout(self.first_byte, stream.readable()).await.context("nothing was sent")??;
        let app = self.app.clone().map_request(move |mut request: http::Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(TcpConnectInfo { local_addr: local, remote_addr: Some(peer) });
            request
        });
        let io = TokioIo::new(stream);
        let connection =
            self.http.serve_connection_with_upgrades(io, TowerToHyperService::new(app)).into_owned();
        watcher.watch(connection).await.map_err(|e| anyhow::anyhow!(e))
    }
}

/// Every limit by hand: see [`Http2`](crate::settings::Http2) for the reasons.
fn http(settings: &Settings) -> Builder<TokioExecutor> {
    let limits = &settings.http2;
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        // Without a timer there is no timeout.
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(settings.header_timeout_seconds))
        .max_buf_size((limits.header_list_bytes as usize).max(MIN_HTTP1_BUFFER));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.max_streams)
        // Windows that adapt would start from 65,535 bytes and forget these two.
        .adaptive_window(false)
        .initial_stream_window_size(limits.stream_window_bytes)
        .initial_connection_window_size(limits.connection_window_bytes)
        .max_frame_size(limits.frame_bytes)
        .max_header_list_size(limits.header_list_bytes)
        .max_pending_accept_reset_streams(limits.pending_resets)
        .max_local_error_reset_streams(limits.local_resets)
        .keep_alive_interval(Duration::from_secs(limits.keepalive_seconds))
        .keep_alive_timeout(Duration::from_secs(limits.keepalive_timeout_seconds));
    builder
}
