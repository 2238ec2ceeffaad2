use std::collections::VecDeque;
use std::net::SocketAddr;

use model::Invalid;
use tonic::codegen::http::uri::{Scheme, Uri};

/// The port of HTTP, for an address without one.
const USUAL_PORT: u16 = 80;

/// Goes round over all addresses of all servers.
pub(super) struct Servers {
    named: Vec<Uri>,
    /// Addresses that are still to be tried. When there are none, the names are looked up anew: what they stand for changes.
    left: VecDeque<Address>,
    random: u64,
}

/// One address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Where to connect to.
    pub(super) socket: SocketAddr,
    /// As what to ask for it.
    pub(super) origin: Uri,
    /// Both, for people.
    pub(super) shown: String,
}

impl Servers {
    /// Reads a list of servers.
    pub(super) fn parse(list: &str, random: u64) -> Result<Self, Invalid> {
        let allowed = "http://HOST:PORT, with commas between several, such as http://config-svc:7700";
        let named = list.split(',').map(|server| {
            let wrong = || Invalid::new("setting catalog.servers", server, allowed);
            let uri: Uri = server.trim().parse().map_err(|_| wrong())?;
            let is_server = uri.scheme() == Some(&Scheme::HTTP) && uri.host().is_some();
            if is_server { Ok(uri) } else { Err(wrong()) }
        });
        Ok(Self { named: named.collect::<Result<_, _>>()?, left: VecDeque::new(), random })
    }

    /// The next address, or why there is none.
    pub(super) async fn next(&mut self) -> Result<Address, String> {
        if self.left.is_empty() {
            self.look_up().await?;
        }
        self.left.pop_front().ok_or_else(|| "its name stands for no address".to_owned())
    }

    async fn look_up(&mut self) -> Result<(), String> {
        let mut failure = None;
        for origin in &self.named {
            let host = origin.host().unwrap_or_default().trim_matches(['[', ']']);
            let port = origin.port_u16().unwrap_or(USUAL_PORT);
            match tokio::net::lookup_host((host, port)).await {
                Ok(found) => self.left.extend(found.map(|socket| address(socket, origin))),
                Err(error) => failure = Some(format!("failed to look {host} up: {error}")),
            }
        }
        if self.left.is_empty() {
            return failure.map_or(Ok(()), Err);
        }
        let begin = self.random % self.left.len() as u64;
        self.left.rotate_left(begin as usize);
        Ok(())
    }
}

fn address(socket: SocketAddr, origin: &Uri) -> Address {
    let authority = origin.authority().map_or("", |authority| authority.as_str());
    let shown = if authority == socket.to_string() {
        authority.to_owned()
    } else {
        format!("{authority} ({socket})")
    };
    Address { socket, origin: origin.clone(), shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_address_has_its_turn_and_then_the_first_again() {
        let mut servers = Servers::parse("http://127.0.0.1:1, http://[::1]:2,http://127.0.0.3", 1).unwrap();
        let mut tried = Vec::new();
        for _ in 0..6 {
            tried.push(servers.next().await.unwrap().socket.to_string());
        }
        let round = ["[::1]:2", "127.0.0.3:80", "127.0.0.1:1"];
        assert_eq!(tried, [round, round].concat());
    }

    #[tokio::test]
    async fn a_name_is_shown_with_its_address() {
        let mut servers = Servers::parse("http://localhost:7700", 0).unwrap();
        let first = servers.next().await.unwrap();
        assert_eq!(first.shown, format!("localhost:7700 ({})", first.socket));
        assert_eq!(first.origin, "http://localhost:7700");
    }

    #[test]
    fn what_is_no_server_is_named() {
        for wrong in ["", "config:7700", "https://config:7700", "http://config:7700,", "ftp://config"] {
            assert!(Servers::parse(wrong, 0).is_err(), "{wrong}");
        }
    }
}
