//! From parcels to records: one task for each partition takes everything that waits, makes one record of it, and reports
//! when the record is durable. While an append is under way the next record gathers, so the busier it is the larger the
//! records are. Alone, a parcel waits for nothing where a record costs little, and some milliseconds for others where each
//! is a message to a broker.

mod record;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eventlog::EventLog;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use model::Partition;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;

use self::record::Gathered;
use crate::budget::Budget;
use crate::desk::Ticket;
use crate::intake::Parcel;
use crate::telemetry::Telemetry;

/// Appends of one partition at a time: one that is on its way to the disk, and one that is ready when it is done.
const APPENDS: usize = 2;

/// A parcel on its way.
#[derive(Debug)]
pub(crate) struct Queued {
    /// What it holds.
    pub(crate) parcel: Parcel,
    /// Reports what becomes of it.
    pub(crate) ticket: Ticket,
    /// The memory that it was given.
    pub(crate) permit: OwnedSemaphorePermit,
}

/// The ways to the partitions. A gatherer ends when nobody can send to it any more and all it had is durable.
#[derive(Clone, Debug)]
pub(crate) struct Gatherers(Arc<[mpsc::UnboundedSender<Queued>]>);

impl Gatherers {
    /// Starts a gatherer for each partition. `linger` is how long a small record waits for more; `retry` is the pause
    /// between attempts while the log takes no writes.
    pub(crate) fn start(
        log: &Arc<dyn EventLog>,
        budget: &Arc<Budget>,
        telemetry: &Arc<Telemetry>,
        linger: Duration,
        retry: Duration,
    ) -> Self {
        let start = |partition| {
            // Its length is bounded by the budget of bytes, in which every parcel has its part.
            let (to, queue) = mpsc::unbounded_channel();
            let gatherer = Gatherer {
                partition: Partition(partition),
                log: Arc::clone(log),
                budget: Arc::clone(budget),
                telemetry: Arc::clone(telemetry),
                linger,
                retry,
                broken_until: None,
            };
            // Whoever gave a parcel waits for it; nobody needs to wait for the gatherer besides.
            tokio::spawn(gatherer.run(queue));
            to
        };
        Self((0..log.partitions()).map(start).collect())
    }

    /// Sends a parcel on its way.
    pub(crate) fn send(&self, queued: Queued) {
        if let Some(to) = self.0.get(usize::from(queued.parcel.partition.0)) {
            // If the gatherer is gone the ticket is dropped, and reports just that.
            let _ = to.send(queued);
        }
    }
}

struct Gatherer {
    partition: Partition,
    log: Arc<dyn EventLog>,
    budget: Arc<Budget>,
    telemetry: Arc<Telemetry>,
    linger: Duration,
    retry: Duration,
    /// The log failed: nothing is tried before this time.
    broken_until: Option<Instant>,
}

type Appended = (eventlog::Result<model::Position>, Vec<Queued>);

impl Gatherer {
    async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Queued>) {
        let mut gathered = Gathered::default();
        let mut under_way = FuturesUnordered::new();
        loop {
            let good = self.broken_until.is_none();
            let mut retry = pin!(tokio::time::sleep_until(self.broken_until.unwrap_or_else(Instant::now)));
            tokio::select! {
                // First what was begun: appends reach the log in the order in which they were gathered.
                biased;
                Some(appended) = under_way.next() => self.landed(appended),
                () = &mut retry, if !good && under_way.is_empty() => {
                    // Without anything to append an empty record finds out whether the log is back.
                    gathered.fill(&mut queue);
                    if gathered.is_empty() && queue.is_closed() {
                        break;
                    }
                    under_way.push(self.append(gathered.finish()));
                }
                some = gathered.wait(&mut queue, self.linger), if good && under_way.len() < APPENDS => {
                    if !some {
                        break;
                    }
                    under_way.push(self.append(gathered.finish()));
                }
            }
        }
        while let Some(appended) = under_way.next().await {
            self.landed(appended);
        }
    }

    fn append(&self, (record, parcels): (Bytes, Vec<Queued>)) -> impl Future<Output = Appended> + use<> {
        let (log, partition) = (Arc::clone(&self.log), self.partition);
        self.telemetry.record_bytes.record(record.len() as f64);
        async move { (log.append(partition, record).await, parcels) }
    }

    fn landed(&mut self, (result, parcels): Appended) {
        match result {
            Ok(_) => {
                if self.broken_until.take().is_some() {
                    tracing::info!(partition = %self.partition, "the event log takes writes again");
                    self.budget.mended();
                }
                for Queued { ticket, permit, .. } in parcels {
                    drop(permit);
                    ticket.durable();
                }
            }
            Err(error) => {
                self.telemetry.append_failures.increment(1);
                // Only the first of a row: the rest are the same.
                if self.broken_until.is_none() {
                    tracing::error!(partition = %self.partition, %error, "the event log takes no writes");
                    self.budget.broken();
                }
                self.broken_until = Some(Instant::now() + self.retry);
                drop(parcels);
            }
        }
        self.budget.update();
        self.telemetry.queued_bytes.set(self.budget.used() as f64);
    }
}
