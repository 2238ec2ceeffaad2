//! What services stand on, and the ways to get it.

mod embedded;

use std::sync::Arc;

use catalog::Catalog;
use clock::Clock;
use eventlog::EventLog;
use store::Store;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Feed;

pub use embedded::embedded;

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
