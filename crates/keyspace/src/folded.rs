//! What the families of folded things have in common: each key is of a generation, and all of a generation can be thrown
//! away and folded again from the log.
//!
//! ```text
//! 0x10 cells, 0x11 touched, 0x12 progress, 0x14 fates   family │ merchant u64 │ generation u32 │ ...
//! 0x13 visitor state                                    family │ partition u16 │ merchant u64 │ generation u32 │ ...
//!
//! key    0x17
//! value  version 1 │ generation u32: the newest that was ever begun; absent: the first
//! ```

use std::ops::Range;

use aggregate::codec::{Malformed, Reader};
use bytes::Bytes;
use model::{Generation, MerchantId, Partition};

use crate::key::KeyBuilder;
use crate::{cell, fate, progress, touched, visitor};

const OF_MERCHANTS: [u8; 4] = [cell::FAMILY, touched::FAMILY, progress::FAMILY, fate::FAMILY];
pub(crate) const NEWEST: u8 = 0x17;
const VERSION: u8 = 1;

/// The key of the newest generation.
pub fn newest_key() -> Bytes {
    Bytes::from_static(&[NEWEST])
}

/// The value of [`newest_key`].
pub fn encode_newest(generation: Generation) -> Bytes {
    [&[VERSION][..], &generation.0.to_be_bytes()].concat().into()
}

/// The inverse of [`encode_newest`].
pub fn decode_newest(value: &[u8]) -> Result<Generation, Malformed> {
    let mut reader = Reader::new(value);
    match reader.byte()? {
        VERSION => {}
        found => return Err(Malformed::Unknown { what: "version of a generation", found: found.into() }),
    }
    let generation = Generation(u32::from_be_bytes(reader.array()?));
    reader.end()?;
    Ok(generation)
}

/// Everything of a merchant that is of generations before `live`, in these partitions: a range for each family, so that no
/// range is wider than what is in it.
pub fn before(
    merchant: MerchantId,
    partitions: impl Iterator<Item = Partition>,
    live: Generation,
) -> impl Iterator<Item = Range<Bytes>> {
    let of_merchant = OF_MERCHANTS.into_iter().map(KeyBuilder::family as fn(u8) -> KeyBuilder);
    let of_visitors = partitions.map(|partition| KeyBuilder::family(visitor::FAMILY).u16(partition.0));
    of_merchant.chain(of_visitors).map(move |family| {
        let family = family.u64(merchant.0);
        family.clone().build()..family.u32(live.0).build()
    })
}

#[cfg(test)]
mod tests {
    use model::{CubeId, Hour};
    use proptest::prelude::*;

    use super::*;
    use crate::cell::CellKey;
    use crate::touched::Day;
    use crate::visitor::Slot;
    use crate::{checkpoint, config, lease};

    fn keys(m: u64, g: u32, p: u16, h: u32, bucket: u8) -> [Bytes; 6] {
        let (merchant, generation, partition) = (MerchantId(m), Generation(g), Partition(p));
        let hour = Hour(h);
        [
            CellKey { merchant, generation, cube: CubeId::TOTAL, hour, partition }.encode(),
            touched::key(merchant, generation, Day::of(hour), partition),
            progress::key(merchant, generation, partition),
            visitor::key(partition, merchant, generation, bucket, Slot::First),
            visitor::key(partition, merchant, generation, bucket, Slot::Second),
            fate::key(merchant, generation, hour, partition),
        ]
    }

    proptest! {
        #[test]
        fn what_is_older_is_found_and_nothing_else(
            m in 0u64..3, g: u32, p in 0u16..3, h: u32, bucket: u8, live: u32
        ) {
            for key in keys(m, g, p, h, bucket) {
                let found = before(MerchantId(1), (0..2).map(Partition), Generation(live))
                    .filter(|range| range.contains(&key))
                    .count();
                let visitors = key[0] == visitor::FAMILY;
                let wanted = m == 1 && g < live && (!visitors || p < 2);
                prop_assert_eq!(found, usize::from(wanted), "{:?}", key);
            }
        }

        #[test]
        fn the_newest_is_its_bytes(g: u32) {
            prop_assert_eq!(decode_newest(&encode_newest(Generation(g))), Ok(Generation(g)));
        }
    }

    #[test]
    fn what_is_not_folded_is_not_among_them() {
        let others = [
            checkpoint::key(Partition(0)),
            lease::lease_key(Partition(0)),
            config::instance::key(),
            newest_key(),
        ];
        let ranges: Vec<_> = before(MerchantId(0), (0..9).map(Partition), Generation(u32::MAX)).collect();
        assert!(others.iter().all(|key| ranges.iter().all(|range| !range.contains(key))));
        assert_eq!(&*encode_newest(Generation(258)), [1, 0, 0, 1, 2]);
    }
}
