use model::{Generation, Hour, MerchantId};
use tokio::sync::broadcast;

/// What rollup tells query: which cells changed. A hint for being prompt, never for being right: readers find what is
/// true in the store, and one that missed events reads everything again.
#[derive(Clone, Debug)]
pub struct Feed {
    events: broadcast::Sender<FeedEvent>,
}

/// Something that happened to the cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedEvent {
    /// A commit changed cells of these merchants.
    Changed(std::sync::Arc<[Change]>),
    /// Nothing changed but the watermark went on.
    Watermark,
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
    /// A feed within this process, on which a reader may fall `depth` events behind before it misses some.
    pub fn in_memory(depth: usize) -> Self {
        Self { events: broadcast::channel(depth).0 }
    }

    /// Tells every reader; without readers it is nothing.
    pub fn publish(&self, event: FeedEvent) {
        // The only failure is that nobody listens.
        let _ = self.events.send(event);
    }

    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<FeedEvent> {
        self.events.subscribe()
    }
}
