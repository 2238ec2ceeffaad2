//! Access keys, whole, the revoked ones too.
//!
//! ```text
//! key    22 │ key id, text
//! value  hitmill.v1.Key, with its hash
//! ```

use std::ops::Range;

use bytes::Bytes;

use crate::key::KeyBuilder;

pub(super) const FAMILY: u8 = 0x22;

/// The key of one access key.
pub fn key(id: &str) -> Bytes {
    [&[FAMILY], id.as_bytes()].concat().into()
}

/// All access keys, by id.
pub fn range() -> Range<Bytes> {
    KeyBuilder::all(FAMILY)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_layout_is_as_drawn() {
        assert_eq!(key("hm_w_a").as_ref(), b"\x22hm_w_a");
    }

    proptest! {
        #[test]
        fn ids_sort_as_text(a: String, b: String) {
            prop_assert_eq!(a.cmp(&b), key(&a).cmp(&key(&b)));
        }
    }
}
