//! What is broadcast, without the sending of it: the frame, who has said how much, and the queues that never wait.

use std::collections::{HashMap, VecDeque};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Bytes of the hints of one frame, unless one alone is larger.
const FRAME_BYTES: usize = 256 * 1024;

/// Some hints in the order in which they were published:
///
/// ```text
/// sender  u64 | number of the first hint  u64 | { length  u32 | hint }*
/// ```
///
/// A frame without a hint says how far its sender is, so that the others find out that they missed the last ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) sender: u64,
    pub(super) first: u64,
    pub(super) hints: Vec<Bytes>,
}

impl Frame {
    pub(super) fn encode(&self) -> Vec<u8> {
        let bytes: usize = self.hints.iter().map(|hint| 4 + hint.len()).sum();
        let mut out = BytesMut::with_capacity(16 + bytes);
        out.put_u64(self.sender);
        out.put_u64(self.first);
        for hint in &self.hints {
            out.put_u32(hint.len() as u32);
            out.put_slice(hint);
        }
        out.into()
    }

    /// None if it is no frame.
    pub(super) fn decode(mut bytes: Bytes) -> Option<Self> {
        let (sender, first) = (bytes.try_get_u64().ok()?, bytes.try_get_u64().ok()?);
        let mut hints = Vec::new();
        while !bytes.is_empty() {
            let length = bytes.try_get_u32().ok()? as usize;
            if length > bytes.len() {
                return None;
            }
            hints.push(bytes.split_to(length));
        }
        Some(Self { sender, first, hints })
    }
}

/// Remembers how far each sender was heard.
#[derive(Debug, Default)]
pub(super) struct Heads(HashMap<u64, u64>);

impl Heads {
    /// Senders that are remembered: a process is one for as long as it runs.
    const KEPT: usize = 10_000;

    /// The hints of a frame that were not heard before, and whether others before them were never heard.
    pub(super) fn hear(&mut self, frame: Frame) -> (Vec<Bytes>, bool) {
        if self.0.len() >= Self::KEPT && !self.0.contains_key(&frame.sender) {
            // Each is then heard as if for the first time, which is a miss too many at the worst.
            self.0.clear();
        }
        let expected = self.0.entry(frame.sender).or_insert(0);
        let missed = frame.first > *expected;
        let known = expected.saturating_sub(frame.first);
        *expected = (*expected).max(frame.first + frame.hints.len() as u64);
        (frame.hints.into_iter().skip(usize::try_from(known).unwrap_or(usize::MAX)).collect(), missed)
    }
}

/// A queue that never waits: when it is full, the oldest are dropped.
#[derive(Debug, Default)]
pub(super) struct Queue {
    inside: Mutex<Inside>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inside {
    hints: VecDeque<Bytes>,
    bytes: usize,
    /// The number of the oldest.
    first: u64,
    missed: bool,
}

impl Queue {
    const BYTES: usize = 4 * 1024 * 1024;
    const HINTS: usize = 10_000;

    pub(super) fn push(&self, hint: Bytes) {
        let mut inside = self.inside.lock();
        inside.bytes += hint.len();
        inside.hints.push_back(hint);
        while inside.bytes > Self::BYTES || inside.hints.len() > Self::HINTS {
            inside.pop();
            inside.missed = true;
        }
        drop(inside);
        self.changed.notify_one();
    }

    /// Notes that others were never put in.
    pub(super) fn miss(&self) {
        self.inside.lock().missed = true;
        self.changed.notify_one();
    }

    /// Takes the oldest; or, first, the news that others are missing: then there is none.
    pub(super) fn take(&self) -> Option<Option<Bytes>> {
        let mut inside = self.inside.lock();
        if std::mem::take(&mut inside.missed) {
            return Some(None);
        }
        inside.pop().map(Some)
    }

    /// Takes as many as fit into a frame, with the number of the first.
    pub(super) fn frame(&self, sender: u64) -> Frame {
        let mut inside = self.inside.lock();
        let first = inside.first;
        let (mut hints, mut bytes) = (Vec::new(), 0);
        while let Some(hint) = inside.hints.front() {
            bytes += hint.len();
            if !hints.is_empty() && bytes > FRAME_BYTES {
                break;
            }
            hints.extend(inside.pop());
        }
        Frame { sender, first, hints }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.inside.lock().hints.is_empty()
    }

    /// Waits until something was put in since the last wait.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Inside {
    fn pop(&mut self) -> Option<Bytes> {
        let hint = self.hints.pop_front()?;
        self.bytes -= hint.len();
        self.first += 1;
        Some(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(sender: u64, first: u64, hints: &[&'static str]) -> Frame {
        Frame { sender, first, hints: hints.iter().map(|hint| Bytes::from_static(hint.as_bytes())).collect() }
    }

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        for frame in [frame(7, 3, &["one", "", "three"]), frame(u64::MAX, 0, &[])] {
            assert_eq!(Frame::decode(frame.encode().into()), Some(frame));
        }
        let whole = frame(7, 3, &["one"]).encode();
        assert_eq!(whole.len(), 16 + 4 + 3);
        for cut in (0..whole.len()).filter(|cut| *cut != 16) {
            assert_eq!(Frame::decode(Bytes::copy_from_slice(&whole[..cut])), None, "{cut} bytes");
        }
    }

    #[test]
    fn what_is_missing_is_noticed_and_nothing_is_heard_twice() {
        let mut heads = Heads::default();
        let mut hear = |sender, first, hints: &[&'static str]| {
            let (heard, missed) = heads.hear(frame(sender, first, hints));
            (
                heard
                    .iter()
                    .map(|hint| String::from_utf8_lossy(hint).into_owned())
                    .collect::<Vec<_>>()
                    .join(""),
                missed,
            )
        };
        assert_eq!(hear(1, 0, &["a", "b"]), ("ab".to_owned(), false));
        assert_eq!(hear(2, 5, &["x"]), ("x".to_owned(), true), "it had said five before");
        assert_eq!(hear(1, 2, &["c"]), ("c".to_owned(), false));
        assert_eq!(hear(1, 1, &["b", "c", "d"]), ("d".to_owned(), false), "sent again");
        assert_eq!(hear(1, 4, &[]), (String::new(), false));
        assert_eq!(hear(1, 6, &[]), (String::new(), true), "the last two");
        assert_eq!(hear(1, 6, &["g"]), ("g".to_owned(), false));
        assert_eq!(hear(2, 6, &["y"]), ("y".to_owned(), false));
    }

    #[test]
    fn a_full_queue_drops_the_oldest() {
        let queue = Queue::default();
        let hint = Bytes::from(vec![0; Queue::BYTES / 4]);
        for _ in 0..6 {
            queue.push(hint.clone());
        }
        let numbers: Vec<_> = std::iter::from_fn(|| (!queue.is_empty()).then(|| queue.frame(1)))
            .map(|frame| (frame.first, frame.hints.len()))
            .collect();
        assert_eq!(numbers, [(2, 1), (3, 1), (4, 1), (5, 1)], "a frame each, as they are large");

        let queue = Queue::default();
        for number in 0..=Queue::HINTS {
            queue.push(Bytes::from(number.to_string()));
        }
        assert_eq!(queue.take(), Some(None), "one is missing");
        assert_eq!(queue.take(), Some(Some(Bytes::from_static(b"1"))));
    }
}
