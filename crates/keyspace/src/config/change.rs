//! Changes of the configuration: one for each version from 1, none left out.
//!
//! ```text
//! key    23 │ version, u64
//! value  hitmill.v1.Change
//! ```

use std::ops::Range;

use bytes::Bytes;

use crate::key::KeyBuilder;

pub(super) const FAMILY: u8 = 0x23;

/// The key of the change that made `version`.
pub fn key(version: u64) -> Bytes {
    KeyBuilder::family(FAMILY).u64(version).build()
}

/// All changes, oldest first.
pub fn range() -> Range<Bytes> {
    KeyBuilder::all(FAMILY)
}

/// The changes that made the versions above `version`, oldest first.
pub fn after(version: u64) -> Range<Bytes> {
    let all = range();
    // Above the last version there is nothing.
    version.checked_add(1).map_or_else(|| all.end.clone(), key)..all.end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_layout_is_as_drawn() {
        assert_eq!(key(0x0102).as_ref(), [0x23, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert!(after(u64::MAX).is_empty());
    }

    proptest! {
        #[test]
        fn later_versions_sort_later(a: u64, b: u64) {
            prop_assert_eq!(a.cmp(&b), key(a).cmp(&key(b)));
        }

        #[test]
        fn a_range_holds_the_versions_above(known in 0u64..4, version in 0u64..4) {
            prop_assert_eq!(after(known).contains(&key(version)), version > known);
        }
    }
}
