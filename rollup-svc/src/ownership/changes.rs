//! Changes of leases that are under way: each is a commit of its own, so that one that waits holds up no other.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;

use keyspace::lease::{self, Lease};
use model::{Kind, Partition};
use store::{Batch, Store};
use tokio::task::JoinSet;

use super::workers::unless_panicked;

/// The changes under way, one for each partition at most.
pub(super) struct Changes {
    store: Arc<dyn Store>,
    partitions: BTreeSet<Partition>,
    tasks: JoinSet<(Partition, Outcome)>,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The lease is another one now, by us or by another member.
    Changed,
    /// Nothing is known: the next regular look tries again, or shows that it was changed after all.
    Failed,
}

impl Changes {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, partitions: BTreeSet::new(), tasks: JoinSet::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    /// Changes a lease if it still is as it was, and then takes `note` of it.
    pub(super) fn make(
        &mut self,
        partition: Partition,
        before: Option<Lease>,
        now: Lease,
        note: impl FnOnce() + Send + 'static,
    ) {
        if !self.partitions.insert(partition) {
            return;
        }
        let mut batch = Batch::default();
        let key = lease::lease_key(partition);
        batch.require(key.clone(), before.map(|lease| lease.encode())).put(key, now.encode());
        let store = Arc::clone(&self.store);
        self.tasks.spawn(async move {
            match store.commit(batch).await {
                Ok(()) => note(),
                Err(error) if error.kind() == Kind::Conflict => {
                    tracing::debug!(%partition, "another member was faster");
                }
                Err(error) => {
                    tracing::warn!(%partition, kind = ?error.kind(), "a lease could not be changed: {error}");
                    return (partition, Outcome::Failed);
                }
            }
            (partition, Outcome::Changed)
        });
    }

    /// What became of the next one that ends.
    pub(super) async fn next(&mut self) -> Outcome {
        loop {
            match self.tasks.join_next().await {
                None => pending().await,
                Some(ended) => {
                    if let Some((partition, outcome)) = unless_panicked(ended) {
                        self.partitions.remove(&partition);
                        return outcome;
                    }
                }
            }
        }
    }
}
