use std::sync::Arc;

use host::Platform;
use model::{MerchantId, Partition};
use rollup_svc::Settings;
use rollup_svc::worker::{Order, Reins, Worker};
use tokio::sync::{Notify, watch};

use crate::cluster::Cluster;
use crate::load::{Appended, records};
use crate::taps::{Gate, GatedStore, dump};

/// First byte of the keys of visitor state.
const VISITORS: u8 = 0x13;

/// The first merchant's hits lie around those of the second, whose visitor state cannot be read: the record is folded in
/// part.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_folded_in_part_is_never_committed() {
    let (one, two) = (MerchantId(1), MerchantId(2));
    for last in [Order::HandOver, Order::Finish] {
        let cluster = Cluster::new(1).await;
        let log = &cluster.platform.log;
        log.append(Partition(0), records(&[(two, ("b", 1, 1))])).await.unwrap();
        let mut before =
            Worker::begin(cluster.platform.clone(), Settings::default(), Partition(0)).await.unwrap();
        before.turn().await.unwrap();
        before.flush(0).await.unwrap();
        let cells = dump(&*cluster.platform.store, 0x10).await;

        let record = records(&[(one, ("a", 1, 2)), (two, ("b", 2, 1)), (one, ("a", 3, 2))]);
        log.append(Partition(0), record).await.unwrap();
        let store = GatedStore::new(cluster.platform.store.clone());
        store.gate.send_replace(Gate::WithoutFamily(VISITORS));
        let platform = Platform { store: store.clone(), ..cluster.platform.clone() };

        let (orders, told) = watch::channel(Order::Work);
        let (wake, look) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let reins = Reins::new(told, Arc::default(), wake, look);
        let worker = Worker::new(platform, Settings::default(), Partition(0), Arc::default());
        let running = tokio::spawn(worker.run(reins));
        // It has failed at least once when it is told to end.
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        orders.send_replace(last);
        running.await.unwrap();
        assert!(dump(&*cluster.platform.store, 0x10).await == cells, "upon {last:?}");

        // The next one folds it as if nothing had been.
        let mut next =
            Worker::begin(cluster.platform.clone(), Settings::default(), Partition(0)).await.unwrap();
        next.turn().await.unwrap();
        next.flush(0).await.unwrap();
        cluster.assert_exact(&Appended { distinct: 6, ..Appended::default() }).await;
    }
}

/// The others, and itself, see it as one of the living: it must not take again what it has given back.
#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_takes_nothing_even_if_it_cannot_say_that_it_leaves() {
    let cluster = Cluster::new(2).await;
    let mut process = cluster.join(&Settings::default()).await;
    cluster.shared_as(&[(&process, 2)]).await;
    let epochs = async || {
        let view = cluster.view().await;
        view.leases.values().map(|lease| lease.epoch).collect::<Vec<_>>()
    };
    let before = epochs().await;
    process.store.gate.send_replace(Gate::WithoutBeats);
    process.drain().await;
    // Whoever takes a partition raises its epoch.
    assert_eq!(epochs().await, before);
    assert!(cluster.view().await.leases.values().all(|lease| lease.owner.is_none()));
}
