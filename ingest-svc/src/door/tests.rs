use catalog::{Catalog, DataStream, Item, Key, Platform};
use model::{Currency, Kind, Timestamp};

use super::*;

fn configured() -> Arc<Snapshot> {
    let merchant = |id| {
        Item::Merchant(Arc::new(Merchant {
            id: MerchantId(id),
            name: "m".into(),
            time_zone: "UTC".into(),
            currency: Currency::NONE,
            hits_per_second: 0,
            streams: 0,
            spread: 1,
            version: 1,
            created_at: Timestamp(0),
        }))
    };
    let stream = |id, merchant| {
        let (id, merchant) = (DataStreamId(id), MerchantId(merchant));
        Item::DataStream(Arc::new(DataStream { id, merchant, name: "s".into(), platform: Platform::Web }))
    };
    let key = |text: &str, role, merchant: Option<u64>, stream: Option<u32>| {
        Item::Key(Arc::new(Key {
            id: text.into(),
            role,
            merchant: merchant.map(MerchantId),
            data_stream: stream.map(DataStreamId),
            hash: catalog::hash(text),
            created_at: Timestamp(0),
            revoked_at: None,
        }))
    };
    let catalog = Catalog::new(Snapshot::default());
    let items = [
        merchant(1),
        merchant(2),
        merchant(3),
        stream(10, 1),
        stream(11, 1),
        stream(20, 2),
        key("w", Role::Write, Some(1), Some(11)),
        key("r", Role::Read, Some(1), None),
        key("a", Role::Admin, None, None),
    ];
    catalog.apply(&items, 1);
    catalog.snapshot()
}

fn setup(key: &str) -> v1::Setup {
    v1::Setup { key: key.to_owned(), client_id: "c".to_owned(), ..v1::Setup::default() }
}

/// Merchant and data stream that are sent for, or why not.
fn opened(setup: &v1::Setup, authorization: Option<&[u8]>) -> Result<(u64, u32), (Kind, String)> {
    let session = open(&configured(), &setup.encode_to_vec(), authorization);
    session.map(|s| (s.source.merchant.0, s.source.data_stream.0)).map_err(|e| (e.kind(), e.to_string()))
}

#[test]
fn a_write_key_says_for_whom_it_sends() {
    assert_eq!(opened(&setup("w"), None), Ok((1, 11)));
    assert_eq!(opened(&setup(""), Some(b"Bearer w")), Ok((1, 11)), "the key is in the metadata");
    assert_eq!(opened(&setup("w"), Some(b"Bearer nonsense")), Ok((1, 11)), "that of setup is meant");
    assert_eq!(opened(&v1::Setup { merchant_id: 1, data_stream_id: 11, ..setup("w") }, None), Ok((1, 11)));
    for other in [v1::Setup { merchant_id: 2, ..setup("w") }, v1::Setup { data_stream_id: 10, ..setup("w") }]
    {
        assert_eq!(opened(&other, None).unwrap_err().0, Kind::Forbidden);
    }
    let history = v1::Setup { lane: v1::Lane::History.into(), ..setup("w") };
    let refused = (Kind::Forbidden, "key w is a write key: LANE_HISTORY needs an admin key".to_owned());
    assert_eq!(opened(&history, None), Err(refused));
}

#[test]
fn an_admin_key_must_say_for_whom_it_sends() {
    let for_merchant = |merchant_id, data_stream_id| {
        let lane = v1::Lane::History.into();
        opened(&v1::Setup { merchant_id, data_stream_id, lane, ..setup("a") }, None)
    };
    assert_eq!(for_merchant(1, 0), Ok((1, 10)), "its first data stream");
    assert_eq!(for_merchant(1, 11), Ok((1, 11)));
    assert_eq!(for_merchant(0, 0).unwrap_err().0, Kind::Invalid);
    let none = |message: &str| Err((Kind::NotFound, message.to_owned()));
    assert_eq!(for_merchant(9, 0), none("merchant 9 does not exist"));
    assert_eq!(for_merchant(1, 20), none("merchant 1 has no data stream 20"));
    assert_eq!(for_merchant(3, 0), none("merchant 3 has no data stream 0"));
}

#[test]
fn no_other_key_opens() {
    let kind = |key| opened(&setup(key), None).unwrap_err().0;
    assert_eq!(kind("r"), Kind::Forbidden);
    assert_eq!(kind("x"), Kind::Unauthenticated);
    assert_eq!(kind(""), Kind::Unauthenticated);
}

#[test]
fn what_a_setup_says_is_checked() {
    let long = "x".repeat(300);
    let sdk = v1::Sdk { name: long.clone(), version: String::new() };
    let context = v1::Context { user_id: long.clone(), ..v1::Context::default() };
    for wrong in [
        v1::Setup { client_id: long, ..setup("w") },
        v1::Setup { sdk: Some(sdk), ..setup("w") },
        v1::Setup { context: Some(context), ..setup("w") },
    ] {
        assert_eq!(opened(&wrong, None).unwrap_err().0, Kind::Invalid);
    }
    let refused = open(&configured(), &[0xff], None).unwrap_err();
    assert_eq!(refused.kind(), Kind::Invalid);
}
