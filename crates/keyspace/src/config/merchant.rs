//! Merchants, whole.
//!
//! ```text
//! key    20 │ merchant id, u64
//! value  hitmill.v1.Merchant
//! ```

use std::ops::Range;

use bytes::Bytes;
use model::MerchantId;

use crate::key::{KeyBuilder, part};

pub(super) const FAMILY: u8 = 0x20;

/// The key of one merchant.
pub fn key(id: MerchantId) -> Bytes {
    KeyBuilder::family(FAMILY).u64(id.0).build()
}

/// Which merchant a key is of, if it is of one.
pub fn id_of(key: &[u8]) -> Option<MerchantId> {
    let id = part(key.strip_prefix(&[FAMILY])?, 0)?;
    Some(MerchantId(u64::from_be_bytes(id)))
}

/// All merchants, by id.
pub fn range() -> Range<Bytes> {
    KeyBuilder::all(FAMILY)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_layout_is_as_drawn() {
        assert_eq!(key(MerchantId(0x0102)).as_ref(), [0x20, 0, 0, 0, 0, 0, 0, 1, 2]);
    }

    proptest! {
        #[test]
        fn later_ids_sort_later(a: u64, b: u64) {
            prop_assert_eq!(a.cmp(&b), key(MerchantId(a)).cmp(&key(MerchantId(b))));
        }
    }
}
