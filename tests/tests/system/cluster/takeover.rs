//! A rollup process dies: how long until the hits of its partitions are in the answers again.

use std::time::{Duration, Instant};

use super::engines::PARTITIONS;
use super::load::Load;
use super::whole::{Cluster, Victim};
use crate::system::complete;

/// A promise of five seconds, and as much again for a machine on which everything happens at once.
const LIMIT: Duration = Duration::from_secs(10);
/// So many that each partition has some.
const CLIENTS: usize = 25;

/// Kills one after the other.
pub(super) async fn scenario(cluster: &mut Cluster) {
    let merchant = cluster.site.merchant_over(PARTITIONS);
    let load = Load::start(&cluster.site, &merchant, CLIENTS);
    complete::caught_up(&cluster.site, merchant.id).await;
    for victim in [Victim::Rollup(0), Victim::Rollup(1)] {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (killed, acked) = (Instant::now(), load.acked());
        cluster.kill(victim).await;
        complete::caught_up(&cluster.site, merchant.id).await;
        let took = killed.elapsed();
        println!("take-over: {victim:?} killed; all hits are in the answers again after {took:.2?}");
        assert!(took < LIMIT, "take-over took {took:.1?}");
        let counted = complete::hits_by(&cluster.site, merchant.id, "campaign").await;
        for (client, acked) in acked {
            assert!(counted.get(&client) >= Some(&acked), "{client}: {acked} acknowledged, {counted:?}");
        }
        cluster.start_again(victim).await;
    }
    // One that only seemed dead does no harm when it goes on.
    cluster.rollup[0].pause();
    let paused = Instant::now();
    tokio::time::sleep(Duration::from_secs(1)).await;
    complete::caught_up(&cluster.site, merchant.id).await;
    println!("take-over: rollup-1 paused; all hits are in the answers again after {:.2?}", paused.elapsed());
    cluster.rollup[0].resume();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let fired = load.finish().await;
    assert_eq!(complete::hits_by(&cluster.site, merchant.id, "campaign").await, fired.by_client());
    println!("take-over: {} hits of {CLIENTS} clients, each counted once", fired.hits());
}
