use std::time::Duration;

use catalog::{Catalog, Grant};
use proto::v1;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::answer::{HEARTBEAT, News, Seat};
use crate::Error;
use crate::outlet::Outlet;

/// One subscriber: waits until there is something new for it, no more often than it wants, and until it reads; only
/// then is the message made. So it holds whatever came together in the meantime, and nobody waits for anybody.
pub(super) struct Follower {
    pub(super) seat: Seat,
    pub(super) outlet: Outlet<v1::SubscribeResponse>,
    /// The last number that it was sent; 0 is none.
    pub(super) seen: u64,
    pub(super) interval: Duration,
    pub(super) by: Vec<String>,
    pub(super) grant: Option<Grant>,
    pub(super) catalog: Catalog,
    pub(super) drain: CancellationToken,
}

impl Follower {
    /// Follows until one side has enough.
    pub(super) async fn run(mut self) {
        let mut news = self.seat.live().news();
        let mut configured = self.catalog.changed();
        let drain = self.drain.clone();
        let mut sent = None;
        loop {
            let now = news.borrow_and_update().clone();
            if let Some(error) = now.failed {
                return self.outlet.end(Error::Shared(error));
            }
            let due = self.due(&now, sent);
            tokio::select! {
                () = self.outlet.closed() => return,
                () = drain.cancelled() => return self.outlet.end(Error::Draining),
                changed = configured.changed() => {
                    if let Err(denied) = self.allowed() {
                        return self.outlet.end(denied);
                    }
                    if changed.is_err() {
                        return;
                    }
                }
                changed = news.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    // A reader that is slow must not hold up the drain.
                    match drain.run_until_cancelled(self.send()).await {
                        Some(true) => sent = Some(Instant::now()),
                        Some(false) => return,
                        None => {}
                    }
                }
            }
        }
    }

    /// When to send, if there is anything to.
    fn due(&self, news: &News, sent: Option<Instant>) -> Option<Instant> {
        // A number that was never given is of somebody who will get a snapshot.
        let new = news.number > 0 && news.number != self.seen;
        let pause =
            if news.content > self.seen || self.seen > news.number { self.interval } else { HEARTBEAT };
        new.then(|| sent.map_or_else(Instant::now, |sent| sent + pause))
    }

    async fn send(&mut self) -> bool {
        let (live, seen, by) = (self.seat.live(), self.seen, self.by.clone());
        let mut number = seen;
        let sent = self.outlet.send(|| {
            let message = live.state().since(seen);
            number = message.number;
            v1::SubscribeResponse {
                live_id: live.id().to_owned(),
                number,
                snapshot: message.snapshot,
                rows: message.rows,
                removed: message.removed,
                finality: message.finality.map(|finality| finality.wire()),
                methods: message.methods,
                by,
            }
        });
        let sent = sent.await;
        self.seen = number;
        sent
    }

    fn allowed(&self) -> Result<(), Error> {
        match &self.grant {
            Some(grant) => Ok(self.catalog.snapshot().still(grant)?),
            None => Ok(()),
        }
    }
}
