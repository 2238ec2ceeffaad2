use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use proto::v1::{self, Codec};

use super::port::ClientPort;
use super::{Client, Inner};
use crate::core::Pos;
use crate::core::client::{ClientCore, Profile};
use crate::core::queue::{Bounds, Queue};
use crate::disk::{Disk, Identity, Recovered};
use crate::server::Server;
use crate::shared::Shared;
use crate::world::{System, World, random_id};
use crate::{BuildError, driver};

/// Ten megabytes, in memory and on the disk.
const QUEUE_BYTES: usize = 10_000_000;
/// Room for the largest hit, and a few more.
const LEAST_QUEUE_BYTES: usize = 64 << 10;
/// Thirty days.
const QUEUE_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const FLUSH_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an id, by the contract.
const ID_BYTES: usize = 256;

/// Settings of a [`Client`].
#[derive(Clone, Debug)]
#[must_use = "settings do nothing until the client is built"]
pub struct ClientBuilder {
    world: Arc<dyn World>,
    address: String,
    key: String,
    client_id: Option<String>,
    context: v1::Context,
    queue_dir: Option<PathBuf>,
    bounds: Bounds,
    max_delay: Option<Duration>,
    flush_timeout: Duration,
    codec: Codec,
}

impl ClientBuilder {
    pub(super) fn new(address: String, key: String) -> Self {
        Self {
            world: Arc::new(System),
            address,
            key,
            client_id: None,
            context: v1::Context::default(),
            queue_dir: None,
            bounds: Bounds { bytes: QUEUE_BYTES, age_ms: millis(QUEUE_AGE) },
            max_delay: None,
            flush_timeout: FLUSH_TIMEOUT,
            codec: Codec::Unspecified,
        }
    }

    /// Names this client: an install, a browser profile, a server process. At most 256 bytes. If it is left out, it is
    /// random, and with a queue directory stays the same for as long as that is there.
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.client_id = Some(id.into());
        self
    }

    /// Keeps hits in this directory until they are acknowledged: they survive the end of the process, even by
    /// `kill -9`, but a loss of power may cost the last ones. Each client needs a directory of its own.
    pub fn queue_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.queue_dir = Some(path.into());
        self
    }

    /// Keeps at most so many bytes of hits, in memory and, with a queue directory, on the disk as well; 10 MB if it is
    /// not set. When there are more, the oldest that are not on their way go.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.bounds.bytes = bytes;
        self
    }

    /// Keeps hits at most this long; 30 days if it is not set.
    pub fn queue_age(mut self, age: Duration) -> Self {
        self.bounds.age_ms = millis(age);
        self
    }

    /// Lets a hit wait this long for company at most. If it is not set, the server says; if that does not, 200 ms.
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = Some(delay);
        self
    }

    /// Gives up waiting in `flush` and `shutdown` after this time; 30 s if it is not set.
    pub fn flush_timeout(mut self, timeout: Duration) -> Self {
        self.flush_timeout = timeout;
        self
    }

    /// Compresses batches. Off unless set: on a local network it costs more than it saves.
    pub fn compression(mut self, codec: Codec) -> Self {
        self.codec = codec;
        self
    }

    /// The User-Agent of the device that hits come from.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.context.user_agent = user_agent.into();
        self
    }

    /// Its language, such as `en-GB`.
    pub fn language(mut self, language: impl Into<String>) -> Self {
        self.context.language = language.into();
        self
    }

    /// Its country, two letters of ISO 3166.
    pub fn country(mut self, country: impl Into<String>) -> Self {
        self.context.country = country.into();
        self
    }

    /// Runs the client in another world than this machine: a simulation.
    #[doc(hidden)]
    pub fn world(mut self, world: Arc<dyn World>) -> Self {
        self.world = world;
        self
    }

    /// Starts the client: on the present tokio run time, which must have time and I/O enabled, or on a thread of its own
    /// if there is none. The connection is made in the background: that the server is away is no error.
    pub fn build(self) -> Result<Client, BuildError> {
        let server = Server::parse(&self.address, &self.world)?;
        self.check()?;
        let boot_id = self.world.boot_id();
        let (disk, found) = match &self.queue_dir {
            None => (None, self.without_queue_dir()),
            Some(directory) => {
                let identity = Identity {
                    client_id: self.client_id.as_deref(),
                    boot_id: boot_id.as_deref(),
                    new_id: &|| random_id(&*self.world),
                    new_epoch: &|than| self.world.new_epoch(than),
                };
                let (disk, found) = Disk::open(self.world.disk(), directory, &identity)?;
                (Some(disk), found)
            }
        };
        self.start(server, disk, found)
    }

    fn check(&self) -> Result<(), BuildError> {
        let wrong = |name, value, allowed| Err(BuildError::Setting { name, value, allowed });
        if let Some(id) = self.client_id.as_ref().filter(|id| id.is_empty() || id.len() > ID_BYTES) {
            return wrong("client_id", format!("{id:?}"), "1 to 256 bytes are allowed");
        }
        if self.bounds.bytes < LEAST_QUEUE_BYTES {
            return wrong("queue_bytes", self.bounds.bytes.to_string(), "at least 65,536 are needed");
        }
        Ok(())
    }

    fn without_queue_dir(&self) -> Recovered {
        Recovered {
            client_id: self.client_id.clone().unwrap_or_else(|| random_id(&*self.world)),
            profile: Profile::default(),
            next: Pos { epoch: self.world.new_epoch(0), seq: 1 },
            told: Pos::default(),
            hits: Vec::new(),
        }
    }

    fn start(self, server: Server, disk: Option<Disk>, found: Recovered) -> Result<Client, BuildError> {
        let mut queue = Queue::new(self.bounds, found.next, found.told);
        queue.restore(found.hits, self.world.now_ms());
        let core = ClientCore::new(queue, found.profile, self.max_delay, disk.is_some());
        let shared = Shared::new(core);
        let (driving, ended) = shared.driving();
        let setup = v1::Setup {
            key: self.key,
            client_id: found.client_id.clone(),
            epoch: found.next.epoch,
            sdk: Some(crate::sdk()),
            // The user is told with each hit instead: a hit could not take back what the setup says.
            context: Some(self.context),
            ..v1::Setup::default()
        };
        let port = ClientPort::new(Arc::clone(&shared), Arc::clone(&self.world), setup, disk, self.codec);
        let start = shared.start();
        driver::spawn(async move {
            driver::run(port, server, start).await;
            drop(driving);
        })
        .map_err(BuildError::Thread)?;
        let (client_id, flush_timeout) = (found.client_id, self.flush_timeout);
        Ok(Client(Arc::new(Inner { shared, world: self.world, client_id, flush_timeout, ended })))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
