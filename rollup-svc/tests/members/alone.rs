use host::Platform;
use keyspace::lease::{Lease, Member as Record, MemberId, lease_key, member_key};
use model::Partition;
use rollup_svc::Settings;
use rollup_svc::ownership::Member;
use store::Batch;

use crate::cluster::Cluster;
use crate::load::Load;

#[tokio::test(flavor = "multi_thread")]
async fn alone_on_a_machine_it_waits_for_nobody_and_folds_to_the_end() {
    let cluster = Cluster::new(4).await;
    let platform = Platform { shared: false, ..cluster.platform.clone() };
    // What a process left that was killed.
    let killed = MemberId(99);
    let mut left = Batch::default();
    left.put(member_key(killed), Record { beat: 5, leaving: false }.encode());
    for partition in (0..4).map(Partition) {
        left.put(lease_key(partition), Lease { epoch: 7, owner: Some(killed) }.encode());
    }
    platform.store.commit(left).await.unwrap();

    // Were it to wait for a sign of life, the test would be cut off.
    let patient = Settings { lease_death_ms: 3_600_000, ..Settings::default() };
    let (member, ready) = Member::new(platform.clone(), patient).unwrap();
    let running = tokio::spawn(member.run());
    tokio::time::timeout(std::time::Duration::from_secs(20), ready).await.expect("not ready").unwrap();
    let view = cluster.view().await;
    assert!(view.leases.values().all(|lease| lease.epoch == 8 && lease.owner != Some(killed)), "{view:?}");

    cluster.until("nothing is left of the killed one", |view| !view.members.contains_key(&killed)).await;

    let appended = Load::start(platform.log.clone()).stop().await;
    platform.drain.cancel();
    running.await.unwrap();
    // At the end of the drain, not some time later.
    cluster.assert_exact(&appended).await;
    let view = cluster.view().await;
    assert!(view.members.is_empty() && view.leases.values().all(|lease| lease.owner.is_none()), "{view:?}");
}
