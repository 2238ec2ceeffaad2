use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use model::{Generation, Hour, MerchantId};
use prost::Message as _;

use super::{Change, FeedEvent};

/// Hours in one message. Beyond it, it is cheaper to say that everything changed.
const MAX_HOURS: usize = 10_000;

/// What other processes have not been told yet. However much happens between two messages, it stays small.
#[derive(Debug, Default)]
pub(super) struct Pending {
    changes: BTreeMap<(MerchantId, Generation), BTreeSet<Hour>>,
    hours: usize,
    watermark: bool,
    everything: bool,
}

/// What goes from process to process. Fields that a later version adds are passed over by an earlier one, so the two can
/// run side by side; a message without anything known says that the watermark went on.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Message {
    /// What changed.
    #[prost(message, repeated, tag = "1")]
    changed: Vec<Changed>,
    /// Whether anything else may have changed.
    #[prost(bool, tag = "2")]
    everything: bool,
}

/// Hours of a merchant.
#[derive(Clone, PartialEq, prost::Message)]
struct Changed {
    #[prost(uint64, tag = "1")]
    merchant: u64,
    #[prost(uint32, tag = "2")]
    generation: u32,
    #[prost(uint32, repeated, tag = "3")]
    hours: Vec<u32>,
}

impl Pending {
    /// Adds an event; gives whether it is worth a message soon, which a watermark alone is not.
    pub(super) fn add(&mut self, event: &FeedEvent) -> bool {
        match event {
            FeedEvent::Watermark => self.watermark = true,
            FeedEvent::Everything => self.tell_everything(),
            FeedEvent::Changed(changes) => changes.iter().for_each(|change| self.change(change)),
        }
        self.everything || !self.changes.is_empty()
    }

    /// Makes a message of all there is, if there is anything.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        let Self { changes, watermark, everything, .. } = std::mem::take(self);
        if changes.is_empty() && !watermark && !everything {
            return None;
        }
        let changed = changes.into_iter().map(|((merchant, generation), hours)| Changed {
            merchant: merchant.0,
            generation: generation.0,
            hours: hours.into_iter().map(|hour| hour.0).collect(),
        });
        Some(Message { changed: changed.collect(), everything }.encode_to_vec().into())
    }

    /// From now on the next message says that anything may have changed.
    fn tell_everything(&mut self) {
        *self = Self { everything: true, ..Self::default() };
    }

    fn change(&mut self, change: &Change) {
        if self.everything {
            return;
        }
        let hours = self.changes.entry((change.merchant, change.generation)).or_default();
        let before = hours.len();
        hours.extend(&change.hours);
        self.hours += hours.len() - before;
        if self.hours > MAX_HOURS {
            self.tell_everything();
        }
    }
}

impl Message {
    /// What it tells a listener.
    pub(super) fn event(self) -> FeedEvent {
        if self.everything {
            return FeedEvent::Everything;
        }
        if self.changed.is_empty() {
            return FeedEvent::Watermark;
        }
        let changes = self.changed.into_iter().map(|changed| Change {
            merchant: MerchantId(changed.merchant),
            generation: Generation(changed.generation),
            hours: changed.hours.into_iter().map(Hour).collect(),
        });
        FeedEvent::Changed(changes.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(merchant: u64, hours: &[u32]) -> FeedEvent {
        let hours = hours.iter().copied().map(Hour).collect();
        FeedEvent::Changed(
            [Change { merchant: MerchantId(merchant), generation: Generation(1), hours }].into(),
        )
    }

    fn sent(pending: &mut Pending) -> FeedEvent {
        Message::decode(&*pending.take().unwrap()).unwrap().event()
    }

    #[test]
    fn many_commits_become_one_message_with_each_hour_once() {
        let mut pending = Pending::default();
        assert!(pending.add(&changed(2, &[5, 6])));
        assert!(pending.add(&FeedEvent::Watermark));
        assert!(pending.add(&changed(1, &[5])));
        assert!(pending.add(&changed(2, &[6, 7])));
        let of = |merchant, hours: &[u32]| match changed(merchant, hours) {
            FeedEvent::Changed(changes) => changes[0].clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(sent(&mut pending), FeedEvent::Changed([of(1, &[5]), of(2, &[5, 6, 7])].into()));
        assert_eq!(pending.take(), None, "nothing is told twice");
    }

    #[test]
    fn a_watermark_alone_is_not_worth_a_message_soon() {
        let mut pending = Pending::default();
        assert!(!pending.add(&FeedEvent::Watermark));
        assert_eq!(sent(&mut pending), FeedEvent::Watermark);
    }

    #[test]
    fn what_is_too_much_to_list_is_everything() {
        let mut pending = Pending::default();
        let hours: Vec<u32> = (0..=10_000).collect();
        pending.add(&changed(1, &hours));
        pending.add(&changed(2, &[1]));
        assert_eq!(sent(&mut pending), FeedEvent::Everything);
        pending.add(&changed(2, &[1]));
        assert_eq!(sent(&mut pending), changed(2, &[1]));
    }
}
