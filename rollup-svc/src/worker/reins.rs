use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, watch};

/// What a worker is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Fold, and wait for more.
    Work,
    /// Fold nothing: the partition may be somebody else's.
    Pause,
    /// Fold the log to its end, commit everything, and end.
    Finish,
    /// Commit everything, and end: somebody else folds the rest.
    HandOver,
}

impl Order {
    /// Whether the worker ends upon it.
    pub fn is_last(self) -> bool {
        matches!(self, Self::Finish | Self::HandOver)
    }
}

/// Between a worker and the member that it works for.
#[derive(Debug)]
pub struct Reins {
    orders: watch::Receiver<Order>,
    caught_up: Arc<AtomicBool>,
    wake: Arc<Notify>,
    look: Arc<Notify>,
}

impl Reins {
    /// Reins held by whoever has the other end of `orders`. When the worker has caught up it says so in `caught_up` and
    /// tells `wake`; when somebody else seems to work on its partition it tells `look`.
    pub fn new(
        orders: watch::Receiver<Order>,
        caught_up: Arc<AtomicBool>,
        wake: Arc<Notify>,
        look: Arc<Notify>,
    ) -> Self {
        Self { orders, caught_up, wake, look }
    }

    pub(super) fn order(&self) -> Order {
        *self.orders.borrow()
    }

    /// Waits for another order.
    pub(super) async fn changed(&mut self) {
        if self.orders.changed().await.is_err() {
            // Whoever held them is gone, and ends this worker next.
            pending().await
        }
    }

    pub(super) fn caught_up(&self) {
        if !self.caught_up.swap(true, Ordering::SeqCst) {
            self.wake.notify_one();
        }
    }

    pub(super) fn doubt(&self) {
        self.look.notify_one();
    }
}
