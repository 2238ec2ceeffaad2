use std::time::Duration;

use bytes::Bytes;
use keyspace::checkpoint::{self, Checkpoint};
use keyspace::folded;
use keyspace::progress::{self, Progress};
use model::{Generation, Kind, MerchantId, Partition, Position};
use rollup_svc::Settings;
use rollup_svc::rewind::{begin, places, sweep};
use rollup_svc::worker::Worker;
use store::{Batch, Store};

use crate::cluster::Cluster;
use crate::load::{Appended, Load, MERCHANTS, record};
use crate::taps::dump;

const SECOND: Generation = Generation(2);

/// Deletes everything of older generations.
async fn sweep_all(cluster: &Cluster) {
    let partitions = cluster.platform.log.partitions();
    for merchant in (1..=MERCHANTS).map(MerchantId) {
        let all = (0..partitions).map(Partition);
        sweep(&*cluster.platform.store, merchant, all, SECOND).await.unwrap();
    }
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

    // The workers go on all the while: nothing has to be tried again.
    let at = places(store, &*cluster.platform.log).await.unwrap();
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(begin(store, &at).await.unwrap(), SECOND);
    sweep_all(&cluster).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let appended = load.stop().await;
    folded_again(&cluster, &appended).await;

    // A worker may have been in the middle of a commit of the first: nobody reads that, and the next sweep takes it.
    sweep_all(&cluster).await;
    for merchant in (1..=MERCHANTS).map(MerchantId) {
        for range in folded::before(merchant, (0..4).map(Partition), SECOND) {
            let left = store.snapshot().await.unwrap().scan(&range.start, &range.end, 1).await.unwrap();
            assert_eq!(left, [], "the first generation is gone");
        }
    }
    let straight = cluster.folded_alone().await;
    for family in [0x10, 0x14] {
        let same =
            of_any_generation(store, family).await == of_any_generation(&*straight.store, family).await;
        assert!(same, "family {family:#x} differs");
    }
}

/// It folded hits before it heard of the rewind: what it would write must not stand over what the rewind says.
#[tokio::test]
async fn a_worker_of_the_generation_before_writes_nothing_more() {
    let cluster = Cluster::new(1).await;
    let (store, log) = (&*cluster.platform.store, &*cluster.platform.log);
    let mut worker =
        Worker::begin(cluster.platform.clone(), Settings::default(), Partition(0)).await.unwrap();
    log.append(Partition(0), record(MerchantId(1), &[("client", 1, 3)])).await.unwrap();
    worker.turn().await.unwrap();
    let at = places(store, log).await.unwrap();
    assert_eq!(begin(store, &at).await.unwrap(), SECOND);

    assert_eq!(worker.flush(0).await.unwrap_err().kind(), Kind::Conflict);
    assert_eq!(dump(store, 0x10).await, [], "no cell");
    let checkpoint = store.get(&checkpoint::key(Partition(0))).await.unwrap().unwrap();
    assert_eq!(Checkpoint::decode(&checkpoint).unwrap().generation, SECOND);
}

#[tokio::test]
async fn of_two_rewinds_at_once_one_gives_way() {
    let cluster = Cluster::new(2).await;
    let (store, log) = (&*cluster.platform.store, &*cluster.platform.log);
    let at = places(store, log).await.unwrap();
    assert_eq!(at.iter().map(|place| place.checkpoint).collect::<Vec<_>>(), [None, None]);
    let (one, two) = tokio::join!(begin(store, &at), begin(store, &at));
    let begun: Vec<_> = [one, two].into_iter().filter_map(Result::ok).collect();
    assert!(begun == [SECOND] || begun == [SECOND, Generation(3)], "{begun:?}");

    let at = places(store, log).await.unwrap();
    let last = begun[begun.len() - 1];
    for place in &at {
        let checkpoint = place.checkpoint.unwrap();
        assert_eq!((checkpoint.read_from, checkpoint.generation), (place.first, last));
    }
    assert_eq!(begin(store, &at).await.unwrap(), Generation(last.0 + 1), "and again");
}

#[tokio::test]
async fn a_log_that_was_made_anew_is_not_taken_for_one_that_is_folded() {
    let cluster = Cluster::new(1).await;
    let mut of_another_log = Batch::default();
    let read_from = Position { ledger: 500, entry: 12 };
    let checkpoint = Checkpoint { read_from, ..Checkpoint::default() };
    of_another_log.put(keyspace::checkpoint::key(Partition(0)), checkpoint.encode());
    cluster.platform.store.commit(of_another_log).await.unwrap();
    let begun = Worker::begin(cluster.platform.clone(), Settings::default(), Partition(0)).await;
    let refused = begun.err().unwrap().to_string();
    assert!(refused.contains("is folded up to 500:12, but its log ends at 0"), "{refused}");
}
