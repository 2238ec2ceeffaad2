//! Data streams, whole.
//!
//! ```text
//! key    21 │ data stream id, u32
//! value  hitmill.v1.DataStream
//! ```

use std::ops::Range;

use bytes::Bytes;
use model::DataStreamId;

use crate::key::{KeyBuilder, part};

pub(super) const FAMILY: u8 = 0x21;

/// The key of one data stream.
pub fn key(id: DataStreamId) -> Bytes {
    KeyBuilder::family(FAMILY).u32(id.0).build()
}

/// Which data stream a key is of, if it is of one.
pub fn id_of(key: &[u8]) -> Option<DataStreamId> {
    let id = part(key.strip_prefix(&[FAMILY])?, 0)?;
    Some(DataStreamId(u32::from_be_bytes(id)))
}

/// All data streams, by id.
pub fn range() -> Range<Bytes> {
    KeyBuilder::all(FAMILY)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_layout_is_as_drawn() {
        assert_eq!(key(DataStreamId(0x0102)).as_ref(), [0x21, 0, 0, 1, 2]);
    }

    proptest! {
        #[test]
        fn later_ids_sort_later(a: u32, b: u32) {
            prop_assert_eq!(a.cmp(&b), key(DataStreamId(a)).cmp(&key(DataStreamId(b))));
        }
    }
}
