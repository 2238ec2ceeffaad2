//! What is stored and sent is what is read again.

use std::sync::Arc;

use catalog::{Change, DataStream, Item, Key, Merchant, Platform};
use model::{Currency, DataStreamId, MerchantId, Role, Timestamp};
use proptest::prelude::*;
use prost::Message;
use proto::v1;

fn time() -> impl Strategy<Value = Timestamp> {
    // Year 1 to 9999, as protobuf's timestamps.
    (-62_135_596_800_000_i64..253_402_300_800_000).prop_map(Timestamp)
}

fn merchant() -> impl Strategy<Value = Item> {
    let numbers = (1u64.., any::<u64>(), any::<u32>(), 1u16..=64, 1u64..);
    (numbers, any::<String>(), any::<String>(), "[A-Z]{3}", time()).prop_map(
        |((id, hits_per_second, streams, spread, version), name, zone, currency, created_at)| {
            Item::Merchant(Arc::new(Merchant {
                id: MerchantId(id),
                name: name.into(),
                time_zone: zone.into(),
                currency: currency.parse::<Currency>().unwrap(),
                hits_per_second,
                streams,
                spread,
                version,
                created_at,
            }))
        },
    )
}

fn data_stream() -> impl Strategy<Value = Item> {
    use Platform::{Android, Ios, Server, Unspecified, Web};
    let platform = proptest::sample::select(vec![Unspecified, Web, Ios, Android, Server]);
    (1u32.., 1u64.., any::<String>(), platform).prop_map(|(id, merchant, name, platform)| {
        let (id, merchant) = (DataStreamId(id), MerchantId(merchant));
        Item::DataStream(Arc::new(DataStream { id, merchant, name: name.into(), platform }))
    })
}

fn key() -> impl Strategy<Value = Item> {
    let role = proptest::sample::select(vec![Role::Write, Role::Read, Role::Admin]);
    let owner = (proptest::option::of(1u64..), proptest::option::of(1u32..));
    (any::<String>(), role, owner, any::<[u8; 32]>(), time(), proptest::option::of(time())).prop_map(
        |(id, role, (merchant, data_stream), hash, created_at, revoked_at)| {
            Item::Key(Arc::new(Key {
                id: id.into(),
                role,
                merchant: merchant.map(MerchantId),
                data_stream: data_stream.map(DataStreamId),
                hash,
                created_at,
                revoked_at,
            }))
        },
    )
}

fn item() -> impl Strategy<Value = Item> {
    prop_oneof![merchant(), data_stream(), key()]
}

proptest! {
    #[test]
    fn a_change_is_read_as_it_was_written(
        items in proptest::collection::vec(item(), 0..5), version: u64, at in time(), author: String, summary: String,
        merchant in proptest::option::of(1u64..)
    ) {
        let merchant = merchant.map(MerchantId);
        let change = Change { version, at, author: author.into(), merchant, summary, items };
        let bytes = change.whole().encode_to_vec();
        prop_assert_eq!(catalog::read_change(bytes.into()).unwrap(), change);
    }

    #[test]
    fn what_everybody_may_see_has_no_hash(item in item()) {
        let (public, whole) = (item.public(), item.whole());
        let Some(v1::item::Item::Key(whole)) = whole.item else {
            prop_assert_eq!(public, whole);
            return Ok(());
        };
        prop_assert_eq!(whole.hash.len(), 32);
        let without = v1::Key { hash: Vec::new(), ..whole };
        prop_assert_eq!(public.item, Some(v1::item::Item::Key(without)));
    }
}

#[test]
fn what_nobody_wrote_is_damaged() {
    let good =
        v1::Key { id: "hm_r_1".into(), role: 2, merchant_id: 1, hash: vec![0; 32], ..Default::default() };
    assert!(Key::try_from(good.clone()).is_ok());
    let message = |key: v1::Key| Key::try_from(key).unwrap_err().to_string();
    assert_eq!(message(v1::Key { role: 9, ..good.clone() }), "key hm_r_1 is damaged: it has no role");
    assert_eq!(
        message(v1::Key { hash: vec![0; 31], ..good }),
        "key hm_r_1 is damaged: its hash is not 32 bytes"
    );
    assert!(Item::try_from(v1::Item { item: None }).is_err());
    assert!(Merchant::try_from(v1::Merchant { currency: "eur".into(), ..Default::default() }).is_err());
}
