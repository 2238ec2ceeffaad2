//! What services stand on, and the ways to get it.

mod backends;
mod directory;
#[cfg_attr(not(feature = "cluster"), path = "platform/absent.rs")]
mod distant;
mod embedded;
mod identity;
mod together;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use catalog::Catalog;
use clock::Clock;
use eventlog::EventLog;
use store::Store;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Feed;

pub use backends::Backends;
pub use directory::{FORMAT_FILE, Says, say};
pub use embedded::embedded;
pub use identity::of as identity;
pub use together::Installation;

/// Commits that a listener of the feed may fall behind before it looks at everything again.
const FEED_DEPTH: usize = 1024;

/// What services stand on. Cheap to clone; the parts are behind their seams, so a service cannot tell one machine from
/// many.
#[derive(Clone)]
pub struct Platform {
    /// Where hits are kept.
    pub log: Arc<dyn EventLog>,
    /// Where cells and configuration are kept.
    pub store: Arc<dyn Store>,
    /// Time and randomness.
    pub clock: Clock,
    /// The configuration, watched.
    pub catalog: Catalog,
    /// Which cells changed.
    pub feed: Feed,
    /// Identity of this installation's data, made at its first start.
    pub instance_id: Arc<str>,
    /// Whether other processes work on the same log and store.
    pub shared: bool,
    /// Cancelled when the drain begins: streams say GoAway, workers finish what they hold.
    pub drain: CancellationToken,
    /// Tasks that the drain waits for.
    pub tasks: TaskTracker,
}

/// The platform that the settings ask for. What is far away is waited for, however long it takes: the order in which
/// things start does not matter. `data` is made only if something is kept in it.
pub async fn open(data: &Path, backends: Backends, clock: Clock) -> anyhow::Result<Platform> {
    let Backends { log, store, pulsar, tikv } = backends;
    let name = match pulsar.url.is_empty() {
        true => "the log in its data directory".to_owned(),
        false => format!("topic hits of namespace {}", pulsar.namespace),
    };
    // The far ones first: nothing is made here if they are not to be had.
    let far_store = match tikv.endpoints.is_empty() {
        true => None,
        false => Some(distant::store(&tikv).await?),
    };
    if let Some(store) = &far_store {
        // Before the log is opened, which makes what is not there: a slip in its name must not leave anything.
        identity::bind(&**store, &name).await?;
    }
    let far_log = match pulsar.url.is_empty() {
        true => None,
        false => Some(distant::log(&pulsar).await?),
    };
    if let (Some(log), Some(store)) = (&far_log, &far_store) {
        let feed = distant::feed(&pulsar).await?;
        return distant::platform(log, store, &clock, &feed).await;
    }
    directory::settle(data)?;
    let store = match far_store {
        Some(store) => store,
        None => {
            let store = Arc::new(embedded::open_store(data, store).await?);
            identity::bind(&*store, &name).await?;
            store
        }
    };
    let feed = Feed::in_memory(FEED_DEPTH);
    let Some(log) = far_log else {
        let log = embedded::open_log(data, log, clock.clone()).await?;
        together::check(data, &log, &*store, &clock).await?;
        let platform = Platform::over(Arc::new(log), store, clock, feed).await?;
        together::keep(&platform, data);
        return Ok(platform);
    };
    Platform::over(log, store, clock, feed).await
}

impl Platform {
    /// A platform over these, which this process has for itself.
    pub async fn over(
        log: Arc<dyn EventLog>,
        store: Arc<dyn Store>,
        clock: Clock,
        feed: Feed,
    ) -> anyhow::Result<Self> {
        let catalog = Catalog::load(&*store).await.context("failed to read the configuration")?;
        Ok(Self {
            instance_id: identity::of(&*store, &clock).await?,
            log,
            store,
            clock,
            catalog,
            feed,
            shared: false,
            drain: CancellationToken::new(),
            tasks: TaskTracker::new(),
        })
    }
}
