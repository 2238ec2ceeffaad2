//! The configuration in another process: over the network, from one config-svc or the next, or from the store.

use std::time::Duration;

use catalog::Catalog;
use catalog::remote::{Remote, Settings};
use config_svc::Config;
use futures::future::join_all;
use host::{Host, Platform};
use proto::v1::config_service_server::ConfigService;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::{NOW, Running, boot, code, id_of, named, platform, with_key};

/// Nobody waits this long for anything here, unless it is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// A config-svc on a port.
struct Listening {
    url: String,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<anyhow::Result<()>>,
}

impl Listening {
    async fn start(platform: &Platform) -> Self {
        // A drain of its own: it is stopped without the others.
        let (drain, tasks) = Default::default();
        let platform = Platform { drain, tasks, ..platform.clone() };
        let settings = config_svc::Settings { follow_ms: 20, ..Default::default() };
        let host = Host::new(platform, Default::default()).with::<Config>(settings).await.unwrap();
        let listener = host::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(host.serve(listener, async {
            let _ = stopped.await;
        }));
        Self { url, stop, serving }
    }

    async fn stop(self) {
        drop(self.stop);
        self.serving.await.unwrap().unwrap();
    }
}

/// A catalog in another process, which follows these servers.
async fn elsewhere(servers: &[&str], key: &str, store: &Platform) -> Catalog {
    let settings = Settings { servers: servers.join(","), key: key.to_owned() };
    let remote = Remote::new(&settings, 0).unwrap();
    let catalog = Catalog::load(&*store.store).await.unwrap();
    tokio::spawn(catalog::remote::follow(Some(remote), catalog.clone(), store.store.clone()));
    catalog
}

async fn reaches(catalog: &Catalog, version: u64) {
    let mut changed = catalog.changed();
    let reached = tokio::time::timeout(PATIENCE, changed.wait_for(|known| *known >= version)).await;
    assert!(reached.is_ok(), "version {} instead of {version}", catalog.snapshot().version());
}

/// A store that never hears of anything: what is known in spite of it came over the network.
async fn deaf() -> (TempDir, Platform) {
    let dir = tempfile::tempdir().unwrap();
    let platform = platform(&dir, 9).await;
    (dir, platform)
}

#[tokio::test]
async fn what_config_svc_is_told_holds_elsewhere_and_goes_on_to_hold_without_it() {
    let dir = tempfile::tempdir().unwrap();
    let it = Running::first(&dir).await;
    let first = Listening::start(&it.platform).await;
    let (_dir, deaf) = deaf().await;
    let made = it.merchant("one").await; // version 2

    let catalog = elsewhere(&[&first.url], &it.admin, &deaf).await;
    reaches(&catalog, 2).await;
    assert!(catalog.snapshot().items().eq(it.platform.catalog.snapshot().items()));
    it.revoke(&id_of(&made.write_key)).await.unwrap(); // version 3
    reaches(&catalog, 3).await;
    assert!(catalog.snapshot().authenticate(&made.write_key).is_err());

    first.stop().await;
    assert!(catalog.snapshot().authenticate(&made.read_key).is_ok());
    assert_eq!(catalog.snapshot().version(), 3);
}

#[tokio::test]
async fn when_one_config_svc_goes_the_next_is_watched() {
    let dir = tempfile::tempdir().unwrap();
    let it = Running::first(&dir).await;
    let other = it.beside().await;
    let (one, two) = (Listening::start(&it.platform).await, Listening::start(&other.platform).await);
    let (_dir, deaf) = deaf().await;
    let catalog = elsewhere(&[&one.url, &two.url], &it.admin, &deaf).await;
    reaches(&catalog, 1).await;

    one.stop().await;
    other.merchant("from the other").await;
    reaches(&catalog, 2).await;
    // One more, which the watched one hears of only by the store.
    let third = it.beside().await;
    third.merchant("from a third").await;
    reaches(&catalog, 3).await;
    two.stop().await;
    assert_eq!(catalog.snapshot().merchants().count(), 2);
}

#[tokio::test]
async fn without_any_config_svc_the_store_is_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let it = Running::first(&dir).await;
    let made = it.merchant("before").await;
    // Nobody listens on port 1.
    let catalog = elsewhere(&["http://127.0.0.1:1"], &it.admin, &it.platform).await;
    assert!(catalog.snapshot().authenticate(&made.write_key).is_ok(), "at once");
    it.merchant("after").await;
    reaches(&catalog, 3).await;

    let late = Listening::start(&it.platform).await;
    let catalog = elsewhere(&["http://127.0.0.1:1", &late.url], &it.admin, &deaf().await.1).await;
    reaches(&catalog, 3).await;
    late.stop().await;
}

#[tokio::test]
async fn a_key_that_may_not_watch_leaves_the_store_to_look_at() {
    let dir = tempfile::tempdir().unwrap();
    let it = Running::first(&dir).await;
    let config = Listening::start(&it.platform).await;
    let catalog = elsewhere(&[&config.url], "not-an-admin-key", &it.platform).await;
    it.merchant("one").await;
    reaches(&catalog, 2).await;
    config.stop().await;
}

#[tokio::test]
async fn of_many_first_starts_at_once_one_makes_the_admin_key() {
    let dir = tempfile::tempdir().unwrap();
    let first = platform(&dir, 1).await;
    let starts = (0..8).map(|seed| {
        let clock = clock::Clock::manual(NOW, 100 + seed);
        let first = first.clone();
        async move {
            let catalog = Catalog::load(&*first.store).await.unwrap();
            boot(&Platform { catalog, clock, ..first }, None).await
        }
    });
    let made: Vec<String> = join_all(starts).await.into_iter().flatten().collect();
    assert_eq!(made.len(), 1);
    let stored = Catalog::load(&*first.store).await.unwrap().snapshot();
    assert_eq!((stored.version(), stored.keys().count()), (1, 1));
    assert!(stored.authenticate(&made[0]).is_ok());
}

#[tokio::test]
async fn what_one_config_svc_answered_holds_at_the_other_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let one = Running::first(&dir).await;
    let two = one.beside().await;
    two.platform.catalog.share(two.platform.store.clone());
    let admin = proto::v1::CreateKeyRequest { role: proto::v1::KeyRole::Admin.into(), ..Default::default() };
    let key = one.rpc.create_key(one.ask(admin)).await.unwrap().into_inner().secret;
    let made = two.rpc.create_merchant(with_key(named("by the new key"), &key)).await;
    assert!(made.is_ok());
    one.revoke(&id_of(&key)).await.unwrap();
    let list = proto::v1::ListMerchantsRequest::default();
    let listed = two.rpc.list_merchants(with_key(list, &key)).await;
    assert_eq!(code(listed), tonic::Code::Unauthenticated);
}
