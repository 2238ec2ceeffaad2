//! All members and leases, as one snapshot shows them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use keyspace::after;
use keyspace::lease::{self, Entry, Lease, Member, MemberId};
use model::Partition;
use store::Store;
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::beating::Pulse;
use crate::error::{Error, Result};

/// Pairs that are read at once.
const PAGE: usize = 1_000;

/// Who works on what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The members that have a record, dead or alive.
    pub members: BTreeMap<MemberId, Member>,
    /// The leases of the partitions that were ever taken.
    pub leases: BTreeMap<Partition, Lease>,
}

impl View {
    /// The lease of a partition.
    pub fn lease(&self, partition: Partition) -> Lease {
        self.leases.get(&partition).copied().unwrap_or_default()
    }

    /// Who has a partition, dead or alive.
    pub fn owner(&self, partition: Partition) -> Option<MemberId> {
        self.lease(partition).owner
    }
}

/// What the store says now of members and leases.
pub async fn look(store: &dyn Store) -> Result<View> {
    let snapshot = store.snapshot().await?;
    let Range { mut start, end } = lease::range();
    let mut view = View::default();
    loop {
        let page = snapshot.scan(&start, &end, PAGE).await?;
        for (key, value) in &page {
            let place = || format!("key {}", key.escape_ascii());
            match Entry::decode(key, value).map_err(|why| Error::Malformed { place: place(), why })? {
                Entry::Member(id, member) => drop(view.members.insert(id, member)),
                Entry::Lease(partition, lease) => drop(view.leases.insert(partition, lease)),
            }
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE => start = after(last),
            _ => return Ok(view),
        }
    }
}

/// A view, and how many beats of its own the member had written when it began and when it ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    pub(super) view: View,
    pub(super) beats: Range<u64>,
}

/// Looks now and then, and when asked to.
pub(super) struct Looker {
    pub(super) store: Arc<dyn Store>,
    pub(super) every: Duration,
    pub(super) asked: Arc<Notify>,
    pub(super) pulse: watch::Receiver<Pulse>,
    pub(super) looks: watch::Sender<Look>,
}

impl Looker {
    /// Ends between two looks, when nobody wants to know any more.
    pub(super) async fn run(self) {
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut blind = false;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.asked.notified() => {}
                () = self.looks.closed() => return,
            }
            let before = self.pulse.borrow().beats;
            match look(&*self.store).await {
                Ok(view) => {
                    let beats = before..self.pulse.borrow().beats;
                    self.looks.send_replace(Look { view, beats });
                    blind = false;
                }
                Err(error) if blind => tracing::debug!("the leases still cannot be read: {error}"),
                Err(error) => {
                    tracing::warn!(kind = ?error.kind(), "the leases cannot be read: {error}");
                    blind = true;
                }
            }
        }
    }
}
