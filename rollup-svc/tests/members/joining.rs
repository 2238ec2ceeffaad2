use rollup_svc::Settings;

use crate::cluster::{Cluster, partitions_of};
use crate::load::Load;

#[tokio::test(flavor = "multi_thread")]
async fn members_come_and_go_under_load_and_no_record_is_read_twice() {
    let cluster = Cluster::new(8).await;
    let load = Load::start(cluster.platform.log.clone());
    let mut first = cluster.join(&Settings::default()).await;
    cluster.shared_as(&[(&first, 8)]).await;
    first.ready().await;
    let mut second = cluster.join(&Settings::default()).await;
    cluster.shared_as(&[(&first, 4), (&second, 4)]).await;
    second.ready().await;
    let third = cluster.join(&Settings::default()).await;
    first.drain().await;
    let drained = cluster.view().await;
    assert!(!drained.members.contains_key(&first.id), "it is gone when it says so");
    let moved = cluster.shared_as(&[(&second, 4), (&third, 4)]).await;
    println!("all partitions of a drained process were taken over after {moved:?}");

    let appended = load.stop().await;
    cluster.folded(&appended).await;
    cluster.assert_exact(&appended).await;
    // Whoever hands over leaves nothing to be read again.
    let read = [first.read(), second.read(), third.read()];
    let records: usize = read.iter().map(|read| read.len()).sum();
    assert_eq!(read.iter().flatten().collect::<std::collections::BTreeSet<_>>().len(), records);
    assert!(read.iter().all(|read| !read.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_without_a_partition_is_ready_too() {
    let cluster = Cluster::new(2).await;
    let mut members = Vec::new();
    for _ in 0..3 {
        let mut member = cluster.join(&Settings::default()).await;
        member.ready().await;
        members.push(member);
    }
    let settled = cluster.until("two have one each", |view| {
        let mut shares: Vec<_> = members.iter().map(|member| partitions_of(view, member.id).len()).collect();
        shares.sort_unstable();
        shares == [0, 1, 1]
    });
    settled.await;
}
