//! The server: by a name, which may stand for several addresses.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tonic::Status;
use tonic::codegen::http::uri::{Scheme, Uri};
use tonic::transport::{Channel, Endpoint, Error as TransportError};

use crate::error::BuildError;
use crate::world::World;

const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
const HEADERS: u32 = 16 << 10;
/// A connection that was cut without a word is noticed within the sum of these.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const KEEP_ALIVE_ANSWER: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(10);
/// The port of HTTP, for an address without one.
const USUAL_PORT: u16 = 80;

/// Where to connect to. Each connection goes to the next address of the name: a client that is sent away, or whose server
/// has gone, finds another, and many clients spread over all.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    world: Arc<dyn World>,
    origin: Uri,
    host: String,
    port: u16,
    turn: u64,
}

impl Server {
    /// The server at this URL, whose addresses come in an order that differs from client to client.
    pub(crate) fn parse(url: &str, world: &Arc<dyn World>) -> Result<Self, BuildError> {
        let wrong = || BuildError::Address { address: url.to_owned() };
        let origin: Uri = url.parse().map_err(|_| wrong())?;
        let host = origin.host().filter(|_| origin.scheme() == Some(&Scheme::HTTP)).ok_or_else(wrong)?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let port = origin.port_u16().unwrap_or(USUAL_PORT);
        // Within half, so that the turns to come do not overflow.
        let turn = world.random() >> 1;
        Ok(Self { world: Arc::clone(world), origin, host, port, turn })
    }

    /// The same, for the next connection.
    pub(crate) fn next(&mut self) -> Self {
        self.turn += 1;
        self.clone()
    }

    /// Connects to the address whose turn it is, or to the first after it that answers. What the name stands for is asked
    /// anew each time.
    pub(crate) async fn connect(&self) -> Result<Channel, Status> {
        let mut failure = format!("{} stands for no address", self.host);
        for address in self.addresses().await? {
            match self.world.connect(self.endpoint(address).map_err(unreachable)?).await {
                Ok(channel) => return Ok(channel),
                Err(error) => failure = chain(&error),
            }
        }
        Err(Status::unavailable(failure))
    }

    /// All addresses, the one whose turn it is first.
    async fn addresses(&self) -> Result<Vec<SocketAddr>, Status> {
        let found = self.world.look_up(self.host.clone(), self.port).await;
        let mut addresses =
            found.map_err(|e| Status::unavailable(format!("failed to look {} up: {e}", self.host)))?;
        // A resolver that shuffles would make turns meaningless.
        addresses.sort_unstable();
        addresses.dedup();
        if !addresses.is_empty() {
            let turn = self.turn % addresses.len() as u64;
            addresses.rotate_left(turn as usize);
        }
        Ok(addresses)
    }

    /// An address, with all limits set.
    fn endpoint(&self, address: SocketAddr) -> Result<Endpoint, TransportError> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?
            // By name: what stands in between may route by it.
            .origin(self.origin.clone())
            .user_agent(concat!("hitmill-sdk/", env!("CARGO_PKG_VERSION")))?;
        Ok(endpoint
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .http2_max_header_list_size(HEADERS)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_ANSWER)
            .keep_alive_while_idle(true))
    }
}

/// What a failure of the transport means: try again.
pub(crate) fn unreachable(error: TransportError) -> Status {
    Status::unavailable(chain(&error))
}

/// An error with what is behind it: the connector's own message says only that something failed.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::System;

    fn parse(url: &str) -> Result<Server, BuildError> {
        let world: Arc<dyn World> = Arc::new(System);
        Server::parse(url, &world)
    }

    #[test]
    fn addresses_are_checked_before_anything_is_sent() {
        for good in ["http://127.0.0.1:7700", "http://[::1]:7700", "http://hits.example"] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in ["", "127.0.0.1:7700", "https://hits.example", "ftp://hits.example", "http://", "/v1"] {
            let error = parse(bad).unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")), "{error}");
        }
    }

    #[tokio::test]
    async fn each_connection_begins_with_another_address() {
        // On every machine this has an address or two of its own.
        let mut server = Server { turn: u64::MAX >> 1, ..parse("http://localhost:7700").unwrap() };
        let all = server.addresses().await.unwrap();
        let mut first = Vec::new();
        for _ in 0..2 * all.len() {
            first.push(server.next().addresses().await.unwrap()[0]);
        }
        let mut expected = all.clone();
        expected.rotate_left(1 % all.len());
        assert_eq!(first, [expected.clone(), expected].concat());
    }

    #[tokio::test]
    async fn an_address_where_nobody_listens_is_passed_over() {
        // IPv4 only: of the two addresses that localhost mostly has, one refuses.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut server = parse(&format!("http://localhost:{port}")).unwrap();
        for _ in 0..2 {
            let next = server.next();
            let (connected, accepted) = tokio::join!(next.connect(), listener.accept());
            assert!(connected.is_ok() && accepted.is_ok());
        }
    }
}
