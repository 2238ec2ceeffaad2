use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use store::Store;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use crate::{Item, Result, Snapshot, load};

/// How long somebody may wait for a look at the store: after it, what is known has to do.
const LOOK: Duration = Duration::from_secs(1);

/// A handle on the newest snapshot of the configuration. Cheap to clone; all clones see the same.
#[derive(Clone)]
pub struct Catalog(Arc<Shared>);

struct Shared {
    newest: ArcSwap<Snapshot>,
    version: watch::Sender<u64>,
    others: OnceLock<Others>,
}

/// Where the changes of other processes are found.
struct Others {
    store: Arc<dyn Store>,
    /// When the last look began that succeeded or failed. Held while one looks: those who wait meanwhile share the next.
    looked: Mutex<Option<Instant>>,
}

impl Catalog {
    /// Reads the configuration from the store.
    pub async fn load(store: &dyn Store) -> Result<Self> {
        Ok(Self::new(load::snapshot(store).await?))
    }

    /// A catalog that begins with this snapshot.
    pub fn new(snapshot: Snapshot) -> Self {
        let version = watch::Sender::new(snapshot.version());
        Self(Arc::new(Shared { newest: ArcSwap::from_pointee(snapshot), version, others: OnceLock::new() }))
    }

    /// Says that other processes change the configuration in this store: what is known here may be old.
    pub fn share(&self, store: Arc<dyn Store>) {
        // Said once; the store stays the same.
        let _ = self.0.others.set(Others { store, looked: Mutex::default() });
    }

    /// Returns when what is known here is at least as new as this call, for whoever misses something that may have just
    /// been made elsewhere. However many ask at a time, the store is looked at once. False if the store did not answer in
    /// time: then what is known holds, and what is not known may be there all the same. Where nobody else changes anything,
    /// nothing is newer.
    pub async fn freshen(&self) -> bool {
        let Some(others) = self.0.others.get() else { return true };
        let asked = Instant::now();
        let look = async {
            let mut looked = others.looked.lock().await;
            if looked.is_none_or(|began| began < asked) {
                let began = Instant::now();
                if let Err(error) = self.catch_up(&*others.store).await {
                    tracing::debug!("the configuration cannot be read: {error}");
                    return false;
                }
                *looked = Some(began);
            }
            true
        };
        tokio::time::timeout(LOOK, look).await.unwrap_or_else(|_| {
            tracing::debug!("the configuration could not be read in time");
            false
        })
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
        self.tell(version);
    }

    /// Takes in a whole configuration, if it is newer than what is known; gives whether it is.
    pub fn replace(&self, snapshot: Snapshot) -> bool {
        let version = snapshot.version();
        let snapshot = Arc::new(snapshot);
        let before = self
            .0
            .newest
            .rcu(|newest| if newest.version() >= version { newest.clone() } else { snapshot.clone() });
        self.tell(version);
        before.version() < version
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

    /// After the snapshot: who hears of a version finds it.
    fn tell(&self, version: u64) {
        self.0.version.send_if_modified(|known| {
            let newer = version > *known;
            *known = version.max(*known);
            newer
        });
    }
}
