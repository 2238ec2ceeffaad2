//! The service on a real store: who may do what, what stays, and two at once.

use std::collections::BTreeSet;

use config_svc::Rpc;
use futures::future::{join_all, try_join_all};
use model::Role;
use proto::v1::config_service_server::ConfigService;
use proto::v1::{self, KeyRole};
use tonic::Code;

use crate::support::{NOW, Running, boot, code, id_of, named, platform, with_key};

#[tokio::test]
async fn each_key_opens_its_own_doors_only() {
    let dir = tempfile::tempdir().unwrap();
    let it = Running::first(&dir).await;
    let (one, two) = (it.merchant("one").await, it.merchant("two").await);
    let rpc = &it.rpc;

    let reading = |key: String| async move {
        let get = v1::GetMerchantRequest { merchant_id: 1 };
        let streams = v1::ListDataStreamsRequest { merchant_id: 1 };
        let keys = v1::ListKeysRequest { merchant_id: 1 };
        let changes = v1::ListChangesRequest { merchant_id: 1, ..Default::default() };
        [
            code(rpc.get_merchant(with_key(get, &key)).await),
            code(rpc.list_data_streams(with_key(streams, &key)).await),
            code(rpc.list_keys(with_key(keys, &key)).await),
            code(rpc.list_changes(with_key(changes, &key)).await),
        ]
    };
    let ruling = |key: String| async move {
        let update = v1::UpdateMerchantRequest { merchant_id: 1, ..Default::default() };
        let stream = v1::CreateDataStreamRequest { merchant_id: 9, ..Default::default() };
        let rotate = v1::RotateKeyRequest { key_id: "none".into() };
        let revoke = v1::RevokeKeyRequest { key_id: "none".into() };
        [
            code(rpc.create_merchant(with_key(named(""), &key)).await),
            code(rpc.list_merchants(with_key(v1::ListMerchantsRequest::default(), &key)).await),
            code(rpc.update_merchant(with_key(update, &key)).await),
            code(rpc.create_data_stream(with_key(stream, &key)).await),
            code(rpc.create_key(with_key(v1::CreateKeyRequest::default(), &key)).await),
            code(rpc.list_keys(with_key(v1::ListKeysRequest::default(), &key)).await),
            code(rpc.rotate_key(with_key(rotate, &key)).await),
            code(rpc.revoke_key(with_key(revoke, &key)).await),
            code(rpc.list_changes(with_key(v1::ListChangesRequest::default(), &key)).await),
            code(rpc.watch(with_key(v1::WatchRequest::default(), &key)).await),
        ]
    };
    use Code::{InvalidArgument, NotFound, Ok, PermissionDenied, Unauthenticated};
    assert_eq!(reading(it.admin.clone()).await, [Ok; 4]);
    assert_eq!(reading(one.read_key.clone()).await, [Ok; 4]);
    assert_eq!(reading(one.write_key.clone()).await, [PermissionDenied; 4]);
    assert_eq!(reading(two.read_key).await, [PermissionDenied; 4]);
    assert_eq!(reading("unknown".to_owned()).await, [Unauthenticated; 4]);

    // What the admin asks for here is wrong or is nothing: but it is heard.
    let heard = [InvalidArgument, Ok, Ok, NotFound, InvalidArgument, Ok, NotFound, NotFound, Ok, Ok];
    assert_eq!(ruling(it.admin.clone()).await, heard);
    assert_eq!(ruling(one.read_key).await, [PermissionDenied; 10]);
    assert_eq!(ruling(one.write_key).await, [PermissionDenied; 10]);
    assert_eq!(ruling("unknown".to_owned()).await, [Unauthenticated; 10]);

    let keyless = tonic::Request::new(v1::ListMerchantsRequest::default());
    let status = rpc.list_merchants(keyless).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Unauthenticated, "no key was given: send `authorization: Bearer KEY`")
    );
}

#[tokio::test]
async fn a_revoked_key_fails_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let it = Running::first(&dir).await;
    let key = it.merchant("one").await.read_key;
    let get = || it.rpc.get_merchant(with_key(v1::GetMerchantRequest { merchant_id: 1 }, &key));
    assert_eq!(code(get().await), Code::Ok);

    it.revoke(&id_of(&key)).await.unwrap();
    let status = get().await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(status.message(), format!("key {} was revoked at {NOW}", id_of(&key)));
    // Other holders of the catalog see the same.
    assert!(it.platform.catalog.snapshot().authenticate(&key).is_err());
}

#[tokio::test]
async fn a_restart_finds_everything_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let first = Running::first(&dir).await;
    let made = first.merchant("one").await;
    first.revoke(&id_of(&made.read_key)).await.unwrap();
    let before = first.platform.catalog.snapshot();
    let admin = first.admin.clone();
    drop(first);

    let again = platform(&dir, 2).await;
    assert_eq!(boot(&again, None).await, None, "an admin key is made once");
    let after = again.catalog.snapshot();
    assert_eq!(after.version(), before.version());
    assert!(after.items().eq(before.items()));
    assert_eq!(after.authenticate(&admin).unwrap().role, Role::Admin);
    assert!(after.authenticate(&made.read_key).is_err());

    let rpc = Rpc::new(again);
    let second = rpc.create_merchant(with_key(named("two"), &admin)).await.unwrap().into_inner();
    assert_eq!((second.merchant.unwrap().id, second.data_stream.unwrap().id), (2, 2));
}

#[tokio::test]
async fn the_operators_key_is_taken_in_at_the_first_start_only() {
    let dir = tempfile::tempdir().unwrap();
    let platform = platform(&dir, 1).await;
    let role = |key: &str| platform.catalog.snapshot().authenticate(key).map(|grant| grant.role).ok();
    for _ in 0..2 {
        assert_eq!(boot(&platform, Some("the-operator's-own-key")).await, None);
        assert_eq!(role("the-operator's-own-key"), Some(Role::Admin));
    }
    assert_eq!(boot(&platform, Some("somebody-else's-key")).await, None);
    assert_eq!(role("somebody-else's-key"), None);
    assert_eq!(platform.catalog.snapshot().version(), 1);
}

#[tokio::test]
async fn merchants_made_at_once_get_ids_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let one = Running::first(&dir).await;
    let two = one.beside().await;
    let services = [&one, &two];
    let made = join_all((0..24).map(|n| services[n % 2].merchant("shop"))).await;

    let merchants: BTreeSet<u64> = made.iter().map(|made| made.merchant.as_ref().unwrap().id).collect();
    assert_eq!(merchants, (1..=24).collect());
    let streams: BTreeSet<u32> = made.iter().map(|made| made.data_stream.as_ref().unwrap().id).collect();
    assert_eq!(streams, (1..=24).collect());

    // Each heard of its own changes only: now of the other's.
    for it in services {
        it.platform.catalog.catch_up(&*it.platform.store).await.unwrap();
        let snapshot = it.platform.catalog.snapshot();
        assert_eq!(snapshot.version(), 1 + 24);
        assert!(made.iter().all(|made| snapshot.authenticate(&made.write_key).is_ok()));
    }
    assert!(one.platform.catalog.snapshot().items().eq(two.platform.catalog.snapshot().items()));
}

#[tokio::test]
async fn of_two_that_revoke_each_other_one_stays_admin() {
    let dir = tempfile::tempdir().unwrap();
    let one = Running::first(&dir).await;
    let two = one.beside().await;
    let admin = v1::CreateKeyRequest { role: KeyRole::Admin.into(), ..Default::default() };
    let other = one.rpc.create_key(one.ask(admin)).await.unwrap().into_inner().secret;
    two.platform.catalog.catch_up(&*two.platform.store).await.unwrap();

    let revoke = |key: &str| v1::RevokeKeyRequest { key_id: id_of(key) };
    let outcomes = futures::join!(
        one.rpc.revoke_key(with_key(revoke(&other), &one.admin)),
        two.rpc.revoke_key(with_key(revoke(&one.admin), &other)),
    );
    let outcomes = BTreeSet::from([code(outcomes.0) as i32, code(outcomes.1) as i32]);
    assert_eq!(outcomes, BTreeSet::from([Code::Ok as i32, Code::Unauthenticated as i32]));
}

#[tokio::test]
async fn lists_come_in_pages() {
    let dir = tempfile::tempdir().unwrap();
    let it = Running::first(&dir).await;
    try_join_all((0..5).map(|_| it.rpc.create_merchant(it.ask(named("m"))))).await.unwrap();

    let merchants = async |page_size, after_id| {
        let request = v1::ListMerchantsRequest { page_size, after_id };
        let page = it.rpc.list_merchants(it.ask(request)).await.unwrap().into_inner();
        (page.merchants.iter().map(|merchant| merchant.id).collect::<Vec<_>>(), page.more)
    };
    assert_eq!(merchants(2, 0).await, (vec![1, 2], true));
    assert_eq!(merchants(2, 2).await, (vec![3, 4], true));
    assert_eq!(merchants(1, 4).await, (vec![5], false));
    assert_eq!(merchants(0, 0).await, (vec![1, 2, 3, 4, 5], false));
    assert_eq!(merchants(u32::MAX, 5).await, (vec![], false));
}

#[tokio::test]
async fn changes_are_listed_newest_first_with_their_author_and_without_hashes() {
    let dir = tempfile::tempdir().unwrap();
    let it = Running::first(&dir).await;
    it.merchant("one").await; // version 2
    it.merchant("two").await; // version 3
    let update = v1::UpdateMerchantRequest { merchant_id: 1, name: "uno".into(), ..Default::default() };
    it.rpc.update_merchant(it.ask(update)).await.unwrap(); // version 4

    let list = async |merchant_id, page_size, before_version| {
        let request = v1::ListChangesRequest { merchant_id, page_size, before_version };
        it.rpc.list_changes(it.ask(request)).await.unwrap().into_inner()
    };
    let versions = async |merchant_id, page_size, before_version| {
        let page = list(merchant_id, page_size, before_version).await;
        (page.changes.iter().map(|change| change.version).collect::<Vec<_>>(), page.more)
    };
    assert_eq!(versions(0, 0, 0).await, (vec![4, 3, 2, 1], false));
    assert_eq!(versions(0, 2, 0).await, (vec![4, 3], true));
    assert_eq!(versions(0, 2, 3).await, (vec![2, 1], false));
    assert_eq!(versions(0, 2, 1).await, (vec![], false));
    assert_eq!(versions(0, 2, 99).await, (vec![4, 3], true));
    assert_eq!(versions(1, 0, 0).await, (vec![4, 2], false));
    assert_eq!(versions(1, 1, 0).await, (vec![4], true));
    assert_eq!(versions(1, 1, 4).await, (vec![2], false));
    assert_eq!(versions(2, 0, 3).await, (vec![], false));

    let changes = list(0, 0, 0).await.changes;
    let authors: Vec<_> = changes.iter().map(|change| change.author.clone()).collect();
    let admin = id_of(&it.admin);
    assert_eq!(authors, [admin.clone(), admin.clone(), admin, String::new()]);
    assert_eq!(changes[0].summary, r#"changed merchant 1: name "uno" (was "one")"#);
    let items = changes.iter().flat_map(|change| &change.items);
    let keys: Vec<_> = items
        .filter_map(|item| match &item.item {
            Some(v1::item::Item::Key(key)) => Some(key),
            _ => None,
        })
        .collect();
    assert_eq!(keys.len(), 1 + 2 + 2);
    assert!(keys.iter().all(|key| key.hash.is_empty()));
}

#[tokio::test]
async fn keys_are_listed_by_time_without_hashes_the_revoked_ones_too() {
    let dir = tempfile::tempdir().unwrap();
    let it = Running::first(&dir).await;
    let made = it.merchant("one").await;
    let mut ids = vec![id_of(&made.write_key), id_of(&made.read_key)];
    ids.sort();
    for role in [KeyRole::Write, KeyRole::Read, KeyRole::Write] {
        it.platform.clock.advance(1_000);
        let request = v1::CreateKeyRequest { role: role.into(), merchant_id: 1, data_stream_id: 0 };
        ids.push(it.rpc.create_key(it.ask(request)).await.unwrap().into_inner().key.unwrap().id);
    }
    it.revoke(&ids[3]).await.unwrap();

    let list = async |merchant_id| {
        let request = it.ask(v1::ListKeysRequest { merchant_id });
        it.rpc.list_keys(request).await.unwrap().into_inner().keys
    };
    let keys = list(1).await;
    assert_eq!(keys.iter().map(|key| key.id.clone()).collect::<Vec<_>>(), ids);
    assert!(keys.iter().all(|key| key.hash.is_empty() && key.revoked_at.is_some() == (key.id == ids[3])));
    let operators = list(0).await;
    assert_eq!(operators.iter().map(|key| key.id.clone()).collect::<Vec<_>>(), [id_of(&it.admin)]);

    let unknown = it.rpc.list_keys(it.ask(v1::ListKeysRequest { merchant_id: 9 })).await;
    assert_eq!(code(unknown), Code::NotFound);
}
