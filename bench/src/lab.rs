//! A server to be measured, with merchants that nobody else sends for.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clock::Clock;
use proto::v1::CreateMerchantRequest;
use proto::v1::config_service_client::ConfigServiceClient;
use tempfile::TempDir;
use tonic::Request;

use crate::ask::{Asker, bearer};
use crate::edge::connect;
use crate::options::{Options, Target};
use crate::server::{Server, Usage, bytes_in};

/// A merchant.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Its id.
    pub(crate) merchant: u64,
    /// The write key of its data stream.
    pub(crate) write_key: String,
}

/// A server and its merchants.
pub(crate) struct Lab {
    /// Merchants without a hit.
    pub(crate) accounts: Vec<Account>,
    /// Where the server is.
    pub(crate) url: String,
    /// An admin key.
    pub(crate) key: String,
    own: Option<Own>,
}

/// What belongs to a server that was started for this.
struct Own {
    program: PathBuf,
    // Before its home, so that it has ended when that is removed.
    server: Option<Server>,
    home: Home,
}

/// Where its data is.
enum Home {
    Kept(PathBuf),
    Temporary(TempDir),
}

const DATA: &str = "data";
const STORE: &str = "data/store";
const LOG: &str = "data/log";

impl Lab {
    /// A server, fresh if it is our own, with so many new merchants. `purpose` names its directory.
    pub(crate) async fn open(options: &Options, purpose: &str, merchants: usize) -> anyhow::Result<Self> {
        let mut lab = match &options.target {
            Target::Other { url, key } => {
                Self { accounts: Vec::new(), url: url.clone(), key: key.clone(), own: None }
            }
            Target::Own { program, data } => {
                let own = Own {
                    program: program.clone(),
                    home: Home::new(data.as_deref(), purpose)?,
                    server: None,
                };
                // Good enough for a server that nobody else can reach, and goes away.
                let key = format!("bench{:032x}", Clock::system().random_u64());
                let mut lab = Self { accounts: Vec::new(), url: String::new(), key, own: Some(own) };
                lab.start().await?;
                lab
            }
        };
        lab.accounts = accounts(&lab.url, &lab.key, purpose, merchants).await?;
        Ok(lab)
    }

    /// Starts our server.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        let Some(own) = &mut self.own else { return Ok(()) };
        let server = Server::start(&own.program, &own.home.path().join(DATA), &self.key).await?;
        self.url = server.url();
        own.server = Some(server);
        Ok(())
    }

    /// Drains and ends our server.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        match self.own.as_mut().and_then(|own| own.server.take()) {
            Some(server) => server.stop().await,
            None => Ok(()),
        }
    }

    /// Whether the server is our own, so that it can be looked into and restarted.
    pub(crate) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// What the server has used.
    pub(crate) fn usage(&self) -> anyhow::Result<Option<Usage>> {
        self.server().map(Server::usage).transpose()
    }

    /// The most memory that the server had resident.
    pub(crate) fn peak_resident_bytes(&self) -> Option<u64> {
        self.server()?.peak_resident_bytes()
    }

    fn server(&self) -> Option<&Server> {
        self.own.as_ref()?.server.as_ref()
    }

    /// Bytes of log and store of our server.
    pub(crate) fn bytes_on_disk(&self) -> anyhow::Result<Option<(u64, u64)>> {
        let Some(own) = &self.own else { return Ok(None) };
        let home = own.home.path();
        Ok(Some((bytes_in(&home.join(LOG))?, bytes_in(&home.join(STORE))?)))
    }

    /// A connection for queries.
    pub(crate) async fn asker(&self) -> anyhow::Result<Asker> {
        Asker::connect(&self.url, &self.key).await
    }
}

impl Home {
    fn new(data: Option<&Path>, purpose: &str) -> anyhow::Result<Self> {
        let Some(data) = data else {
            // Not where the system keeps temporary files: that may be memory, where a sync costs nothing.
            let made = tempfile::Builder::new().prefix(".hitmill-bench-").tempdir_in(".");
            return Ok(Self::Temporary(made.context("failed to make a directory in the working directory")?));
        };
        let home = data.join(purpose);
        if home.exists() {
            bail!("{} is there already: a benchmark begins with nothing", home.display());
        }
        std::fs::create_dir_all(&home).with_context(|| format!("failed to make {}", home.display()))?;
        Ok(Self::Kept(home))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(directory) => directory.path(),
        }
    }
}

async fn accounts(url: &str, key: &str, purpose: &str, merchants: usize) -> anyhow::Result<Vec<Account>> {
    let mut client = ConfigServiceClient::new(connect(url).await?);
    let mut accounts = Vec::with_capacity(merchants);
    for index in 0..merchants {
        let name = format!("{purpose} {index}");
        let mut request = Request::new(CreateMerchantRequest {
            name,
            currency: "EUR".into(),
            ..CreateMerchantRequest::default()
        });
        request.metadata_mut().insert("authorization", bearer(key)?);
        let made = client.create_merchant(request).await;
        let made =
            made.map_err(|status| anyhow::anyhow!("merchant {index} was not made: {status}"))?.into_inner();
        let merchant = made.merchant.context("an answer without the merchant")?.id;
        accounts.push(Account { merchant, write_key: made.write_key });
    }
    Ok(accounts)
}
