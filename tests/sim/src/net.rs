//! The network of the simulation, as servers and clients see it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use host::{Connection, Listen};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::Status;
use tonic::transport::{Channel, Endpoint, Error as TransportError, Uri};
use tower::service_fn;
use turmoil::net::{TcpListener, TcpStream};

/// The port of every server.
pub(crate) const PORT: u16 = 7700;

/// The port of a simulated machine.
pub(crate) struct Port(TcpListener);

impl Port {
    /// Listens on it.
    pub(crate) async fn open() -> io::Result<Self> {
        Ok(Self(TcpListener::bind(("0.0.0.0", PORT)).await?))
    }
}

impl Listen for Port {
    type Connection = Wire;

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    async fn accept(&self) -> io::Result<(Wire, SocketAddr)> {
        let (stream, peer) = self.0.accept().await?;
        Ok((Wire(stream), peer))
    }
}

/// A connection that a simulated server has accepted.
pub(crate) struct Wire(TcpStream);

impl Connection for Wire {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn set_nodelay(&self) -> io::Result<()> {
        self.0.set_nodelay(true)
    }

    async fn readable(&mut self) -> io::Result<()> {
        self.0.peek(&mut [0]).await.map(drop)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Connects to one of the servers.
pub(crate) async fn connect_to(servers: &[IpAddr], turn: usize) -> Result<Channel, Status> {
    let endpoint = Endpoint::from_shared(format!("http://{}:{PORT}", servers[turn % servers.len()]));
    let endpoint = endpoint.map_err(|error| Status::internal(error.to_string()))?;
    let endpoint = endpoint.connect_timeout(Duration::from_secs(5));
    connect(endpoint).await.map_err(|error| Status::unavailable(error.to_string()))
}

/// Connects over the simulated network.
pub(crate) async fn connect(endpoint: Endpoint) -> Result<Channel, TransportError> {
    let connector = service_fn(|uri: Uri| async move {
        let address = (uri.host().unwrap_or_default().to_owned(), uri.port_u16().unwrap_or(PORT));
        TcpStream::connect(address).await.map(TokioIo::new)
    });
    endpoint.connect_with_connector(connector).await
}
