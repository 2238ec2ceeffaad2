//! Key families of the configuration: what config-svc owns and the catalog holds in memory.
//!
//! ```text
//! 01                                      instance       identity of this installation
//! 02                                      instance       which event log it is folded from
//! 20 │ merchant u64                       merchant       one merchant, whole
//! 21 │ data stream u32                    data_stream    one data stream, whole
//! 22 │ key id, text                       key            one key, whole, with its hash
//! 23 │ version u64                        change         one change of the configuration
//! 24                                      counters       ids to give out next, and the version
//! 25 │ merchant u64 │ !version u64        merchant_change  the changes of a merchant, newest first
//! ```
//!
//! Numbers are big-endian, so that keys sort as what they name. Except for the counters, values are messages of the
//! contract, which this crate does not know: the catalog encodes them.

pub mod change;
pub mod counters;
pub mod data_stream;
pub mod instance;
pub mod key;
pub mod merchant;
pub mod merchant_change;

/// All of these families: with them, and nothing else, cells can be folded again from the log.
pub const FAMILIES: [u8; 8] = [
    instance::FAMILY,
    instance::LOG,
    merchant::FAMILY,
    data_stream::FAMILY,
    key::FAMILY,
    change::FAMILY,
    counters::FAMILY,
    merchant_change::FAMILY,
];

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use model::{DataStreamId, MerchantId};
    use proptest::prelude::*;

    use super::*;
    use crate::key::KeyBuilder;

    /// One key of each family.
    fn keys() -> impl Strategy<Value = Vec<Bytes>> {
        (any::<u64>(), any::<u32>(), any::<u64>(), "[a-zA-Z0-9_]{1,20}").prop_map(
            |(id, stream, version, text)| {
                vec![
                    instance::key(),
                    merchant::key(MerchantId(id)),
                    data_stream::key(DataStreamId(stream)),
                    key::key(&text),
                    change::key(version),
                    counters::key(),
                    merchant_change::key(MerchantId(id), version),
                ]
            },
        )
    }

    proptest! {
        #[test]
        fn the_list_of_families_is_whole(keys in keys()) {
            let mut families: Vec<u8> = keys.iter().map(|key| key[0]).chain([instance::log_key()[0]]).collect();
            families.sort_unstable();
            prop_assert_eq!(families, FAMILIES);
        }

        #[test]
        fn a_key_is_within_the_range_of_its_own_family_and_of_no_other(keys in keys()) {
            let ranges = [
                merchant::range(), data_stream::range(), key::range(), change::range(), KeyBuilder::all(merchant_change::FAMILY),
            ];
            // Position of the family in `keys`, in the order of `ranges`.
            for (range, own) in ranges.iter().zip([1, 2, 3, 4, 6]) {
                let within: Vec<usize> = (0..keys.len()).filter(|&i| range.contains(&keys[i])).collect();
                prop_assert_eq!(within, vec![own]);
            }
        }

        #[test]
        fn keys_of_two_families_are_never_prefixes_of_each_other(a in keys(), b in keys()) {
            for (i, a) in a.iter().enumerate() {
                for (j, b) in b.iter().enumerate() {
                    prop_assert!(i == j || !b.starts_with(a), "{} {}", a.escape_ascii(), b.escape_ascii());
                }
            }
        }
    }
}
