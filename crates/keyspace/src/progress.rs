//! How far a merchant's cells hold the hits of a partition. Every commit of its cells writes this record and requires that
//! it is what the worker built upon: that alone makes the fold exactly-once.
//!
//! ```text
//! key    0x12 │ merchant u64 │ generation u32 │ partition u16
//! value  version 1 │ applied_through 16 bytes │ commits varint │ state_through: 0, or 1 and 16 bytes
//! value  version 2 │ the same │ slots 32 bytes, once some bucket of visitor state is in its second slot
//! ```

use std::ops::Range;

use aggregate::codec::{Malformed, Reader, put_varint};
use bytes::Bytes;
use model::{Generation, MerchantId, Partition, Position};

use crate::key::{KeyBuilder, part};
use crate::visitor::Slots;

pub(crate) const FAMILY: u8 = 0x12;
const VERSION: u8 = 1;
const WITH_SLOTS: u8 = 2;

/// The key of a merchant's progress in a partition.
pub fn key(merchant: MerchantId, generation: Generation, partition: Partition) -> Bytes {
    prefix(merchant, generation).u16(partition.0).build()
}

/// The keys of all partitions.
pub fn range(merchant: MerchantId, generation: Generation) -> Range<Bytes> {
    prefix(merchant, generation).build()..prefix(merchant, generation).end()
}

/// The partition of a key.
pub fn partition_of(key: &[u8]) -> Option<Partition> {
    part(key, 13).map(|n| Partition(u16::from_be_bytes(n)))
}

/// The generation of a key of this family.
pub fn generation_of(key: &[u8]) -> Option<Generation> {
    let number = part(key, 9).filter(|_| key[0] == FAMILY);
    number.map(|n| Generation(u32::from_be_bytes(n)))
}

/// The keys of all merchants.
pub fn all() -> Range<Bytes> {
    KeyBuilder::all(FAMILY)
}

fn prefix(merchant: MerchantId, generation: Generation) -> KeyBuilder {
    KeyBuilder::family(FAMILY).u64(merchant.0).u32(generation.0)
}

/// How far a merchant's cells hold the hits of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Everything at or before this position is in the cells, and nothing after it.
    pub applied_through: Position,
    /// How many commits there were: rises by one with each. The sum over the partitions is the merchant's revision.
    pub commits: u64,
    /// The merchant's visitor state in the store is the state after every record up to this position; none if none was
    /// written. Never after `applied_through`.
    pub state_through: Option<Position>,
    /// Where each bucket of that state is.
    pub slots: Slots,
}

impl Progress {
    /// The persisted value.
    pub fn encode(&self) -> Bytes {
        // Nearly all merchants are small, and stay in the first slots.
        let with_slots = self.slots != Slots::default();
        let mut out = vec![if with_slots { WITH_SLOTS } else { VERSION }];
        out.extend_from_slice(&self.applied_through.to_bytes());
        put_varint(&mut out, self.commits);
        out.push(self.state_through.is_some().into());
        out.extend(self.state_through.iter().flat_map(|position| position.to_bytes()));
        if with_slots {
            out.extend_from_slice(&self.slots.to_bytes());
        }
        out.into()
    }

    /// The inverse of [`Progress::encode`].
    pub fn decode(value: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(value);
        let with_slots = match reader.byte()? {
            VERSION => false,
            WITH_SLOTS => true,
            found => {
                return Err(Malformed::Unknown { what: "version of a progress record", found: found.into() });
            }
        };
        let applied_through = Position::from_bytes(reader.array()?);
        let commits = reader.varint()?;
        let state_through = match reader.byte()? {
            0 => None,
            _ => Some(Position::from_bytes(reader.array()?)),
        };
        let slots = if with_slots { Slots::from_bytes(reader.array()?) } else { Slots::default() };
        reader.end()?;
        Ok(Self { applied_through, commits, state_through, slots })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_record_is_its_bytes(
            ledger: u64, entry: u64, commits: u64, state: Option<u64>, flipped: Vec<u8>
        ) {
            let state_through = state.map(Position::of_entry);
            let mut slots = Slots::default();
            flipped.iter().for_each(|bucket| slots.flip(*bucket));
            let progress = Progress { applied_through: Position { ledger, entry }, commits, state_through, slots };
            prop_assert_eq!(Progress::decode(&progress.encode()), Ok(progress));
        }

        #[test]
        fn a_range_has_all_partitions_of_one_generation(m in 1u64..9, g in 1u32..9, other in 1u64..9, p: u16) {
            let all = range(MerchantId(m), Generation(g));
            let found = key(MerchantId(other), Generation(g), Partition(p));
            prop_assert_eq!(all.contains(&found), m == other);
            prop_assert_eq!(partition_of(&found), Some(Partition(p)));
        }
    }

    #[test]
    fn values_of_the_first_version_stay() {
        let old: [u8; 35] = std::array::from_fn(|at| {
            [1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 9, 7, 1]
                .get(at)
                .copied()
                .unwrap_or(if at == 34 { 8 } else { 0 })
        });
        let read = Progress::decode(&old).unwrap();
        let applied_through = Position { ledger: 3, entry: 9 };
        let state_through = Some(Position::of_entry(8));
        assert_eq!(read, Progress { applied_through, commits: 7, state_through, slots: Slots::default() });
        assert_eq!(*read.encode(), old);
    }
}
