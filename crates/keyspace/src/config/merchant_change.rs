//! Index of the changes of one merchant, newest first: the store scans only forwards, so the version is inverted.
//!
//! ```text
//! key    25 │ merchant id, u64 │ !version, u64
//! value  version, u64
//! ```

use std::ops::Range;

use bytes::Bytes;
use model::MerchantId;

use crate::key::{KeyBuilder, after};

pub(super) const FAMILY: u8 = 0x25;

/// The key of the entry for the change that made `version`.
pub fn key(merchant: MerchantId, version: u64) -> Bytes {
    KeyBuilder::family(FAMILY).u64(merchant.0).u64(!version).build()
}

/// The value of that entry.
pub fn value(version: u64) -> Bytes {
    Bytes::copy_from_slice(&version.to_be_bytes())
}

/// The version in an entry's value; `None` if it is none.
pub fn version(value: &[u8]) -> Option<u64> {
    value.try_into().ok().map(u64::from_be_bytes)
}

/// The entries of one merchant for versions below `version`, newest first.
pub fn before(merchant: MerchantId, version: u64) -> Range<Bytes> {
    // The entry for version 0 sorts last.
    let end = after(&key(merchant, 0));
    // Below version 0 there is nothing.
    version.checked_sub(1).map_or_else(|| end.clone(), |newest| key(merchant, newest))..end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_layout_is_as_drawn() {
        let key = key(MerchantId(7), 1);
        assert_eq!(key.as_ref(), b"\x25\0\0\0\0\0\0\0\x07\xff\xff\xff\xff\xff\xff\xff\xfe");
        assert_eq!(version(&value(258)), Some(258));
        assert_eq!(version(b"short"), None);
    }

    proptest! {
        #[test]
        fn merchants_are_apart_and_later_versions_sort_earlier(a: (u64, u64), b: (u64, u64)) {
            let order = a.0.cmp(&b.0).then(b.1.cmp(&a.1));
            prop_assert_eq!(order, key(MerchantId(a.0), a.1).cmp(&key(MerchantId(b.0), b.1)));
        }

        #[test]
        fn a_range_holds_one_merchants_versions_below(
            merchant in 0u64..3, other in 0u64..3, limit in 0u64..4, version in 0u64..4
        ) {
            let range = before(MerchantId(merchant), limit);
            prop_assert_eq!(range.contains(&key(MerchantId(merchant), version)), version < limit);
            prop_assert!(other == merchant || !range.contains(&key(MerchantId(other), version)));
        }
    }
}
