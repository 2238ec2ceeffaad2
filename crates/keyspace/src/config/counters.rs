//! What the next change of the configuration builds upon. Every change rewrites this record and requires that it still
//! is as it was read: two changes made at once cannot both succeed.
//!
//! ```text
//! key    24
//! value  01 │ next merchant id, u64 │ next data stream id, u32 │ version, u64
//! ```

use bytes::Bytes;
use model::{DataStreamId, MerchantId};

use crate::key::part;

pub(crate) const FAMILY: u8 = 0x24;
const FORMAT: u8 = 1;
const BYTES: usize = 1 + 8 + 4 + 8;

/// Ids that were not given out yet, and the version of the whole configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Id of the next merchant.
    pub next_merchant: MerchantId,
    /// Id of the next data stream.
    pub next_data_stream: DataStreamId,
    /// Version of the whole configuration.
    pub version: u64,
}

/// The one key.
pub fn key() -> Bytes {
    Bytes::from_static(&[FAMILY])
}

impl Counters {
    /// Of an installation that was never configured.
    pub const START: Self =
        Self { next_merchant: MerchantId(1), next_data_stream: DataStreamId(1), version: 0 };

    /// The value to store.
    pub fn encode(&self) -> Bytes {
        let mut value = Vec::with_capacity(BYTES);
        value.push(FORMAT);
        value.extend_from_slice(&self.next_merchant.0.to_be_bytes());
        value.extend_from_slice(&self.next_data_stream.0.to_be_bytes());
        value.extend_from_slice(&self.version.to_be_bytes());
        value.into()
    }

    /// Reads a stored value; `None` if it is none.
    pub fn decode(value: &[u8]) -> Option<Self> {
        if value.len() != BYTES || value.first() != Some(&FORMAT) {
            return None;
        }
        Some(Self {
            next_merchant: MerchantId(u64::from_be_bytes(part(value, 1)?)),
            next_data_stream: DataStreamId(u32::from_be_bytes(part(value, 9)?)),
            version: u64::from_be_bytes(part(value, 13)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counters(merchant: u64, data_stream: u32, version: u64) -> Counters {
        let (next_merchant, next_data_stream) = (MerchantId(merchant), DataStreamId(data_stream));
        Counters { next_merchant, next_data_stream, version }
    }

    #[test]
    fn the_layout_is_as_drawn() {
        assert_eq!(key().as_ref(), [0x24]);
        let value = counters(0x0102, 3, 4).encode();
        assert_eq!(value.as_ref(), b"\x01\0\0\0\0\0\0\x01\x02\0\0\0\x03\0\0\0\0\0\0\0\x04");
    }

    #[test]
    fn other_bytes_are_not_counters() {
        let value = Counters::START.encode();
        assert_eq!(Counters::decode(&value[..20]), None, "cut short");
        assert_eq!(Counters::decode(&[value.as_ref(), &[0]].concat()), None, "too long");
        assert_eq!(Counters::decode(&[&[2], &value[1..]].concat()), None, "another format");
        assert_eq!(Counters::decode(&[]), None, "empty");
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(merchant: u64, data_stream: u32, version: u64) {
            let counters = counters(merchant, data_stream, version);
            prop_assert_eq!(Counters::decode(&counters.encode()), Some(counters));
        }
    }
}
