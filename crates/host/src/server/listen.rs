use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// Where connections come from: a port of this machine, or of a simulated one.
pub trait Listen: Send + 'static {
    /// A connection.
    type Connection: Connection;

    /// The address that is listened on.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// The next connection, and who made it.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Connection, SocketAddr)>> + Send;
}

/// A connection that was accepted.
pub trait Connection: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// The address on this side.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// Sends small things at once instead of waiting for more.
    fn set_nodelay(&self) -> io::Result<()>;

    /// Returns when there is something to read.
    fn readable(&mut self) -> impl Future<Output = io::Result<()>> + Send;
}

impl Listen for TcpListener {
    type Connection = TcpStream;

    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpListener::local_addr(self)
    }

    fn accept(&self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send {
        TcpListener::accept(self)
    }
}

impl Connection for TcpStream {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpStream::local_addr(self)
    }

    fn set_nodelay(&self) -> io::Result<()> {
        TcpStream::set_nodelay(self, true)
    }

    fn readable(&mut self) -> impl Future<Output = io::Result<()>> + Send {
        TcpStream::readable(self)
    }
}
