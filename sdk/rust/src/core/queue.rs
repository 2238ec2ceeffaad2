use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::Pos;

/// What a queued hit costs beside its own bytes, about.
const OVERHEAD: usize = 64;

/// The hits of one client that are not acknowledged, in the order of their seqs, bounded by bytes and by age. A seq is
/// given to each hit as it comes in, and never to another.
#[derive(Debug)]
pub(crate) struct Queue {
    bounds: Bounds,
    /// The next hit gets this.
    next: Pos,
    /// Sent on the present stream.
    flight: VecDeque<Entry>,
    /// To be sent.
    waiting: VecDeque<Entry>,
    flight_bytes: usize,
    waiting_bytes: usize,
    /// The server knows what became of everything up to here: it has it, or it was told that it was skipped.
    told: Pos,
    /// Hits that were thrown away to stay within the bounds.
    pub(crate) dropped: u64,
}

/// How much a queue keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Bytes of hits, with about 64 for each.
    pub(crate) bytes: usize,
    /// Milliseconds since the hit happened.
    pub(crate) age_ms: i64,
}

/// A queued hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its place.
    pub(crate) at: Pos,
    /// When it was queued, by the wall clock.
    pub(crate) time_ms: i64,
    /// When it was queued, by the driver's clock.
    pub(crate) since: Duration,
    /// The encoded `Hit`.
    pub(crate) hit: Bytes,
}

/// Consecutive hits of one epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    /// The epoch.
    pub(crate) epoch: u64,
    /// Where the count of seqs starts: each hit adds its `skipped`, takes the count as its seq, and adds one.
    pub(crate) first_seq: u64,
    /// Of each hit how many seqs before it are never sent, and the encoded hit.
    pub(crate) hits: Vec<(u32, Bytes)>,
    /// Place of the last hit.
    pub(crate) last: Pos,
}

impl Queue {
    /// An empty queue whose next hit gets `next`; the server knows of everything up to `told`.
    pub(crate) fn new(bounds: Bounds, next: Pos, told: Pos) -> Self {
        Self {
            bounds,
            next,
            told,
            flight: VecDeque::new(),
            waiting: VecDeque::new(),
            flight_bytes: 0,
            waiting_bytes: 0,
            dropped: 0,
        }
    }

    /// Takes hits back in that were queued by an earlier run, in order.
    pub(crate) fn restore(&mut self, entries: impl IntoIterator<Item = Entry>, now_ms: i64) {
        for entry in entries {
            self.waiting_bytes += cost(&entry);
            self.waiting.push_back(entry);
        }
        self.trim(now_ms);
    }

    /// Queues a hit, and throws away the oldest waiting ones if that is too much.
    pub(crate) fn push(&mut self, now: Duration, now_ms: i64, hit: Bytes) -> Pos {
        let at = self.next;
        self.next.seq += 1;
        let entry = Entry { at, time_ms: now_ms, since: now, hit };
        self.waiting_bytes += cost(&entry);
        self.waiting.push_back(entry);
        self.trim(now_ms);
        at
    }

    /// Takes the next batch, of at most so many hits and bytes, none of them after `through`. At least one hit, however
    /// large.
    pub(crate) fn take(&mut self, max_hits: usize, max_bytes: usize, through: Pos) -> Option<Batch> {
        let mut before = self.flight.back().map_or(self.told, |entry| entry.at.max(self.told));
        let epoch = self.waiting.front()?.at.epoch;
        let mut batch = Batch { epoch, first_seq: 0, hits: Vec::new(), last: before };
        let mut bytes = 0;
        while let Some(entry) = self.waiting.front() {
            // Each encoded hit has at most 12 bytes around it: key, length, and its `skipped`.
            bytes += entry.hit.len() + 12;
            let fits = batch.hits.len() < max_hits && (bytes <= max_bytes || batch.hits.is_empty());
            if !fits || entry.at.epoch != epoch || entry.at > through {
                break;
            }
            let Some(entry) = self.waiting.pop_front() else { break };
            self.waiting_bytes -= cost(&entry);
            self.flight_bytes += cost(&entry);
            let last = if before.epoch == epoch { before.seq } else { 0 };
            let skipped = u32::try_from(entry.at.seq.saturating_sub(last + 1)).unwrap_or(u32::MAX);
            if batch.hits.is_empty() {
                batch.first_seq = entry.at.seq - u64::from(skipped);
            }
            batch.hits.push((skipped, entry.hit.clone()));
            before = entry.at;
            self.flight.push_back(entry);
        }
        batch.last = before;
        (!batch.hits.is_empty()).then_some(batch)
    }

    /// Everything sent up to `through` is settled. Says how many hits that were.
    pub(crate) fn acked(&mut self, through: Pos) -> u64 {
        let acked = self.flight.partition_point(|entry| entry.at <= through);
        self.flight_bytes -= self.flight.drain(..acked).map(|entry| cost(&entry)).sum::<usize>();
        self.told = self.told.max(through);
        acked as u64
    }

    /// The stream is gone: what was in flight waits again.
    pub(crate) fn lost(&mut self) {
        self.flight.append(&mut self.waiting);
        std::mem::swap(&mut self.flight, &mut self.waiting);
        self.waiting_bytes += std::mem::take(&mut self.flight_bytes);
    }

    /// Throws everything away. Says how many hits that were.
    pub(crate) fn wipe(&mut self) -> u64 {
        let wiped = self.len() as u64;
        self.flight.clear();
        self.waiting.clear();
        (self.flight_bytes, self.waiting_bytes) = (0, 0);
        wiped
    }

    fn trim(&mut self, now_ms: i64) {
        let oldest = now_ms.saturating_sub(self.bounds.age_ms);
        let full = |queue: &Self| queue.flight_bytes + queue.waiting_bytes > queue.bounds.bytes;
        while self.waiting.front().is_some_and(|entry| full(self) || entry.time_ms < oldest) {
            if let Some(entry) = self.waiting.pop_front() {
                self.waiting_bytes -= cost(&entry);
                self.dropped += 1;
            }
        }
    }

    /// The waiting hits after `place`.
    pub(crate) fn after(&self, place: Pos) -> impl Iterator<Item = &Entry> {
        self.waiting.range(self.waiting.partition_point(|entry| entry.at <= place)..)
    }

    /// The hit that waits longest.
    pub(crate) fn oldest_waiting(&self) -> Option<&Entry> {
        self.waiting.front()
    }

    /// Place of the oldest hit that is not acknowledged.
    pub(crate) fn front(&self) -> Option<Pos> {
        self.flight.front().or(self.waiting.front()).map(|entry| entry.at)
    }

    /// Place that the next hit gets.
    pub(crate) fn next(&self) -> Pos {
        self.next
    }

    /// The server knows what became of everything up to here.
    pub(crate) fn told(&self) -> Pos {
        self.told
    }

    /// How many hits are not acknowledged.
    pub(crate) fn len(&self) -> usize {
        self.flight.len() + self.waiting.len()
    }

    /// How many hits wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Bytes of the waiting hits.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Bytes of all hits.
    pub(crate) fn bytes(&self) -> usize {
        self.flight_bytes + self.waiting_bytes
    }
}

fn cost(entry: &Entry) -> usize {
    entry.hit.len() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    fn queue(hits_kept: usize) -> Queue {
        let bounds = Bounds { bytes: hits_kept * (OVERHEAD + 1), age_ms: 30 * DAY_MS };
        Queue::new(bounds, Pos { epoch: 7, seq: 1 }, Pos::default())
    }

    fn push(queue: &mut Queue, n: usize) {
        for _ in 0..n {
            queue.push(Duration::ZERO, 0, Bytes::from_static(b"h"));
        }
    }

    /// First seq, then what each hit skips.
    fn take(queue: &mut Queue, max_hits: usize) -> (u64, Vec<u32>) {
        let batch = queue.take(max_hits, usize::MAX, Pos::MAX).unwrap();
        (batch.first_seq, batch.hits.iter().map(|(skipped, _)| *skipped).collect())
    }

    #[test]
    fn an_overflow_before_anything_was_sent_is_skipped_by_the_first_hit() {
        let mut queue = queue(3);
        push(&mut queue, 5);
        assert_eq!(queue.dropped, 2);
        assert_eq!(take(&mut queue, 10), (1, vec![2, 0, 0]));
    }

    #[test]
    fn an_overflow_behind_hits_in_flight_spares_them_and_is_skipped_after_them() {
        let mut queue = queue(4);
        push(&mut queue, 2);
        assert_eq!(take(&mut queue, 10), (1, vec![0, 0]));
        push(&mut queue, 4);
        assert_eq!(queue.dropped, 2);
        // 3 and 4 are gone: the batch counts from 3, and 5 skips two.
        assert_eq!(take(&mut queue, 10), (3, vec![2, 0]));
        queue.acked(Pos { epoch: 7, seq: 2 });
        queue.lost();
        // The same batch again, although 1 and 2 are no longer here to count from.
        assert_eq!(take(&mut queue, 10), (3, vec![2, 0]));
    }

    #[test]
    fn a_queue_full_of_hits_in_flight_drops_the_new_one() {
        let mut queue = queue(2);
        push(&mut queue, 2);
        take(&mut queue, 2);
        push(&mut queue, 1);
        assert_eq!((queue.dropped, queue.len()), (1, 2));
        queue.acked(Pos { epoch: 7, seq: 2 });
        push(&mut queue, 1);
        assert_eq!(take(&mut queue, 2), (3, vec![1]));
    }

    #[test]
    fn hits_older_than_the_bound_go_when_the_next_one_comes() {
        let mut queue = queue(10);
        push(&mut queue, 2);
        queue.push(Duration::ZERO, 31 * DAY_MS, Bytes::from_static(b"h"));
        assert_eq!((queue.dropped, queue.len()), (2, 1));
    }

    #[test]
    fn a_batch_ends_with_its_epoch_and_at_what_is_stored() {
        let mut queue = queue(10);
        let old = |seq| Entry {
            at: Pos { epoch: 6, seq },
            time_ms: 0,
            since: Duration::ZERO,
            hit: Bytes::from_static(b"h"),
        };
        queue.restore([old(41), old(42)], 0);
        push(&mut queue, 3);
        let batch = queue.take(10, usize::MAX, Pos::MAX).unwrap();
        assert_eq!((batch.epoch, batch.first_seq, batch.hits.len()), (6, 1, 2));
        let batch = queue.take(10, usize::MAX, Pos { epoch: 7, seq: 2 }).unwrap();
        assert_eq!((batch.epoch, batch.first_seq, batch.hits.len()), (7, 1, 2));
        assert_eq!(queue.take(10, usize::MAX, Pos { epoch: 7, seq: 2 }), None);
    }

    #[test]
    fn a_batch_stays_within_the_bytes_but_one_large_hit_goes_alone() {
        let mut queue = queue(1_000);
        for len in [100, 30, 30, 30] {
            queue.push(Duration::ZERO, 0, Bytes::from(vec![0; len]));
        }
        let sizes: Vec<usize> =
            std::iter::from_fn(|| queue.take(10, 90, Pos::MAX)).map(|batch| batch.hits.len()).collect();
        assert_eq!(sizes, [1, 2, 1]);
    }

    #[test]
    fn a_wiped_queue_keeps_counting() {
        let mut queue = queue(10);
        push(&mut queue, 3);
        queue.wipe();
        assert_eq!((queue.len(), queue.bytes(), queue.dropped), (0, 0, 0));
        push(&mut queue, 1);
        assert_eq!(take(&mut queue, 1), (1, vec![3]));
    }
}
