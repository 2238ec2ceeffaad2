//! HAProxy before ingest and query: replicas die and drain under load, and their clients hardly notice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use proto::v1::{Granularity, QueryRequest};
use tokio::task::JoinHandle;

use super::engines::PARTITIONS;
use super::load::{Fired, Load};
use super::whole::{Cluster, Victim};
use crate::system::complete;
use crate::system::site::{Merchant, Site};
use crate::system::watcher::Watcher;

/// No subscriber may hear nothing for longer while hits come.
const SILENCE: Duration = Duration::from_secs(3);
/// Between two events, so that each is seen on its own.
const CALM: Duration = Duration::from_secs(3);

/// Replicas are killed, then others drained.
pub(super) async fn scenario(cluster: &mut Cluster) {
    let merchant = cluster.site.merchant_over(PARTITIONS);
    watched(cluster, &merchant, "killed", async |cluster| {
        for victim in [Victim::Ingest(0), Victim::Query(0), Victim::Query(1)] {
            cluster.kill(victim).await;
            tokio::time::sleep(CALM).await;
            cluster.start_again(victim).await;
            tokio::time::sleep(CALM).await;
        }
    })
    .await;

    let merchant = cluster.site.merchant_over(PARTITIONS);
    let asking = Asking::start(&cluster.site, &merchant);
    watched(cluster, &merchant, "drained", async |cluster| {
        for number in 0..2 {
            let began = Instant::now();
            cluster.query[number].stop().await;
            println!("HAProxy: query-{} drained in {:.2?}", number + 1, began.elapsed());
            cluster.query[number].start().await;
            // Until HAProxy has seen that it is back.
            tokio::time::sleep(CALM).await;
        }
        let began = Instant::now();
        cluster.ingest[1].stop().await;
        println!("HAProxy: ingest-2 drained in {:.2?}", began.elapsed());
        cluster.ingest[1].start().await;
        tokio::time::sleep(CALM).await;
    })
    .await;
    let (asked, slowest, failed) = asking.finish().await;
    println!(
        "HAProxy: {asked} questions while query drained, {} failed, the slowest took {slowest:.2?}",
        failed.len()
    );
    assert!(asked > 100 && failed.is_empty(), "of {asked}: {failed:?}");
}

/// Lets things happen while clients fire and subscribers watch. No hit may be lost, no subscriber be left alone.
async fn watched(
    cluster: &mut Cluster,
    merchant: &Merchant,
    what: &str,
    happen: impl AsyncFnOnce(&mut Cluster),
) {
    let load = Load::start(&cluster.site, merchant, 10);
    complete::caught_up(&cluster.site, merchant.id).await;
    let watchers: Vec<_> = (0..4).map(|_| Watcher::start(&cluster.site, merchant.id)).collect();
    happen(cluster).await;
    let fired: Fired = load.finish().await;
    assert_eq!(complete::hits_by(&cluster.site, merchant.id, "campaign").await, fired.by_client());
    println!("HAProxy: {} hits while replicas were {what}, each counted once", fired.hits());
    for watcher in watchers {
        let watched = watcher.finish().await;
        println!(
            "HAProxy: replicas were {what}: a subscriber had {} messages, {} cuts, {:.2?} of silence",
            watched.messages,
            watched.cuts.len(),
            watched.silence
        );
        assert!(watched.silence < SILENCE, "{watched:?}");
    }
}

/// Asks again and again, over a connection that stays and over new ones.
struct Asking {
    goes_on: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Asked>>,
}

/// How many questions, how long the slowest took, and why some failed.
type Asked = (u64, Duration, Vec<String>);

impl Asking {
    fn start(site: &Site, merchant: &Merchant) -> Self {
        let goes_on = Arc::new(AtomicBool::new(true));
        let task = |stays| tokio::spawn(ask(site.clone(), merchant.id, stays, Arc::clone(&goes_on)));
        let tasks = [true, true, false].map(task).into();
        Self { goes_on, tasks }
    }

    async fn finish(self) -> Asked {
        self.goes_on.store(false, Ordering::Relaxed);
        let mut all = Asked::default();
        for task in self.tasks {
            let (asked, slowest, failed) = task.await.unwrap();
            all = (all.0 + asked, all.1.max(slowest), [all.2, failed].concat());
        }
        all
    }
}

async fn ask(site: Site, merchant_id: u64, stays: bool, goes_on: Arc<AtomicBool>) -> Asked {
    let query = QueryRequest {
        merchant_id,
        metrics: vec!["hits".to_owned(), "visitors".to_owned()],
        granularity: Granularity::Hour.into(),
        ..QueryRequest::default()
    };
    let mut asked = Asked::default();
    let mut asker = site.query().await;
    while goes_on.load(Ordering::Relaxed) {
        if !stays {
            asker = site.query().await;
        }
        let began = Instant::now();
        if let Err(status) = asker.query(query.clone()).await {
            asked.2.push(format!("{:?}: {}", status.code(), status.message()));
        }
        (asked.0, asked.1) = (asked.0 + 1, asked.1.max(began.elapsed()));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    asked
}
