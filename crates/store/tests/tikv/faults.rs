//! One store that breaks in every way, under load.

use std::time::Duration;

use store::Error;
use test_servers::{Server, Tikv, available};
use tokio::time::sleep;

use crate::books::{Answer, under_load};
use crate::cluster::{open, open_hasty, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_are_whole_whatever_breaks() {
    if !available(&[Server::Tikv]) {
        return;
    }
    let mut cluster = Tikv::start_linked(1).await.unwrap();
    a_store_is_killed(&mut cluster).await;
    the_placement_driver_is_killed(&mut cluster).await;
    a_region_is_split(&mut cluster).await;
    the_connection_is_cut(&mut cluster).await;
    answers_are_lost(&mut cluster).await;
    a_long_outage_is_said(&mut cluster).await;
}

async fn a_store_is_killed(cluster: &mut Tikv) {
    let store = open(cluster, "store-killed").await;
    let books = under_load(&store, async {
        for _ in 0..3 {
            cluster.kill_store(0).await.unwrap();
            cluster.start_store(0).await.unwrap();
            sleep(Duration::from_millis(300)).await;
        }
    })
    .await;
    books.audit(&*store).await;
}

async fn the_placement_driver_is_killed(cluster: &mut Tikv) {
    let store = open(cluster, "pd-killed").await;
    let books = under_load(&store, async {
        cluster.kill_pd().await.unwrap();
        sleep(Duration::from_millis(200)).await;
        cluster.start_pd().await.unwrap();
    })
    .await;
    books.audit(&*store).await;
}

async fn a_region_is_split(cluster: &mut Tikv) {
    let store = open(cluster, "split").await;
    let books = under_load(&store, async {
        for key in ["split/attempt/1/", "split/attempt/2/", "split/counter/2"] {
            let before = cluster.pd().region_count().await.unwrap();
            cluster.pd().split_at(key.as_bytes()).await.unwrap();
            until("the region is split", async || cluster.pd().region_count().await.unwrap() > before).await;
        }
    })
    .await;
    assert_eq!(
        books.count(Answer::Unavailable) + books.count(Answer::Unknown),
        0,
        "clients do not notice a split"
    );
    books.audit(&*store).await;
}

async fn the_connection_is_cut(cluster: &mut Tikv) {
    let store = open(cluster, "cut").await;
    let link = cluster.link(0).unwrap();
    let books = under_load(&store, async {
        for _ in 0..3 {
            link.cut();
            sleep(Duration::from_millis(300)).await;
            link.heal();
            sleep(Duration::from_millis(300)).await;
        }
    })
    .await;
    books.audit(&*store).await;
}

/// The store obeys late, after clients gave up: answers are lost in every phase of a commit.
async fn answers_are_lost(cluster: &mut Tikv) {
    let store = open_hasty(cluster, "lost").await;
    let books = under_load(&store, async {
        for _ in 0..4 {
            cluster.pause_store(0).unwrap();
            sleep(Duration::from_millis(1_500)).await;
            cluster.resume_store(0).unwrap();
            sleep(Duration::from_millis(500)).await;
        }
    })
    .await;
    assert!(books.count(Answer::Unknown) > 0, "no answer was lost");
    // What clients gave up may still arrive.
    sleep(Duration::from_secs(1)).await;
    books.audit(&*store).await;
}

async fn a_long_outage_is_said(cluster: &mut Tikv) {
    let store = open_hasty(cluster, "outage").await;
    let snapshot = store.snapshot().await.unwrap();
    cluster.kill_store(0).await.unwrap();
    let read = snapshot.get(b"key").await.unwrap_err();
    assert!(matches!(read, Error::Unavailable { doing: "read a key", .. }), "was {read:?}");
    let scan = snapshot.scan(b"a", b"b", 10).await.unwrap_err();
    assert!(matches!(scan, Error::Unavailable { doing: "scan", .. }), "was {scan:?}");
    cluster.start_store(0).await.unwrap();
    until("reads succeed again", async || snapshot.get(b"key").await.is_ok()).await;
}
