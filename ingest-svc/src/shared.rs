use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catalog::{Catalog, Denied, Merchant, Snapshot};
use clock::Clock;
use eventlog::EventLog;
use model::Lane;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Settings;
use crate::budget::Budget;
use crate::door::{self, Session, Source};
use crate::error::Error;
use crate::gather::Gatherers;
use crate::intake::{Frame, Taken, take_in};
use crate::quota::Quotas;
use crate::slots::Slots;
use crate::telemetry::Telemetry;

thread_local! {
    /// Where packed hits are unpacked to be looked at. It grows to the size of the largest batch, so there is one for each
    /// thread and not for each stream.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What all streams and requests use.
pub(crate) struct Shared {
    /// What the operator tunes.
    pub(crate) settings: Settings,
    /// The configuration.
    pub(crate) catalog: Catalog,
    /// Hears of new versions of it, a few times a second at most.
    pub(crate) reconfigured: watch::Receiver<u64>,
    /// Time.
    pub(crate) clock: Clock,
    /// Identity of this installation's data.
    pub(crate) instance_id: Arc<str>,
    /// Cancelled when the process is to end.
    pub(crate) drain: CancellationToken,
    /// The ways to the log.
    pub(crate) gatherers: Gatherers,
    /// The memory for what waits for it.
    pub(crate) budget: Arc<Budget>,
    /// The places of streams.
    pub(crate) slots: Arc<Slots>,
    /// What is counted.
    pub(crate) telemetry: Arc<Telemetry>,
    quotas: Mutex<Quotas>,
    partitions: u16,
}

impl Shared {
    /// Starts the gatherers.
    pub(crate) fn start(
        platform: &host::Platform,
        settings: Settings,
        reconfigured: watch::Receiver<u64>,
    ) -> Self {
        let budget = Arc::new(Budget::new(settings.max_queued_bytes));
        let telemetry = Arc::new(Telemetry::new());
        let (linger, retry) =
            (settings.gather(platform.shared), Duration::from_millis(settings.log_retry_ms));
        Self {
            catalog: platform.catalog.clone(),
            reconfigured,
            clock: platform.clock.clone(),
            instance_id: Arc::clone(&platform.instance_id),
            drain: platform.drain.clone(),
            gatherers: Gatherers::start(&platform.log, &budget, &telemetry, linger, retry),
            slots: Arc::new(Slots::new(settings.max_streams, settings.max_streams_per_client)),
            partitions: EventLog::partitions(&*platform.log),
            quotas: Mutex::default(),
            budget,
            telemetry,
            settings,
        }
    }

    /// The configuration as it is now.
    pub(crate) fn configured(&self) -> Arc<Snapshot> {
        self.catalog.snapshot()
    }

    /// Lets a sender in. What is not known here may have been made elsewhere a moment ago: it is looked for before anybody
    /// is refused for good.
    pub(crate) async fn open(
        &self,
        setup: &[u8],
        authorization: Option<&[u8]>,
    ) -> Result<(Arc<Snapshot>, Session), Error> {
        let configured = self.configured();
        match door::open(&configured, setup, authorization) {
            Err(refusal) if refusal.may_be_old() => {
                let fresh = self.catalog.freshen().await;
                let configured = self.configured();
                match door::open(&configured, setup, authorization) {
                    Err(refusal) if refusal.may_be_old() && !fresh => Err(Denied::Undecided.into()),
                    session => Ok((configured, session?)),
                }
            }
            session => Ok((configured, session?)),
        }
    }

    /// Takes the batches of a frame in.
    pub(crate) fn take_in(&self, source: &Arc<Source>, merchant: &Merchant, batches: Vec<Bytes>) -> Taken {
        let received_at = self.clock.now();
        let frame = Frame { source, merchant, received_at, partitions: self.partitions };
        let quota = |hits| {
            let (merchant, per_second) = (merchant.id, merchant.hits_per_second);
            // History is the operator's: it must neither lose hits to the merchant's quota nor use it up.
            let is_free = per_second == 0 || source.lane == Lane::History;
            is_free || self.quotas.lock().take(merchant, per_second, hits, received_at)
        };
        SCRATCH.with_borrow_mut(|scratch| take_in(&frame, batches, scratch, quota))
    }

    /// Measures the time until a frame was durable.
    pub(crate) fn acked(&self, since: Instant) {
        self.telemetry.ack_seconds.record(since.elapsed());
    }
}
