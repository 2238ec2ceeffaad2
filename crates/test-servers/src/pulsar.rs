//! Apache Pulsar: broker, bookie and metadata in one Java process.

mod settings;

use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::http::{self, Reply};
use crate::keeper::Keeper;
use crate::link::Link;
use crate::ports::free_port;
use crate::process::{Launch, Process};
use crate::{fetch, in_background};

pub(crate) use settings::Ports;
pub use settings::{ACCESS_KEY, Offload, PulsarOptions, SECRET_KEY};

/// How often it is started anew when it does not register; see [`quarrels`].
const ATTEMPTS: usize = 5;

/// A Pulsar of one test. It ends, and its data goes, when it is dropped.
#[derive(Debug)]
pub struct Pulsar {
    process: Process,
    ports: Ports,
    link: Option<Link>,
    keeper: Keeper, // last: fields are dropped in order, and it removes the folder
}

impl Pulsar {
    /// Starts one and waits until it is well.
    pub async fn start(options: PulsarOptions) -> Result<Self> {
        let home = in_background(fetch::pulsar).await?;
        let mut ports =
            Ports { broker: free_port()?, admin: free_port()?, bookie: free_port()?, advertised: 0 };
        let link = match options.linked {
            true => Some(Link::to(&format!("127.0.0.1:{}", ports.broker)).await?),
            false => None,
        };
        ports.advertised = link.as_ref().map_or(ports.broker, Link::port);
        let keeper = Keeper::new("pulsar")?;
        let launch = settings::launch(&home, keeper.folder(), &ports, &options)?;
        let process = Process::start(launch, &keeper)?;
        let mut pulsar = Self { process, ports, link, keeper };
        pulsar.healthy().await?;
        Ok(pulsar)
    }

    /// Where clients connect: "pulsar://127.0.0.1:...".
    pub fn url(&self) -> String {
        format!("pulsar://127.0.0.1:{}", self.ports.advertised)
    }

    /// The admin interface: "http://127.0.0.1:...".
    pub fn admin_url(&self) -> String {
        format!("http://{}", self.admin_address())
    }

    /// Its data folder; offloaded to files, old data is in `offload` below it.
    pub fn data(&self) -> &Path {
        self.keeper.folder()
    }

    /// The link that clients connect through, if `linked` was asked for.
    pub fn link(&self) -> Option<&Link> {
        self.link.as_ref()
    }

    /// Asks the admin interface: `admin("PUT", "/admin/v2/persistent/public/default/t", "")`.
    pub async fn admin(&self, method: &str, path: &str, json: &str) -> Result<Reply> {
        http::request(method, &self.admin_address(), path, json).await
    }

    /// SIGKILL.
    pub async fn kill(&mut self) -> Result<()> {
        self.process.kill().await
    }

    /// SIGTERM, and waits until it has ended.
    pub async fn stop(&mut self) -> Result<()> {
        self.process.stop().await
    }

    /// Starts it after `kill` or `stop`, on the same data and ports, and waits until it is well.
    pub async fn start_again(&mut self) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let said = self.process.log_size();
            self.process.start_again()?;
            self.healthy().await?;
            if !quarrels(&self.process.log_from(said)) {
                return Ok(());
            }
            self.stop().await?;
        }
        bail!("the bookie cannot register itself, {ATTEMPTS} times; it said\n{}", self.last_words())
    }

    /// Stops it in its tracks: connections stay open, nothing answers.
    pub fn pause(&mut self) -> Result<()> {
        self.process.signal(Signal::STOP)
    }

    /// Lets it go on after `pause`.
    pub fn resume(&mut self) -> Result<()> {
        self.process.signal(Signal::CONT)
    }

    /// The id of its process, while there is one.
    pub fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    /// The last lines of its log.
    pub fn last_words(&self) -> String {
        self.process.last_words()
    }

    async fn healthy(&mut self) -> Result<()> {
        let admin = self.admin_address();
        self.process.wait_for(async || is_healthy(&admin).await).await
    }

    fn admin_address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.admin)
    }
}

/// Whether the bookie takes its own registration away again and again, thousands of times a second and for ever. That comes
/// about after a kill, on a busy machine in one start of six: the killed one has left its registration, the bookie deletes it and
/// makes its own, and when it then hears of the deletion, takes it for that of the new one. The broker is well in
/// between, and has no bookie the next moment. One that was stopped in order leaves no registration.
fn quarrels(log: &str) -> bool {
    log.matches("Successfully revalidated the lock on /ledgers/available/").count() > 5
}

/// Whether the broker whose admin interface is at `admin` can write and read a message.
pub(crate) async fn is_healthy(admin: &str) -> bool {
    let reply = http::request("GET", admin, "/admin/v2/brokers/health", "").await;
    reply.is_ok_and(|reply| reply.status == 200)
}

/// How to start the Pulsar that developers use by hand.
pub(crate) fn launch_by_hand(home: &Path, folder: &Path, ports: &Ports) -> Result<Launch> {
    let options = PulsarOptions { offload: Offload::Filesystem, ..PulsarOptions::default() };
    settings::launch(home, folder, ports, &options)
}

impl PulsarOptions {
    /// What cannot work is refused before anything starts.
    pub(crate) fn check(&self) -> Result<()> {
        if self.entries_per_ledger == 0 {
            bail!("entries_per_ledger is 0: at least 1");
        }
        if let Offload::S3 { endpoint, .. } = &self.offload {
            endpoint
                .strip_prefix("http://")
                .with_context(|| format!("endpoint {endpoint} is not http://"))?;
        }
        Ok(())
    }
}
