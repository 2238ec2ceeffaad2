//! Visitor state: what the fold must remember of clients (which hits came already), of actors (the hits of their sessions) and
//! of transactions (which purchase counts). It is a cache of the log, kept in 256 buckets by hash for each merchant and
//! partition, and written now and then.
//!
//! ```text
//! key    0x13 │ partition u16 │ merchant u64 │ generation u32 │ bucket u8 │ slot: nothing, or 1
//! value  version 2 │ clients n, n × client │ facts n, n × bytes │ actors n, n × actor │ transactions n, n × transaction
//! client       hash 8 bytes │ epochs n, n × (epoch, high, gaps n, n × (from, length − 1))                  client.rs
//! actor        hash 8 bytes │ sessions n, n × session                                                      actor.rs
//! session      touched varint │ dropped: 0, or 1 │ tallies │ hits n, n × hit
//! hit          ms since the hit before │ order − hash │ who u8: 0 the actor, 1 a named user, 2 the one named before │
//!              user 8 bytes unless 0 │ index of its facts
//! transaction  hash 8 bytes │ at i64 ms │ order │ actor 8 bytes                                            transaction.rs
//! ```
//!
//! All changed buckets of a merchant come to hold with one commit of its progress record, whose `state_through` says up to
//! which record they hold the state. If they are too large for one commit, they are written before, each into that of its
//! two slots that does not count, and the record then says that it does. A worker that takes over skips the merchant's hits up to there, folds those up to
//! `applied_through` into the state alone, and the rest in full.

mod actor;
mod bucket;
mod client;
mod transaction;

pub use actor::{Actor, Facts, Hit, Session, Tallies};
pub use bucket::Bucket;
pub use client::{Client, Epoch};
pub use transaction::Transaction;

use bytes::Bytes;
use model::{Generation, MerchantId, Partition};

use crate::key::KeyBuilder;

pub(crate) const FAMILY: u8 = 0x13;

/// Which bucket the state of a hash is in.
pub fn bucket_of(hash: u64) -> u8 {
    (hash >> 56) as u8
}

/// The key of a bucket in one of its slots.
pub fn key(
    partition: Partition,
    merchant: MerchantId,
    generation: Generation,
    bucket: u8,
    slot: Slot,
) -> Bytes {
    let key = KeyBuilder::family(FAMILY).u16(partition.0).u64(merchant.0).u32(generation.0).u8(bucket);
    match slot {
        Slot::First => key.build(),
        Slot::Second => key.u8(1).build(),
    }
}

/// One of the two places of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Where it is until it was too large for one commit.
    First,
    /// The other one.
    Second,
}

impl Slot {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// In which slot each bucket is: a bit for each, set for the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slots([u8; 32]);

impl Slots {
    /// The slot of a bucket.
    pub fn of(&self, bucket: u8) -> Slot {
        if self.0[usize::from(bucket / 8)] & Self::bit(bucket) == 0 { Slot::First } else { Slot::Second }
    }

    /// Moves a bucket to its other slot.
    pub fn flip(&mut self, bucket: u8) {
        self.0[usize::from(bucket / 8)] ^= Self::bit(bucket);
    }

    pub(crate) fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn bit(bucket: u8) -> u8 {
        1 << (bucket % 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_the_top_byte_of_the_hash() {
        assert_eq!(bucket_of(0xab00_0000_0000_0001), 0xab);
        let key = |bucket, slot| key(Partition(1), MerchantId(2), Generation(3), bucket, slot);
        assert_eq!(key(0xab, Slot::First).len(), 16);
        assert!(
            key(0xab, Slot::First) < key(0xab, Slot::Second)
                && key(0xab, Slot::Second) < key(0xac, Slot::First)
        );
    }

    #[test]
    fn each_bucket_has_a_slot_of_its_own() {
        for flipped in 0..=u8::MAX {
            let mut slots = Slots::default();
            slots.flip(flipped);
            let second: Vec<_> = (0..=u8::MAX).filter(|bucket| slots.of(*bucket) == Slot::Second).collect();
            assert_eq!(second, [flipped]);
            assert_eq!(slots.of(flipped).other(), Slot::First);
            slots.flip(flipped);
            assert_eq!(slots, Slots::default());
        }
    }
}
