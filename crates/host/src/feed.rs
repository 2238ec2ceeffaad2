mod others;
mod pending;

use std::sync::Arc;

use model::{Generation, Hour, MerchantId};
use tokio::sync::broadcast;

pub(crate) use others::Others;

/// What rollup tells query: which cells changed. A hint for being prompt, never for being right: readers find what is
/// true in the store, and one that missed events reads everything again.
#[derive(Clone, Debug)]
pub struct Feed {
    events: broadcast::Sender<FeedEvent>,
    others: Option<Arc<Others>>,
}

/// Something that happened to the cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedEvent {
    /// A commit changed cells of these merchants.
    Changed(Arc<[Change]>),
    /// Nothing changed but the watermark went on.
    Watermark,
    /// Nobody knows what changed: anything may have.
    Everything,
}

/// The cells of one merchant that a commit changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whose.
    pub merchant: MerchantId,
    /// In which generation.
    pub generation: Generation,
    /// The hours whose cells changed.
    pub hours: Vec<Hour>,
}

impl Feed {
    /// A feed within this process, on which a listener may fall `depth` events behind before it misses some.
    pub fn in_memory(depth: usize) -> Self {
        Self { events: broadcast::channel(depth).0, others: None }
    }

    /// The same, telling the listeners of other processes too, by the tasks of [`Others`].
    #[cfg_attr(not(any(feature = "cluster", test)), expect(dead_code, reason = "only there are others"))]
    pub(crate) fn with_others(depth: usize) -> (Self, Arc<Others>) {
        let events = broadcast::channel(depth).0;
        let others = Arc::new(Others::new(events.clone()));
        (Self { events, others: Some(Arc::clone(&others)) }, others)
    }

    /// Tells every listener; without any it is nothing.
    pub fn publish(&self, event: FeedEvent) {
        if let Some(others) = &self.others {
            others.add(&event);
        }
        // The only failure is that nobody listens.
        let _ = self.events.send(event);
    }

    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<FeedEvent> {
        self.events.subscribe()
    }
}
