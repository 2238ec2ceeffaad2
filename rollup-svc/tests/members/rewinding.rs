use std::time::Duration;

use bytes::Bytes;
use keyspace::folded::{self, generation_of};
use keyspace::progress::{self, Progress};
use model::{Generation, Kind, Partition, Position};
use rollup_svc::Settings;
use rollup_svc::rewind::{begin, places, sweep};
use store::{Batch, Store};

use crate::cluster::Cluster;
use crate::load::{Appended, Load};
use crate::taps::dump;

const SECOND: Generation = Generation(2);

/// Sends everything back, as often as a worker comes in between.
async fn rewind(cluster: &Cluster) -> Generation {
    let (store, log) = (&*cluster.platform.store, &*cluster.platform.log);
    for _ in 0..100 {
        let at = places(store, log).await.unwrap();
        match begin(store, &at).await {
            Err(error) if error.kind() == Kind::Conflict => {}
            begun => return begun.unwrap(),
        }
    }
    unreachable!("a worker always comes in between");
}

/// Waits until the second generation holds all that was appended.
async fn folded_again(cluster: &Cluster, appended: &Appended) {
    for ((merchant, partition), last) in &appended.last {
        let key = progress::key(*merchant, SECOND, *partition);
        let through = || async {
            let found = cluster.platform.store.get(&key).await.unwrap()?;
            Some(Progress::decode(&found).unwrap().applied_through)
        };
        for _ in 0..1_000 {
            if through().await >= Some(*last) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(through().await >= Some(*last), "{merchant} of {partition} is at {:?}", through().await);
    }
}

/// A family without the generation in its keys.
async fn of_any_generation(store: &dyn Store, family: u8) -> Vec<(Bytes, Bytes)> {
    let bare = |key: &Bytes| Bytes::from([&key[..9], &key[13..]].concat());
    dump(store, family).await.iter().map(|(key, value)| (bare(key), value.clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_folded_again_under_load_is_what_was_folded_before() {
    let cluster = Cluster::new(4).await;
    let settings = Settings::default();
    let (one, two) = (cluster.join(&settings).await, cluster.join(&settings).await);
    cluster.shared_as(&[(&one, 2), (&two, 2)]).await;
    let load = Load::start(cluster.platform.log.clone());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let store = &*cluster.platform.store;
    assert!(!dump(store, 0x10).await.is_empty(), "there is something to be folded again");

    assert_eq!(rewind(&cluster).await, SECOND);
    sweep(store, SECOND, |_| {}).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let appended = load.stop().await;
    folded_again(&cluster, &appended).await;

    // A worker may have been in the middle of a commit of the first: nobody reads that, and the next sweep takes it.
    sweep(store, SECOND, |_| {}).await.unwrap();
    let range = folded::range();
    let left = store.snapshot().await.unwrap().scan(&range.start, &range.end, usize::MAX).await.unwrap();
    assert!(left.iter().all(|(key, _)| generation_of(key) == Some(SECOND)), "the first generation is gone");
    let straight = cluster.folded_alone().await;
    for family in [0x10, 0x14] {
        let same =
            of_any_generation(store, family).await == of_any_generation(&*straight.store, family).await;
        assert!(same, "family {family:#x} differs");
    }
}

#[tokio::test]
async fn a_rewind_that_a_worker_came_before_changes_nothing() {
    let cluster = Cluster::new(2).await;
    let (store, log) = (&*cluster.platform.store, &*cluster.platform.log);
    let at = places(store, log).await.unwrap();
    assert_eq!(at.iter().map(|place| place.checkpoint).collect::<Vec<_>>(), [None, None]);
    let mut of_a_worker = Batch::default();
    let checkpoint = keyspace::checkpoint::Checkpoint {
        read_from: Position { ledger: 0, entry: 7 },
        ..Default::default()
    };
    of_a_worker.put(keyspace::checkpoint::key(Partition(1)), checkpoint.encode());
    store.commit(of_a_worker).await.unwrap();

    assert_eq!(begin(store, &at).await.unwrap_err().kind(), Kind::Conflict);
    let at = places(store, log).await.unwrap();
    assert_eq!(at[0].checkpoint, None, "neither partition was sent back alone");
    assert_eq!(at[1].checkpoint, Some(checkpoint));
    assert_eq!(begin(store, &at).await.unwrap(), SECOND);
    let at = places(store, log).await.unwrap();
    assert!(at.iter().all(|place| place.checkpoint.unwrap().read_from == place.first));
    assert_eq!(begin(store, &at).await.unwrap(), Generation(3), "and again");
}
