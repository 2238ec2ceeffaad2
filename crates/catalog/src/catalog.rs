use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use store::Store;
use tokio::sync::watch;

use crate::{Item, Result, Snapshot, load};

/// A handle on the newest snapshot of the configuration. Cheap to clone; all clones see the same.
#[derive(Clone)]
pub struct Catalog(Arc<Shared>);

struct Shared {
    newest: ArcSwap<Snapshot>,
    version: watch::Sender<u64>,
}

impl Catalog {
    /// Reads the configuration from the store.
    pub async fn load(store: &dyn Store) -> Result<Self> {
        Ok(Self::new(load::snapshot(store).await?))
    }

    /// A catalog that begins with this snapshot.
    pub fn new(snapshot: Snapshot) -> Self {
        let version = watch::Sender::new(snapshot.version());
        Self(Arc::new(Shared { newest: ArcSwap::from_pointee(snapshot), version }))
    }

    /// The newest snapshot. It stays as it is for as long as it is held.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.newest.load_full()
    }

    /// Takes in the change that made `version`. Changes come in the order of their versions; one that is known already
    /// changes nothing, so that whoever made a change and whoever only heard of it may both bring it.
    pub fn apply(&self, change: &[Item], version: u64) {
        self.0.newest.rcu(|newest| {
            if newest.version() >= version { newest.clone() } else { Arc::new(newest.with(change, version)) }
        });
        // After the snapshot: who hears of a version finds it.
        self.0.version.send_if_modified(|known| {
            let newer = version > *known;
            *known = version.max(*known);
            newer
        });
    }

    /// Takes in the changes that others made in the store since the version that is known here.
    pub async fn catch_up(&self, store: &dyn Store) -> Result<()> {
        loop {
            let changes = load::changes(store, self.snapshot().version()).await?;
            if changes.is_empty() {
                return Ok(());
            }
            for change in changes {
                self.apply(&change.items, change.version);
            }
        }
    }

    /// Catches up every so often, for ever; while the store is away, what is known goes on to hold.
    pub async fn follow(&self, store: &dyn Store, every: Duration) {
        let mut ticks = tokio::time::interval(every.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.catch_up(store).await {
                let version = self.snapshot().version();
                tracing::warn!(
                    version,
                    "the configuration cannot be read, an older one stays in force: {error}"
                );
            }
        }
    }

    /// The newest version, and news of later ones.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.0.version.subscribe()
    }
}
