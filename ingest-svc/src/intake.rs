//! What becomes of a frame: its batches are admitted, held against the quota, and packed into parcels for the log.

use std::sync::Arc;

use bytes::Bytes;
use catalog::Merchant;
use keyspace::record::RefusedEntry;
use model::{Partition, Refusal, Timestamp};
use proto::v1;

use crate::admit::{Admitted, Facts, Whole, admit};
use crate::door::Source;
use crate::refusals::Refusals;

/// A parcel is closed at about this size, so that one with the largest batch still fits into a record.
const PARCEL_BYTES: usize = 400 << 10;
/// What an item takes besides its texts: in memory, and about as much in the record.
const ITEM_BYTES: usize = 128;

/// One frame, as far as it matters for all its batches.
pub(crate) struct Frame<'a> {
    /// Who sent it.
    pub(crate) source: &'a Arc<Source>,
    /// Its merchant as configured now.
    pub(crate) merchant: &'a Merchant,
    /// When it was received.
    pub(crate) received_at: Timestamp,
    /// How many partitions the log has.
    pub(crate) partitions: u16,
}

/// What became of it.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// What goes to the log.
    pub(crate) parcels: Vec<Parcel>,
    /// Its batches.
    pub(crate) batches: u64,
    /// Its hits, the refused ones included.
    pub(crate) hits: u64,
    /// How many were accepted.
    pub(crate) accepted: u64,
    /// How many were refused, in the order of [`Refusal::ALL`].
    pub(crate) refused: [u64; Refusal::ALL.len()],
    /// What the client is told of them.
    pub(crate) refusals: Refusals,
}

/// What goes to one partition together.
#[derive(Debug)]
pub(crate) struct Parcel {
    /// Where to.
    pub(crate) partition: Partition,
    /// The batches, in order.
    pub(crate) items: Vec<Item>,
    /// Bytes that it takes, in memory and in a record.
    pub(crate) weight: usize,
}

/// One entry of a record to be.
#[derive(Debug)]
pub(crate) enum Item {
    /// A batch of which something was accepted.
    Batch {
        /// Who sent it.
        source: Arc<Source>,
        /// When it was received.
        received_at: Timestamp,
        /// Version of the merchant's configuration.
        rules_version: u64,
        /// The hits that were refused.
        refused: Vec<(u32, Refusal)>,
        /// The encoded `Batch` as it came.
        encoded: Bytes,
    },
    /// Hits of which nothing is kept but their number.
    Refused(RefusedEntry),
}

/// Takes the batches of a frame in. `quota` says whether this many hits more may pass now.
pub(crate) fn take_in(
    frame: &Frame<'_>,
    batches: Vec<Bytes>,
    scratch: &mut Vec<u8>,
    mut quota: impl FnMut(u64) -> bool,
) -> Taken {
    let source = frame.source;
    let facts = Facts {
        client_id: &source.client_id,
        epoch: source.epoch,
        lane: source.lane,
        received_at: frame.received_at,
    };
    let mut taken = Taken { batches: batches.len() as u64, ..Taken::default() };
    for encoded in batches {
        let admitted = match admit(&encoded, &facts, scratch, &mut taken.refusals) {
            Ok(admitted) => admitted,
            Err(Whole { hits, reason }) => {
                taken.hits += hits;
                taken.refuse(frame, 0, reason, hits);
                continue;
            }
        };
        let accepted = admitted.hits - admitted.refused.len() as u64;
        let client_hash = admitted.client_hash;
        taken.hits += admitted.hits;
        let passes = accepted > 0 && quota(accepted);
        if passes {
            taken.accepted += accepted;
            for (_, reason) in &admitted.refused {
                taken.refused[index(*reason)] += 1;
            }
            let weight =
                encoded.len() + source.context.len() + source.client_id.len() + 4 * admitted.refused.len();
            let item = Item::Batch {
                source: Arc::clone(source),
                received_at: frame.received_at,
                rules_version: frame.merchant.version,
                refused: admitted.refused,
                encoded,
            };
            taken.put(frame, client_hash, weight, item);
            continue;
        }
        // Nothing of it is kept: its hits are only counted.
        for reason in Refusal::ALL {
            let hits = admitted.refused.iter().filter(|(_, why)| *why == reason).count() as u64;
            taken.refuse(frame, client_hash, reason, hits);
        }
        if accepted > 0 {
            taken.refuse(frame, client_hash, Refusal::OverQuota, accepted);
            taken.refusals.add(over_quota(frame.merchant, &admitted, accepted));
        }
    }
    // They are kept as long as the parcels, so they need room as well.
    if let Some(first) = taken.parcels.first_mut() {
        first.weight += taken.refusals.weight();
    }
    taken
}

impl Taken {
    fn refuse(&mut self, frame: &Frame<'_>, client_hash: u64, reason: Refusal, hits: u64) {
        if hits > 0 {
            self.refused[index(reason)] += hits;
            let (merchant, received_at) = (frame.merchant.id, frame.received_at);
            let entry = RefusedEntry { merchant, received_at, reason, hits };
            self.put(frame, client_hash, 0, Item::Refused(entry));
        }
    }

    fn put(&mut self, frame: &Frame<'_>, client_hash: u64, weight: usize, item: Item) {
        let merchant = frame.merchant;
        let partition = Partition::route(merchant.id, client_hash, merchant.spread, frame.partitions);
        let weight = weight + ITEM_BYTES;
        let open = |parcel: &&mut Parcel| parcel.partition == partition;
        match self.parcels.iter_mut().rev().find(open) {
            Some(parcel) if parcel.weight + weight <= PARCEL_BYTES => {
                parcel.items.push(item);
                parcel.weight += weight;
            }
            _ => self.parcels.push(Parcel { partition, items: vec![item], weight }),
        }
    }
}

fn index(reason: Refusal) -> usize {
    usize::from(reason.number()) - 1
}

fn over_quota(merchant: &Merchant, batch: &Admitted<'_>, hits: u64) -> v1::Refused {
    let quota = merchant.hits_per_second;
    let message =
        format!("{hits} hits: the quota of merchant {}, {quota} hits per second, is used up", merchant.id);
    v1::Refused {
        client_id: batch.client_id.to_owned(),
        epoch: batch.epoch,
        seq: batch.first_seq,
        reason: Refusal::OverQuota.number().into(),
        message,
        hits,
    }
}

#[cfg(test)]
mod tests;
