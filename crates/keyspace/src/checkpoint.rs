//! How far a partition is folded as a whole.
//!
//! ```text
//! key    0x15 │ partition u16
//! value  version 1 │ read_from 16 bytes │ complete_until i64 milliseconds
//!        version 2 │ read_from 16 bytes │ complete_until i64 milliseconds │ generation u32
//! ```
//!
//! The first generation is always written as version 1, and only it: a commit requires the very bytes that were read.

use std::ops::Range;

use aggregate::codec::{Malformed, Reader};
use bytes::Bytes;
use model::{Generation, Partition, Position, Timestamp};

use crate::key::{KeyBuilder, part};

pub(crate) const FAMILY: u8 = 0x15;
const FIRST_GENERATION: u8 = 1;
const ANY_GENERATION: u8 = 2;

/// The key of a partition's checkpoint.
pub fn key(partition: Partition) -> Bytes {
    KeyBuilder::family(FAMILY).u16(partition.0).build()
}

/// The partition of a key of this family.
pub fn partition_of(key: &[u8]) -> Option<Partition> {
    let number = part(key, 1).filter(|_| key[0] == FAMILY);
    number.map(|n| Partition(u16::from_be_bytes(n)))
}

/// The keys of all partitions.
pub fn range() -> Range<Bytes> {
    KeyBuilder::all(FAMILY)
}

/// How far a partition is folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Where a worker that takes over begins to read: everything before is in cells and in persisted visitor state.
    pub read_from: Position,
    /// Every hit of the partition that was acknowledged before this instant is in the cells.
    pub complete_until: Timestamp,
    /// The cells that are folded, and shown: all of them change theirs in one commit.
    pub generation: Generation,
}

impl Default for Checkpoint {
    /// Nothing is folded.
    fn default() -> Self {
        let (read_from, complete_until) = (Position::START, Timestamp(0));
        Self { read_from, complete_until, generation: Generation::FIRST }
    }
}

impl Checkpoint {
    /// The persisted value.
    pub fn encode(&self) -> Bytes {
        let first = self.generation == Generation::FIRST;
        let mut out = vec![if first { FIRST_GENERATION } else { ANY_GENERATION }];
        out.extend_from_slice(&self.read_from.to_bytes());
        out.extend_from_slice(&self.complete_until.0.to_be_bytes());
        if !first {
            out.extend_from_slice(&self.generation.0.to_be_bytes());
        }
        out.into()
    }

    /// The inverse of [`Checkpoint::encode`].
    pub fn decode(value: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(value);
        let version = reader.byte()?;
        if ![FIRST_GENERATION, ANY_GENERATION].contains(&version) {
            return Err(Malformed::Unknown { what: "version of a checkpoint", found: version.into() });
        }
        let read_from = Position::from_bytes(reader.array()?);
        let complete_until = Timestamp(i64::from_be_bytes(reader.array()?));
        let generation = match version {
            ANY_GENERATION => Generation(u32::from_be_bytes(reader.array()?)),
            _ => Generation::FIRST,
        };
        reader.end()?;
        Ok(Self { read_from, complete_until, generation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_its_bytes() {
        let read_from = Position { ledger: 1, entry: u64::MAX };
        for generation in [Generation::FIRST, Generation(u32::MAX)] {
            let checkpoint = Checkpoint { read_from, complete_until: Timestamp(-5), generation };
            assert_eq!(Checkpoint::decode(&checkpoint.encode()), Ok(checkpoint));
        }
        assert_eq!(&*key(Partition(258)), [0x15, 1, 2]);
    }

    #[test]
    fn the_layout_stays() {
        let of = |generation| {
            let read_from = Position { ledger: 3, entry: 4 };
            Checkpoint { read_from, complete_until: Timestamp(5), generation }.encode()
        };
        let body = [0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 5];
        assert_eq!(&*of(Generation::FIRST), [&[1][..], &body].concat());
        assert_eq!(&*of(Generation(7)), [&[2][..], &body, &[0, 0, 0, 7]].concat());
        assert!(Checkpoint::decode(&[3]).is_err());
    }
}
