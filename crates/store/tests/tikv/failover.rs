//! Three stores: leaders move, by order and since one of them dies.

use std::time::Duration;

use test_servers::{Server, Tikv, available};
use tokio::time::sleep;

use crate::books::under_load;
use crate::cluster::{open, until};

const KEY: &[u8] = b"moved/counter/0";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaders_move_under_load() {
    if !available(&[Server::Tikv]) {
        return;
    }
    let mut cluster = Tikv::start(3).await.unwrap();
    let pd = cluster.pd().clone();
    until("three stores keep the region", async || {
        pd.region_of(KEY).await.is_ok_and(|region| region.stores.len() == 3 && region.leader.is_some())
    })
    .await;
    let store = open(&cluster, "moved").await;
    let books = under_load(&store, async {
        for _ in 0..3 {
            let region = pd.region_of(KEY).await.unwrap();
            let next = region.stores.iter().copied().find(|&store| Some(store) != region.leader).unwrap();
            pd.move_leader(KEY, next).await.unwrap();
            until("the leader has moved", async || pd.region_of(KEY).await.unwrap().leader == Some(next))
                .await;
        }
    })
    .await;
    books.audit(&*store).await;

    let store = open(&cluster, "failed-over").await;
    let books = under_load(&store, async {
        let leader = pd.region_of(KEY).await.unwrap().leader.unwrap();
        let mut killed = None;
        for number in 0..cluster.store_count() {
            if pd.store_id(cluster.store_address(number).unwrap()).await.unwrap() == leader {
                killed = Some(number);
            }
        }
        let killed = killed.unwrap();
        cluster.kill_store(killed).await.unwrap();
        until("another store leads", async || pd.region_of(KEY).await.unwrap().leader != Some(leader)).await;
        sleep(Duration::from_millis(500)).await;
        cluster.start_store(killed).await.unwrap();
    })
    .await;
    books.audit(&*store).await;
}
