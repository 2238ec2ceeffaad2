//! A link between a client and a server that a test can cut, stall and heal.

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::ports::free_port;

/// Listens on a port of loopback and carries every connection to a server. It ends when it is dropped.
#[derive(Debug)]
pub struct Link {
    port: u16,
    state: watch::Sender<State>,
    listener: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Whole,
    /// Connections are open, nothing arrives.
    Stalled,
    /// Connections are closed, new ones too.
    Cut,
}

impl Link {
    /// A link to the server at `address` ("127.0.0.1:80"), which need not be there yet.
    pub async fn to(address: &str) -> Result<Self> {
        let port = free_port()?;
        let listener = TcpListener::bind(("127.0.0.1", port)).await.context("failed to listen")?;
        let (state, watch) = watch::channel(State::Whole);
        let listener = tokio::spawn(listen(listener, address.to_owned(), watch));
        Ok(Self { port, state, listener })
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Closes all connections, and new ones at once.
    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// Leaves connections open but lets nothing through.
    pub fn stall(&self) {
        self.state.send_replace(State::Stalled);
    }

    /// Lets everything through again; what was stalled arrives, what was cut stays lost.
    pub fn heal(&self) {
        self.state.send_replace(State::Whole);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // With the task goes its set of connections.
        self.listener.abort();
    }
}

async fn listen(listener: TcpListener, server: String, state: watch::Receiver<State>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    connections.spawn(carry(client, server.clone(), state.clone()));
                }
            }
            // Those that ended are taken out, or the set would grow for ever.
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn carry(client: TcpStream, server: String, mut state: watch::Receiver<State>) {
    let (up, down) = (state.clone(), state.clone());
    let both_ways = async {
        let Ok(server) = TcpStream::connect(server).await else { return };
        // The link must not add the delays of small packets that wait for company.
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        // An error of one direction ends both, as when a process dies; the end of one leaves the other open.
        let _ = tokio::try_join!(pump(from_client, to_server, up), pump(from_server, to_client, down));
    };
    tokio::select! {
        biased;
        _ = state.wait_for(|state| *state == State::Cut) => {}
        () = both_ways => {}
    }
}

async fn pump(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut state: watch::Receiver<State>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        // Nobody can heal a link that has gone: its connections go with it.
        if state.wait_for(|state| *state != State::Stalled).await.is_err() {
            return Ok(());
        }
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn echo_server() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        address
    }

    async fn echo(stream: &mut TcpStream, byte: u8) -> std::io::Result<u8> {
        stream.write_all(&[byte]).await?;
        stream.read_u8().await
    }

    #[tokio::test]
    async fn carries_stalls_cuts_and_heals() {
        let link = Link::to(&echo_server().await).await.unwrap();
        let connect = || TcpStream::connect(("127.0.0.1", link.port()));
        let mut client = connect().await.unwrap();
        assert_eq!(echo(&mut client, 1).await.unwrap(), 1);

        link.stall();
        let stalled = tokio::time::timeout(Duration::from_millis(200), echo(&mut client, 2)).await;
        assert!(stalled.is_err(), "nothing comes through a stalled link");
        link.heal();
        assert_eq!(client.read_u8().await.unwrap(), 2, "what was sent before arrives");

        link.cut();
        assert!(client.read_u8().await.is_err(), "the connection is closed");
        let mut refused = connect().await.unwrap();
        assert!(echo(&mut refused, 3).await.is_err(), "and so is a new one");

        link.heal();
        assert_eq!(echo(&mut connect().await.unwrap(), 4).await.unwrap(), 4);
    }
}
