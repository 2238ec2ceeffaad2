//! What the catalog finds, whom it lets in, and how it follows the store.

use crate::support::{change_to, data_stream, key, key_text, merchant, open, revoked};
use catalog::{Catalog, Denied, Item, Snapshot};
use keyspace::config::{change, counters};
use model::{DataStreamId, Kind, MerchantId, Role, Timestamp};
use prost::Message;
use store::{Batch, Store};

fn catalog_of(items: &[Item]) -> Catalog {
    let catalog = Catalog::new(Snapshot::default());
    catalog.apply(items, 1);
    catalog
}

#[test]
fn a_key_of_any_form_is_found_by_its_text_and_by_nothing_else() {
    let own = "operators+own-Key!";
    let ours = key_text('r', "1a2B3c4D");
    let catalog = catalog_of(&[
        key("hm_a_00000000", Role::Admin, None, None, own),
        key("hm_r_1a2B3c4D", Role::Read, Some(7), None, &ours),
        key("hm_w_00000001", Role::Write, Some(7), Some(3), "w"),
    ]);
    let snapshot = catalog.snapshot();

    let grant = snapshot.authenticate(own).unwrap();
    assert_eq!((&*grant.key_id, grant.role, grant.merchant), ("hm_a_00000000", Role::Admin, None));
    assert_eq!(snapshot.authenticate(&ours).unwrap().merchant, Some(MerchantId(7)));
    assert_eq!(snapshot.authenticate("w").unwrap().data_stream, Some(DataStreamId(3)));

    assert_eq!(snapshot.authenticate(""), Err(Denied::Unrecognised));
    assert_eq!(snapshot.authenticate("hm_r_1a2B3c4D"), Err(Denied::Unrecognised), "the id alone");
    assert_eq!(snapshot.authenticate(&format!("{own} ")), Err(Denied::Unrecognised));
    let guessed = ours.replace('s', "S");
    assert_eq!(snapshot.authenticate(&guessed), Err(Denied::Unknown { id: "hm_r_1a2B3c4D".into() }));
}

#[test]
fn a_revoked_key_ends_with_the_change_also_for_who_came_in_before() {
    let made = key("hm_r_1a2B3c4D", Role::Read, Some(7), None, "text");
    let catalog = catalog_of(std::slice::from_ref(&made));
    let before = catalog.snapshot();
    let grant = before.authenticate("text").unwrap();
    assert_eq!(before.still(&grant), Ok(()));

    catalog.apply(&[revoked(&made, Timestamp(5))], 2);
    let denied = Denied::Revoked { id: "hm_r_1a2B3c4D".into(), at: Timestamp(5) };
    assert_eq!(catalog.snapshot().authenticate("text"), Err(denied.clone()));
    assert_eq!(catalog.snapshot().still(&grant), Err(denied.clone()));
    assert_eq!(denied.kind(), Kind::Unauthenticated);
    assert_eq!(before.still(&grant), Ok(()), "a snapshot that is held stays as it is");
    assert_eq!(Snapshot::default().still(&grant).map_err(|denied| denied.kind()), Err(Kind::Unauthenticated));
}

#[test]
fn things_are_found_by_their_owner() {
    let catalog = catalog_of(&[
        merchant(2, "b"),
        merchant(1, "a"),
        merchant(3, "c"),
        data_stream(9, 1),
        data_stream(4, 2),
        data_stream(5, 1),
        key("hm_r_1", Role::Read, Some(1), None, "1"),
        key("hm_a_2", Role::Admin, None, None, "2"),
        key("hm_r_3", Role::Read, Some(2), None, "3"),
        key("hm_w_4", Role::Write, Some(1), Some(5), "4"),
    ]);
    let snapshot = catalog.snapshot();
    let streams = |id| snapshot.data_streams_of(MerchantId(id)).map(|it| it.id.0).collect::<Vec<_>>();
    assert_eq!((streams(1), streams(2), streams(3)), (vec![5, 9], vec![4], vec![]));
    assert_eq!(snapshot.first_data_stream(MerchantId(1)), Some(DataStreamId(5)));
    assert_eq!(snapshot.first_data_stream(MerchantId(3)), None);

    let keys = |owner: Option<u64>| {
        snapshot.keys_of(owner.map(MerchantId)).map(|it| it.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(keys(None), ["hm_a_2"]);
    assert_eq!(keys(Some(1)), ["hm_r_1", "hm_w_4"]);
    assert_eq!(keys(Some(2)), ["hm_r_3"]);
    assert!(keys(Some(3)).is_empty());

    let after = |id| snapshot.merchants_after(MerchantId(id)).map(|it| it.id.0).collect::<Vec<_>>();
    assert_eq!((after(0), after(1), after(3)), (vec![1, 2, 3], vec![2, 3], vec![]));
    assert_eq!(snapshot.merchant(MerchantId(2)).map(|it| &*it.name), Some("b"));
    assert_eq!(snapshot.items().count(), 10);
}

#[test]
fn a_change_is_taken_in_once_and_told() {
    let catalog = catalog_of(&[merchant(1, "first")]);
    let mut changed = catalog.changed();
    assert_eq!(*changed.borrow_and_update(), 1);

    catalog.apply(&[merchant(1, "second")], 2);
    assert!(changed.has_changed().unwrap());
    assert_eq!(*changed.borrow_and_update(), 2);

    catalog.apply(&[merchant(1, "late news")], 2);
    assert!(!changed.has_changed().unwrap());
    let snapshot = catalog.snapshot();
    assert_eq!(snapshot.version(), 2);
    assert_eq!(snapshot.merchant(MerchantId(1)).map(|it| &*it.name), Some("second"));
}

#[tokio::test]
async fn what_is_loaded_is_what_was_followed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let follower = Catalog::load(&store).await.unwrap();
    assert_eq!(follower.snapshot().version(), 0);

    // More than one page of the store, of items as well as of changes.
    let mut batch = Batch::default();
    for version in 1..=2_100_u64 {
        let items = match version % 3 {
            0 => merchant(version, "m"),
            1 => data_stream(version as u32, version),
            _ => key(&format!("hm_r_{version:08}"), Role::Read, Some(version), None, &version.to_string()),
        };
        let change = change_to(version, vec![items]);
        for (key, value) in change.items.iter().map(Item::record) {
            batch.put(key, value);
        }
        batch.put(change::key(version), change.whole().encode_to_vec());
    }
    batch.put(counters::key(), counters::Counters { version: 2_100, ..counters::Counters::START }.encode());
    store.commit(batch).await.unwrap();

    follower.catch_up(&store).await.unwrap();
    let loaded = Catalog::load(&store).await.unwrap().snapshot();
    let followed = follower.snapshot();
    assert_eq!((loaded.version(), followed.version()), (2_100, 2_100));
    assert_eq!(loaded.items().count(), 2_100);
    assert!(loaded.items().eq(followed.items()));
    assert_eq!(loaded.authenticate("2099").unwrap(), followed.authenticate("2099").unwrap());
}

#[tokio::test]
async fn damage_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let mut batch = Batch::default();
    batch.put(counters::key(), &b"\x01short"[..]);
    store.commit(batch).await.unwrap();
    let Err(error) = Catalog::load(&store).await else { panic!("damaged counters were read") };
    assert_eq!(error.to_string(), r"the record of counters is damaged: \x01short");
    assert_eq!(error.kind(), Kind::Corrupt);
}
