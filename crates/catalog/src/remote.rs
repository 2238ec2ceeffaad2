//! The configuration from another process: what config-svc sends to whoever watches, taken in within milliseconds.
//!
//! Watching makes a change prompt; the store makes it sure. While no config-svc answers, the store is looked at instead,
//! and while neither answers, what is known goes on to hold.

mod reception;
mod servers;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use metrics::{describe_gauge, gauge};
use model::Invalid;
use proto::v1::WatchRequest;
use proto::v1::config_service_client::ConfigServiceClient;
use store::Store;
use tokio::time::Instant;
use tokio::time::error::Elapsed;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use self::reception::Reception;
use self::servers::{Address, Servers};
use crate::{Catalog, Result};

pub use settings::Settings;

/// A server of the same network answers in far less.
const CONNECT: Duration = Duration::from_secs(1);
/// The call is accepted at once, or by a server that hangs.
const ACCEPT: Duration = Duration::from_secs(5);
/// A server that hangs, or a line that was cut without a word, is noticed within two of these.
const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// Between two attempts, and so between two looks at the store meanwhile: how late a change may be then.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps a catalog up to date by watching config-svc.
pub struct Remote {
    servers: Servers,
    bearer: MetadataValue<Ascii>,
    /// Attempts since a server was watched.
    misses: u32,
}

impl Remote {
    /// A watcher of the servers of these settings. It begins with any of them, by `random`, so that many spread over all.
    pub fn new(settings: &Settings, random: u64) -> std::result::Result<Self, Invalid> {
        let servers = Servers::parse(&settings.servers, random)?;
        let allowed = "an admin key, so that config-svc may be watched";
        if settings.key.is_empty() {
            return Err(Invalid::new("setting catalog.key", "", allowed));
        }
        // The key itself is not repeated: it is secret.
        let bearer = format!("Bearer {}", settings.key)
            .parse()
            .map_err(|_| Invalid::new("setting catalog.key", "(not shown)", allowed))?;
        describe_gauge!(
            "hitmill_catalog_watching",
            "Whether a config-svc is watched: 1, or 0 while none answers"
        );
        Ok(Self { servers, bearer, misses: 0 })
    }

    /// Keeps the catalog up to date, for ever.
    pub async fn follow(mut self, catalog: &Catalog, store: &dyn Store) {
        loop {
            let began = Instant::now();
            let why = match self.servers.next().await {
                Ok(address) => {
                    let ended = self.watch(&address, catalog).await;
                    format!("{}: {ended}", address.shown)
                }
                Err(error) => error,
            };
            gauge!("hitmill_catalog_watching").set(0.0);
            // The next server must not wait for a store that does not answer.
            let found = tokio::time::timeout(PAUSE, catalog.catch_up(store)).await;
            self.missed(&why, catalog.snapshot().version(), found);
            // After a stream that lasted the next server is tried at once.
            tokio::time::sleep(PAUSE.saturating_sub(began.elapsed())).await;
        }
    }

    fn missed(&mut self, why: &str, version: u64, found: std::result::Result<Result<()>, Elapsed>) {
        self.misses += 1;
        // Often another server answers at once. Then the same is said only once.
        match self.misses {
            2 => tracing::warn!(version, "no config-svc is watched, the store is looked at instead: {why}"),
            _ => tracing::debug!(version, "a config-svc is not watched: {why}"),
        }
        let error = match found {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the store does not answer in time".to_owned(),
        };
        tracing::warn!(version, "the configuration cannot be read, an older one stays in force: {error}");
    }

    /// Watches one server until it ends; gives why.
    async fn watch(&mut self, address: &Address, catalog: &Catalog) -> String {
        let version = catalog.snapshot().version();
        let mut request = Request::new(WatchRequest { since_version: version });
        request.metadata_mut().insert("authorization", self.bearer.clone());
        let opened = async {
            let mut client = ConfigServiceClient::new(connect(address).await?);
            tokio::time::timeout(ACCEPT, client.watch(request))
                .await
                .map_err(|_| Status::deadline_exceeded("it does not accept the call"))?
        };
        let mut stream = match opened.await {
            Ok(response) => response.into_inner(),
            Err(status) => return told(&status),
        };
        self.misses = 0;
        gauge!("hitmill_catalog_watching").set(1.0);
        tracing::info!(version, server = address.shown, "watching the configuration");

        let mut reception = Reception::after(version);
        loop {
            match stream.message().await {
                Ok(Some(message)) => {
                    if let Err(error) = reception.take(message, catalog) {
                        return error.to_string();
                    }
                }
                Ok(None) => return "it closed the stream".to_owned(),
                Err(status) => return told(&status),
            }
        }
    }
}

async fn connect(address: &Address) -> std::result::Result<Channel, Status> {
    let endpoint = Endpoint::from_shared(format!("http://{}", address.socket));
    let endpoint = endpoint.map_err(|error| Status::internal(error.to_string()))?;
    let endpoint = endpoint
        // By name: what stands in between may route by it.
        .origin(address.origin.clone())
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true);
    endpoint.connect().await.map_err(|error| Status::unavailable(deepest(&error)))
}

fn told(status: &Status) -> String {
    match status.message() {
        "" => status.code().description().to_owned(),
        message => message.to_owned(),
    }
}

/// The connector's own message says only that something failed.
fn deepest(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |cause| cause.source())
        .last()
        .map_or_else(String::new, ToString::to_string)
}

/// Keeps the catalog up to date for ever: over the network if servers are set, else from the store.
pub async fn follow(remote: Option<Remote>, catalog: Catalog, store: Arc<dyn Store>) {
    match remote {
        Some(remote) => remote.follow(&catalog, &*store).await,
        None => catalog.follow(&*store, PAUSE).await,
    }
}
