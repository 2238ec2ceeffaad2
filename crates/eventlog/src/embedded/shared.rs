use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::{Partition, Position, Timestamp};
use parking_lot::RwLock;
use tokio::sync::watch;

use super::segment::Segment;
use super::tail::Tail;
use crate::{Chunk, Error, Result};

/// What the writer and the readers of a partition share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) partition: Partition,
    /// Oldest first, without gaps; the last one is written to. Only the writer changes it. Never empty.
    pub(super) segments: RwLock<VecDeque<Arc<Segment>>>,
    pub(super) tail: Tail,
    /// Above the last durable entry.
    pub(super) end: watch::Sender<u64>,
    /// Entries below are no longer needed. 0 until a floor is set, and nothing is below 0.
    floor: AtomicU64,
}

impl Shared {
    /// A partition as recovery found it.
    pub(super) fn new(
        partition: Partition,
        segments: VecDeque<Arc<Segment>>,
        end: u64,
        tail_bytes: usize,
    ) -> Self {
        Self {
            partition,
            segments: RwLock::new(segments),
            tail: Tail::new(tail_bytes),
            end: watch::Sender::new(end),
            floor: AtomicU64::new(0),
        }
    }

    /// Above the last durable entry.
    pub(super) fn end(&self) -> u64 {
        *self.end.borrow()
    }

    /// The oldest entry that is kept, or the end.
    pub(super) fn first(&self) -> u64 {
        self.segments.read().front().map_or(0, |segment| segment.first())
    }

    /// Entries below are no longer needed.
    pub(super) fn floor(&self) -> u64 {
        self.floor.load(Ordering::Acquire)
    }

    /// Raises the floor.
    pub(super) fn raise(&self, floor: u64) {
        self.floor.fetch_max(floor, Ordering::AcqRel);
    }

    /// Fails if retention has deleted `from`.
    pub(super) fn kept(&self, from: u64) -> Result<()> {
        let first = self.first();
        if from >= first {
            return Ok(());
        }
        let (asked, first) = (Position::of_entry(from), Position::of_entry(first));
        Err(Error::Gone { partition: self.partition, asked, first })
    }

    /// Reads records from entry `from`, which is below the end, on, from the files.
    pub(super) fn read_files(&self, from: u64, max_bytes: usize) -> Result<Chunk> {
        let segment = {
            let segments = self.segments.read();
            let after = segments.partition_point(|segment| segment.first() <= from);
            after.checked_sub(1).map(|at| Arc::clone(&segments[at]))
        };
        let Some(segment) = segment else {
            // Only what is gone has no segment.
            return self.kept(from).map(|()| Chunk::default());
        };
        // Retention may delete the file between the look and the read: then the record is gone, not damaged.
        let entries = segment.read(from, max_bytes).or_else(|error| self.kept(from).and(Err(error)))?;
        let next = entries.last().map_or(Position::of_entry(from), |entry| entry.position.next());
        Ok(Chunk { entries, next })
    }

    /// The first kept entry that was appended at `time` or later, or the end.
    pub(super) fn at_or_after(&self, time: Timestamp) -> Result<u64> {
        loop {
            let segments: Vec<_> = self.segments.read().iter().cloned().collect();
            match search(&segments, time) {
                // Retention deleted files during the search: what is left starts later.
                Err(_) if self.first() > segments[0].first() => {}
                found => return found,
            }
        }
    }
}

fn search(segments: &[Arc<Segment>], time: Timestamp) -> Result<u64> {
    // A segment is made at or after every record before it. So records before a segment that was made earlier than
    // `time` are all too early, and the first one at `time` or later is in the last such segment or starts the next.
    let (mut low, mut high) = (0, segments.len().saturating_sub(1));
    while low < high {
        let middle = low.midpoint(high);
        if segments[middle + 1].created_at()? >= time {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    match segments[low].at_or_after(time)? {
        Some(entry) => Ok(entry),
        None => Ok(segments.get(low + 1).map_or_else(|| segments[low].end(), |next| next.first())),
    }
}
