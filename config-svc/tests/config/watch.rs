//! What a watcher receives.

use std::pin::Pin;
use std::sync::Arc;

use catalog::{Catalog, Item, Snapshot};
use futures::future::join_all;
use futures::{Stream, StreamExt, stream};
use proto::v1;
use proto::v1::config_service_server::ConfigService as _;
use tonic::{Code, Status};

use crate::support::{Running, id_of, named, with_key};

type Watched = Pin<Box<dyn Stream<Item = Result<v1::WatchResponse, Status>> + Send>>;

async fn watch(it: &Running, since_version: u64) -> Watched {
    let request = it.ask(v1::WatchRequest { since_version });
    Box::pin(it.rpc.watch(request).await.unwrap().into_inner())
}

async fn next(watched: &mut Watched) -> Result<v1::WatchResponse, Status> {
    watched.next().await.expect("the stream goes on")
}

/// Receives up to `version`, and keeps a catalog by it, as another service does.
async fn follow(watched: &mut Watched, version: u64) -> (Arc<Snapshot>, Vec<u64>) {
    let (mut catalog, mut snapshot_items, mut versions) =
        (Catalog::new(Snapshot::default()), Vec::new(), Vec::new());
    while versions.last() != Some(&version) {
        let message = next(watched).await.unwrap();
        if message.reset {
            (catalog, snapshot_items) = (Catalog::new(Snapshot::default()), Vec::new());
        }
        let items = message.items.into_iter().map(|item| Item::try_from(item).unwrap());
        snapshot_items.extend(items);
        if message.version > 0 {
            catalog.apply(&std::mem::take(&mut snapshot_items), message.version);
            versions.push(message.version);
        }
    }
    (catalog.snapshot(), versions)
}

#[tokio::test]
async fn a_watcher_sees_every_change_once_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let it = Running::first(&dir).await;
    // From a second service on the same store come changes that the first hears of only by looking.
    let other = it.beside().await;
    it.merchant("before").await; // version 2
    let (mut from_start, mut from_one) = (watch(&it, 0).await, watch(&it, 1).await);
    // The snapshot is taken before there are more.
    let snapshot = next(&mut from_start).await;
    let mut from_start: Watched = Box::pin(stream::iter([snapshot]).chain(from_start));

    let changes = async {
        join_all((0..30).map(|n| [&it, &other][n % 2].merchant("shop"))).await;
        it.platform.catalog.catch_up(&*it.platform.store).await.unwrap();
    };
    let ((), all, some) = futures::join!(changes, follow(&mut from_start, 32), follow(&mut from_one, 32));

    assert_eq!(all.1[0], 2, "the snapshot");
    assert_eq!(all.1, (2..=32).collect::<Vec<u64>>());
    assert!(all.0.items().eq(it.platform.catalog.snapshot().items()), "with the hashes of keys");
    assert_eq!(some.1, (2..=32).collect::<Vec<u64>>(), "no snapshot: the changes are known");
}

#[tokio::test]
async fn a_large_snapshot_comes_in_parts_and_has_its_version_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let it = Running::first(&dir).await;
    // 4 items each, and the admin key: 3 messages.
    join_all((0..300).map(|_| it.merchant("shop"))).await;

    let mut watched = watch(&it, 0).await;
    let mut parts = Vec::new();
    for _ in 0..3 {
        let part = next(&mut watched).await.unwrap();
        parts.push((part.reset, part.version, part.items.len()));
    }
    assert_eq!(parts, [(true, 0, 500), (false, 0, 500), (false, 301, 201)]);
}

#[tokio::test]
async fn a_version_from_other_data_is_answered_with_everything() {
    let dir = tempfile::tempdir().unwrap();
    let it = Running::first(&dir).await;
    let first = next(&mut watch(&it, 99).await).await.unwrap();
    assert_eq!((first.reset, first.version, first.items.len()), (true, 1, 1));
}

#[tokio::test]
async fn a_watcher_whose_key_is_revoked_hears_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let it = Running::first(&dir).await;
    let admin = v1::CreateKeyRequest { role: v1::KeyRole::Admin.into(), ..Default::default() };
    let key = it.rpc.create_key(it.ask(admin)).await.unwrap().into_inner().secret;
    let request = with_key(v1::WatchRequest::default(), &key);
    let mut watched: Watched = Box::pin(it.rpc.watch(request).await.unwrap().into_inner());
    assert_eq!(next(&mut watched).await.unwrap().version, 2);

    it.revoke(&id_of(&key)).await.unwrap();
    it.rpc.create_merchant(it.ask(named("later"))).await.unwrap();
    assert_eq!(next(&mut watched).await.unwrap_err().code(), Code::Unauthenticated);
    assert!(watched.next().await.is_none());
}

#[tokio::test]
async fn a_drain_ends_every_watch_also_one_that_does_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let it = Running::first(&dir).await;
    let mut reader = watch(&it, 0).await;
    next(&mut reader).await.unwrap();
    let mut sleeper = watch(&it, 0).await;
    join_all((0..20).map(|_| it.merchant("shop"))).await;
    for _ in 0..20 {
        next(&mut reader).await.unwrap();
    }

    it.platform.drain.cancel();
    it.platform.tasks.close();
    it.platform.tasks.wait().await;
    for watched in [&mut reader, &mut sleeper] {
        let last = watched.collect::<Vec<_>>().await.pop().unwrap();
        let status = last.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::Unavailable, "the server is shutting down: connect again")
        );
    }
}

#[tokio::test]
async fn a_watcher_that_goes_away_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let it = Running::first(&dir).await;
    drop(watch(&it, 0).await);
    let mut idle = watch(&it, 0).await;
    next(&mut idle).await.unwrap();
    drop(idle);
    it.platform.tasks.close();
    it.platform.tasks.wait().await;
}

#[tokio::test]
async fn a_watcher_that_knows_more_makes_a_service_look_before_it_sends_anything_old() {
    let dir = tempfile::tempdir().unwrap();
    let it = Running::first(&dir).await;
    let behind = it.beside().await;
    it.merchant("one").await; // version 2, which the other has not heard of
    let mut watched = watch(&behind, 2).await;
    it.merchant("two").await;
    behind.platform.catalog.catch_up(&*it.platform.store).await.unwrap();
    let first = next(&mut watched).await.unwrap();
    assert_eq!((first.reset, first.version), (false, 3));
}
