use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The memory for admitted hits that wait for the log, shared by all streams; and whether there is reason to hold back
/// credit: it is nearly used up, or the log takes no writes.
#[derive(Debug)]
pub(crate) struct Budget {
    size: usize,
    room: Arc<Semaphore>,
    broken: AtomicUsize,
    pressure: watch::Sender<bool>,
}

impl Budget {
    /// A budget of `size` bytes.
    pub(crate) fn new(size: usize) -> Self {
        // More than a semaphore can count is no limit.
        let size = size.min(Semaphore::MAX_PERMITS);
        Self {
            size,
            room: Arc::new(Semaphore::new(size)),
            broken: AtomicUsize::new(0),
            pressure: watch::Sender::new(false),
        }
    }

    /// Room for `bytes`, if there is now.
    pub(crate) fn try_take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.room).try_acquire_many_owned(self.permits(bytes)).ok()?;
        self.update();
        Some(permit)
    }

    /// The semaphore to wait at, and how many permits `bytes` need. Call [`Budget::update`] after it.
    pub(crate) fn room(&self) -> Arc<Semaphore> {
        Arc::clone(&self.room)
    }

    /// How many permits `bytes` need. What is larger than all of the budget may go when it is alone.
    pub(crate) fn permits(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.min(self.size)).unwrap_or(u32::MAX)
    }

    /// A partition of the log stopped taking writes.
    pub(crate) fn broken(&self) {
        self.broken.fetch_add(1, Ordering::SeqCst);
        self.update();
    }

    /// It takes them again.
    pub(crate) fn mended(&self) {
        self.broken.fetch_sub(1, Ordering::SeqCst);
        self.update();
    }

    /// Whether some partition of the log takes no writes.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst) > 0
    }

    /// Bytes in use.
    pub(crate) fn used(&self) -> usize {
        self.size - self.room.available_permits()
    }

    /// Whether to hold back credit, and news of it.
    pub(crate) fn pressure(&self) -> watch::Receiver<bool> {
        self.pressure.subscribe()
    }

    /// Looks at the room that is left. It has to be called after every change: the last call sees them all, because it
    /// looks while it holds the lock of the value.
    pub(crate) fn update(&self) {
        self.pressure.send_if_modified(|pressure| {
            let free = self.room.available_permits();
            // It ends at twice what it begins at, so that it does not flicker.
            let full = if *pressure { free < self.size / 2 } else { free < self.size / 4 };
            let was = std::mem::replace(pressure, full || self.is_broken());
            was != *pressure
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_begins_at_a_quarter_left_and_ends_at_half() {
        let budget = Budget::new(1_000);
        let pressure = budget.pressure();
        let first = budget.try_take(500).unwrap();
        let second = budget.try_take(250).unwrap();
        assert!(!*pressure.borrow(), "a quarter is left");
        let third = budget.try_take(1).unwrap();
        assert!(*pressure.borrow());
        assert!(budget.try_take(250).is_none());
        drop((second, third));
        budget.update();
        assert!(!*pressure.borrow(), "half is free");
        drop(first);
        assert_eq!(budget.used(), 0);
        assert!(budget.try_take(5_000).is_some(), "alone, anything fits");
    }

    #[test]
    fn a_broken_log_is_pressure_until_every_partition_is_mended() {
        let budget = Budget::new(1_000);
        let pressure = budget.pressure();
        budget.broken();
        budget.broken();
        budget.mended();
        assert!(*pressure.borrow() && budget.is_broken());
        budget.mended();
        assert!(!*pressure.borrow());
    }
}
