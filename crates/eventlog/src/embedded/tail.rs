use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::{Chunk, Entry};

/// The most recent records of a partition as they were appended: a reader that keeps up touches no disk and
/// decompresses nothing.
#[derive(Debug)]
pub(super) struct Tail {
    limit: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: VecDeque<Entry>,
    bytes: usize,
}

impl Tail {
    /// Keeps at most `limit` bytes of records.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, kept: Mutex::default() }
    }

    /// Adds records that became durable, and lets go of the oldest above the limit.
    pub(super) fn push(&self, entries: impl Iterator<Item = Entry>) {
        let mut kept = self.kept.lock();
        for entry in entries {
            kept.bytes += entry.record.len();
            kept.entries.push_back(entry);
        }
        while kept.bytes > self.limit {
            let Some(oldest) = kept.entries.pop_front() else { break };
            kept.bytes -= oldest.record.len();
        }
    }

    /// Records from entry `from` on, if all of them up to the end are here.
    pub(super) fn read(&self, from: u64, max_bytes: usize) -> Option<Chunk> {
        let kept = self.kept.lock();
        let oldest = kept.entries.front()?.position;
        let skip = usize::try_from(from.checked_sub(oldest.entry)?).ok()?;
        let mut budget = max_bytes;
        let mut entries = Vec::new();
        for entry in kept.entries.range(skip.min(kept.entries.len())..) {
            if !entries.is_empty() && entry.record.len() > budget {
                break;
            }
            budget = budget.saturating_sub(entry.record.len());
            entries.push(entry.clone());
        }
        let next = entries.last()?.position.next();
        Some(Chunk { entries, next })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use model::{Position, Timestamp};

    use super::*;

    fn entry(number: u64, bytes: usize) -> Entry {
        let record = Bytes::from(vec![number as u8; bytes]);
        Entry { position: Position::of_entry(number), appended_at: Timestamp(0), record }
    }

    fn numbers(chunk: Option<Chunk>) -> Option<Vec<u64>> {
        chunk.map(|chunk| chunk.entries.iter().map(|entry| entry.position.entry).collect())
    }

    #[test]
    fn it_keeps_the_latest_within_its_limit() {
        let tail = Tail::new(10);
        tail.push([entry(5, 4), entry(6, 4), entry(7, 4)].into_iter());
        assert_eq!(numbers(tail.read(5, 100)), None, "let go");
        assert_eq!(numbers(tail.read(6, 100)), Some(vec![6, 7]));
        assert_eq!(numbers(tail.read(6, 5)), Some(vec![6]));
        assert_eq!(numbers(tail.read(7, 0)), Some(vec![7]), "at least one");
        assert_eq!(numbers(tail.read(8, 100)), None, "not appended yet");
        tail.push([entry(8, 11)].into_iter());
        assert_eq!(numbers(tail.read(8, 100)), None, "larger than the limit");
        tail.push([entry(9, 10)].into_iter());
        assert_eq!(numbers(tail.read(9, 100)), Some(vec![9]));
    }
}
