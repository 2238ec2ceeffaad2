//! How far a partition is folded as a whole.
//!
//! ```text
//! key    0x15 │ partition u16
//! value  version 1 │ read_from 16 bytes │ complete_until i64 milliseconds
//! ```

use aggregate::codec::{Malformed, Reader};
use bytes::Bytes;
use model::{Partition, Position, Timestamp};

use crate::key::KeyBuilder;

const FAMILY: u8 = 0x15;
const VERSION: u8 = 1;

/// The key of a partition's checkpoint.
pub fn key(partition: Partition) -> Bytes {
    KeyBuilder::family(FAMILY).u16(partition.0).build()
}

/// How far a partition is folded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Where a worker that takes over begins to read: everything before is in cells and in persisted visitor state.
    pub read_from: Position,
    /// Every hit of the partition that was acknowledged before this instant is in the cells.
    pub complete_until: Timestamp,
}

impl Checkpoint {
    /// The persisted value.
    pub fn encode(&self) -> Bytes {
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.read_from.to_bytes());
        out.extend_from_slice(&self.complete_until.0.to_be_bytes());
        out.into()
    }

    /// The inverse of [`Checkpoint::encode`].
    pub fn decode(value: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(value);
        match reader.byte()? {
            VERSION => {}
            found => return Err(Malformed::Unknown { what: "version of a checkpoint", found: found.into() }),
        }
        let read_from = Position::from_bytes(reader.array()?);
        let complete_until = Timestamp(i64::from_be_bytes(reader.array()?));
        reader.end()?;
        Ok(Self { read_from, complete_until })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_its_bytes() {
        let checkpoint =
            Checkpoint { read_from: Position { ledger: 1, entry: u64::MAX }, complete_until: Timestamp(-5) };
        assert_eq!(Checkpoint::decode(&checkpoint.encode()), Ok(checkpoint));
        assert_eq!(&*key(Partition(258)), [0x15, 1, 2]);
    }
}
