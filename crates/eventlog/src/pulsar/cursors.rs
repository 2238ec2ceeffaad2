//! The readers of a partition that are open: whoever reads on where one stands takes it, and does not open a new one for
//! each chunk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::Position;
use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use super::cursor::Cursor;

/// How many are kept for a partition that nobody uses just now.
const KEPT: usize = 8;
/// How long: who comes back later opens a new one.
const IDLE: Duration = Duration::from_secs(60);

/// The open cursors of a partition. One that is in use is locked.
#[derive(Default)]
pub(super) struct Cursors(Mutex<Vec<Open>>);

/// A cursor in use. Dropped, it is free for the next one who stands where it stands.
pub(super) type InUse = OwnedMutexGuard<Cursor>;

struct Open {
    cursor: Arc<tokio::sync::Mutex<Cursor>>,
    used: Instant,
}

impl Cursors {
    /// Takes a free one that stands at a position.
    pub(super) fn at(&self, position: Position) -> Option<InUse> {
        self.take(|cursor| cursor.at == position)
    }

    /// Takes a free one that holds nothing, and can therefore ask its broker.
    pub(super) fn drained(&self) -> Option<InUse> {
        self.take(Cursor::is_drained)
    }

    /// Puts a new one to use.
    pub(super) async fn adopt(&self, cursor: Cursor) -> InUse {
        let cursor = Arc::new(tokio::sync::Mutex::new(cursor));
        let in_use = Arc::clone(&cursor).lock_owned().await;
        let mut open = self.0.lock();
        if open.len() >= KEPT
            && let Some(oldest) = open.iter().position(Open::is_free)
        {
            open.remove(oldest);
        }
        open.push(Open { cursor, used: Instant::now() });
        in_use
    }

    /// Closes one that is of no use.
    pub(super) fn discard(&self, cursor: InUse) {
        self.0.lock().retain(|open| !Arc::ptr_eq(&open.cursor, OwnedMutexGuard::mutex(&cursor)));
    }

    /// Closes those that nobody has used for long.
    pub(super) fn sweep(&self, now: Instant) {
        self.0.lock().retain(|open| !open.is_free() || now.duration_since(open.used) < IDLE);
    }

    fn take(&self, fits: impl Fn(&Cursor) -> bool) -> Option<InUse> {
        // The latest first: what is not needed grows old.
        self.0.lock().iter_mut().rev().find_map(|open| {
            let cursor = Arc::clone(&open.cursor).try_lock_owned().ok().filter(|cursor| fits(cursor))?;
            open.used = Instant::now();
            Some(cursor)
        })
    }
}

impl Open {
    fn is_free(&self) -> bool {
        self.cursor.try_lock().is_ok()
    }
}
