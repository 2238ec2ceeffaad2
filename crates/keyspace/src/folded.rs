//! What the families of folded things have in common: each key is of a generation, and all of a generation can be thrown
//! away and folded again from the log.
//!
//! ```text
//! 0x10 cells, 0x11 touched, 0x12 progress, 0x14 fates   family │ merchant u64 │ generation u32 │ ...
//! 0x13 visitor state                                    family │ partition u16 │ merchant u64 │ generation u32 │ ...
//! ```

use std::ops::Range;

use bytes::Bytes;
use model::Generation;

use crate::key::{KeyBuilder, part};

const FIRST: u8 = 0x10;
const VISITORS: u8 = 0x13;
const LAST: u8 = 0x14;

/// The keys of all of it.
pub fn range() -> Range<Bytes> {
    KeyBuilder::family(FIRST).build()..KeyBuilder::family(LAST).end()
}

/// The generation that a key of [`range`] is of.
pub fn generation_of(key: &[u8]) -> Option<Generation> {
    let at = if *key.first()? == VISITORS { 11 } else { 9 };
    part(key, at).map(|n| Generation(u32::from_be_bytes(n)))
}

#[cfg(test)]
mod tests {
    use model::{Cube, Hour, MerchantId, Partition};
    use proptest::prelude::*;

    use super::*;
    use crate::cell::CellKey;
    use crate::touched::Day;
    use crate::{checkpoint, config, fate, lease, progress, touched, visitor};

    proptest! {
        #[test]
        fn every_key_of_a_family_says_its_generation(m: u64, g: u32, p: u16, h: u32, bucket: u8) {
            let (merchant, generation, partition) = (MerchantId(m), Generation(g), Partition(p));
            let hour = Hour(h);
            let keys = [
                CellKey { merchant, generation, cube: Cube::Total, hour, partition }.encode(),
                touched::key(merchant, generation, Day::of(hour), partition),
                progress::key(merchant, generation, partition),
                visitor::key(partition, merchant, generation, bucket, visitor::Slot::First),
                visitor::key(partition, merchant, generation, bucket, visitor::Slot::Second),
                fate::key(merchant, generation, hour, partition),
            ];
            for key in keys {
                prop_assert!(range().contains(&key));
                prop_assert_eq!(generation_of(&key), Some(generation));
            }
        }
    }

    #[test]
    fn what_is_not_folded_is_not_among_them() {
        let others = [checkpoint::key(Partition(0)), lease::lease_key(Partition(0)), config::instance::key()];
        assert!(others.iter().all(|key| !range().contains(key)));
    }
}
