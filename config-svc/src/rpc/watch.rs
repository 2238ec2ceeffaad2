//! The whole configuration, then every change: from the snapshot in memory and from the records of changes in the store,
//! so that a slow watcher holds nobody up, costs a few messages of memory, and still misses nothing.

use std::convert::Infallible;
use std::sync::Arc;

use catalog::{Catalog, Grant, Item, Snapshot};
use host::Platform;
use proto::v1::WatchResponse;
use store::Store;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::status;
use crate::{Error, Result};

/// Items in one message of the snapshot: about 64 KiB.
const ITEMS: usize = 500;
/// Messages that wait for a slow watcher.
const WAITING: usize = 4;

/// What a watcher receives.
pub(super) type Stream = ReceiverStream<std::result::Result<WatchResponse, Status>>;

/// Starts to send what comes after the version that the watcher knows.
pub(super) fn start(platform: &Platform, grant: Grant, since: u64) -> Stream {
    let (sender, receiver) = mpsc::channel(WAITING);
    let Platform { store, catalog, drain, .. } = platform.clone();
    platform.tasks.spawn(Watcher { store, catalog, grant, sender }.run(since, drain));
    ReceiverStream::new(receiver)
}

struct Watcher {
    store: Arc<dyn Store>,
    catalog: Catalog,
    grant: Grant,
    sender: mpsc::Sender<std::result::Result<WatchResponse, Status>>,
}

impl Watcher {
    async fn run(self, since: u64, drain: CancellationToken) {
        // Room for the reason of the end, however slow the watcher is: the drain does not wait for it.
        let Ok(last) = self.sender.clone().reserve_owned().await else { return };
        let why = tokio::select! {
            () = drain.cancelled() => Error::Draining,
            () = self.sender.closed() => return,
            Err(why) = self.send_all(since) => why,
        };
        last.send(Err(status(why)));
    }

    async fn send_all(&self, since: u64) -> Result<Infallible> {
        if since > self.catalog.snapshot().version() {
            // The watcher comes from a config-svc that is ahead of this one.
            self.catalog.catch_up(&*self.store).await?;
        }
        // Before the snapshot is taken: no change falls between the two.
        let mut changed = self.catalog.changed();
        let snapshot = self.catalog.snapshot();
        let mut known = since;
        // A later version than ours is of data that was replaced since.
        if since == 0 || since > snapshot.version() {
            self.send_snapshot(&snapshot).await?;
            known = snapshot.version();
        }
        drop(snapshot);
        loop {
            known = self.send_changes(known).await?;
            // The catalog lives as long as this watcher: the wait fails never.
            let _ = changed.changed().await;
            self.catalog.snapshot().still(&self.grant)?;
        }
    }

    async fn send_snapshot(&self, snapshot: &Snapshot) -> Result<()> {
        let mut items = snapshot.items().peekable();
        let mut reset = true;
        loop {
            let part: Vec<Item> = items.by_ref().take(ITEMS).collect();
            let last = items.peek().is_none();
            let version = if last { snapshot.version() } else { 0 };
            self.send(&part, version, reset).await?;
            if last {
                return Ok(());
            }
            reset = false;
        }
    }

    /// Sends the changes after the version `known`, and says which is known then.
    async fn send_changes(&self, mut known: u64) -> Result<u64> {
        loop {
            let changes = catalog::changes(&*self.store, known).await?;
            if changes.is_empty() {
                return Ok(known);
            }
            for change in changes {
                self.send(&change.items, change.version, false).await?;
                known = change.version;
            }
        }
    }

    async fn send(&self, items: &[Item], version: u64, reset: bool) -> Result<()> {
        self.catalog.snapshot().still(&self.grant)?;
        let items = items.iter().map(Item::whole).collect();
        let sent = self.sender.send(Ok(WatchResponse { version, items, reset })).await;
        sent.map_err(|_| Error::Gone)
    }
}
