//! The readers of a partition that are open: whoever reads on where one stands takes it, and does not open a new one for
//! each chunk.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Position, Timestamp};
use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use super::cursor::Cursor;

/// How many are kept for a partition that nobody uses just now.
const KEPT: usize = 4;
/// How long: who comes back later opens a new one.
const IDLE: Duration = Duration::from_secs(60);

/// Ends of chunks that are remembered for a partition.
const ENDS: usize = 64;

/// The open cursors of a partition. One that is in use is locked.
#[derive(Default)]
pub(super) struct Cursors {
    open: Mutex<Vec<Open>>,
    /// Where readers stood lately, and the latest time that they had seen: who goes on there sees time rise only, also by
    /// another cursor.
    ends: Mutex<VecDeque<(Position, Timestamp)>>,
}

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
    pub(super) async fn adopt(&self, mut cursor: Cursor) -> InUse {
        cursor.latest = self.seen(cursor.at);
        let cursor = Arc::new(tokio::sync::Mutex::new(cursor));
        let in_use = Arc::clone(&cursor).lock_owned().await;
        let mut open = self.open.lock();
        if open.len() >= KEPT
            && let Some(oldest) = open.iter().position(Open::is_free)
        {
            open.remove(oldest);
        }
        open.push(Open { cursor, used: Instant::now() });
        in_use
    }

    /// Remembers where a reader goes on that was given a chunk.
    pub(super) fn ended(&self, cursor: &Cursor) {
        let mut ends = self.ends.lock();
        if ends.len() >= ENDS {
            ends.pop_front();
        }
        ends.push_back((cursor.at, cursor.latest));
    }

    /// Closes one that is of no use.
    pub(super) fn discard(&self, cursor: InUse) {
        self.open.lock().retain(|open| !Arc::ptr_eq(&open.cursor, OwnedMutexGuard::mutex(&cursor)));
    }

    /// Closes those that nobody has used for long.
    pub(super) fn sweep(&self, now: Instant) {
        self.open.lock().retain(|open| !open.is_free() || now.duration_since(open.used) < IDLE);
    }

    fn seen(&self, at: Position) -> Timestamp {
        let ends = self.ends.lock();
        let times = ends.iter().filter(|(end, _)| *end == at).map(|(_, time)| *time);
        times.max().unwrap_or(Timestamp(0))
    }

    fn take(&self, fits: impl Fn(&mut Cursor) -> bool) -> Option<InUse> {
        // The latest first: what is not needed grows old.
        self.open.lock().iter_mut().rev().find_map(|open| {
            let mut cursor = Arc::clone(&open.cursor).try_lock_owned().ok()?;
            if !fits(&mut cursor) {
                return None;
            }
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
