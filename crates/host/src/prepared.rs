use std::net::{Ipv4Addr, SocketAddr};

use catalog::remote::{self, Remote};
use clock::Clock;
use tokio::net::TcpListener;

use crate::{Backends, Host, Settings, lobby, platform, server};

/// Services that are started and listening, not yet serving.
pub struct Prepared {
    /// Where they listen.
    pub address: SocketAddr,
    host: Host,
    listener: TcpListener,
}

/// Listens, opens what the settings say, and starts services. While back ends are waited for, the port answers that
/// nothing is ready yet.
pub async fn prepare(
    settings: Settings,
    backends: Backends,
    catalog: &remote::Settings,
    services: impl AsyncFnOnce(Host) -> anyhow::Result<Host>,
) -> anyhow::Result<Prepared> {
    // What fails fast comes first: opening the data may have to read a long journal, or to wait.
    let clock = Clock::system();
    let watch = || Remote::new(catalog, clock.random_u64());
    let remote = (!catalog.servers.is_empty()).then(watch).transpose()?;
    let listener = server::bind(&settings.listen).await?;
    let address = listener.local_addr()?;
    // A data directory is there or not; only what is far away may keep us waiting for long.
    let (listener, lobby) = match backends.are_distant() {
        true => {
            let (listener, lobby) = lobby::open(listener, &settings).await?;
            (listener, Some(lobby))
        }
        false => (listener, None),
    };
    let data = settings.data.clone();
    let platform = platform::open(&data, backends, clock).await?;
    let host = services(Host::new(platform, settings).watching(remote)).await?;
    if let Some(lobby) = lobby {
        lobby.close().await;
    }
    Ok(Prepared { address, host, listener })
}

impl Prepared {
    /// The admin key, if this start has made one: it cannot be shown again.
    pub fn new_admin_key(&self) -> Option<&str> {
        self.host.new_admin_key()
    }

    /// Where a client on this machine finds them.
    pub fn reachable_at(&self) -> SocketAddr {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            // Every address is listened on, but none is to be called.
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        address
    }

    /// Serves until `signal`, then drains.
    pub async fn serve(self, signal: impl Future<Output = ()>) -> anyhow::Result<()> {
        self.host.serve(self.listener, signal).await
    }
}
