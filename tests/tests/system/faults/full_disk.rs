//! A disk that is full: nothing acknowledged is lost, clients wait, readers are answered, and with space all goes on.

use std::time::{Duration, Instant};

use proto::v1::{Granularity, QueryRequest, SubscribeRequest};

use super::disk::Disk;
use super::hits::Plan;
use super::trial::Trial;
use super::unable;
use super::watch::Watch;
use crate::system::server::up;
use crate::system::site::Site;

const DISK_BYTES: u64 = 320 << 20;
/// What is left for the server when the filler is on the disk: some seconds of load.
const LEFT_BYTES: u64 = 24 << 20;
const CLIENTS: u64 = 4;
/// Bytes of a hit, about: few hits fill the disk, so that little is to be checked.
const PADDING: usize = 6_000;
/// Until the server has noticed something. It looks every few seconds.
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_holds_clients_back_and_space_lets_them_go_on() {
    let Some((disk, mut trial)) = start("full-disk").await else { return };
    let watch = Watch::start(&trial.site, trial.merchant_ids(), trial.ledgers.clone());
    for _ in 0..2 {
        fill(&mut trial, &disk).await;
        stays_full(&mut trial, &disk).await;
        disk.make_space();
        goes_on(&mut trial, "space was made").await;
    }
    ends(trial, watch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ended_on_a_full_disk_loses_nothing_and_starts_when_there_is_space() {
    let Some((disk, mut trial)) = start("no-space").await else { return };
    let watch = Watch::start(&trial.site, trial.merchant_ids(), trial.ledgers.clone());
    for _ in 0..3 {
        fill(&mut trial, &disk).await;
        // It may have ended by itself: what it does then is written down, and no worse than a kill.
        trial.server.kill();
        // Started where there is no space it may run or end, but must not harm what is there.
        trial.server.launch();
        tokio::time::sleep(Duration::from_secs(3)).await;
        trial.server.kill();
        disk.make_space();
        trial.server.launch();
        goes_on(&mut trial, "it was started on a disk with space").await;
    }
    ends(trial, watch).await;
}

/// A server on a small disk under load, or nothing where no disk can be had.
async fn start(name: &str) -> Option<(Disk, Trial)> {
    let plan = Plan { padding: PADDING, ..Plan::new() };
    let mut disk = None;
    let trial = Trial::start_as(name, plan, 2, |listen, home| {
        let command = up(listen, &home.join("disk/data"));
        match disk.insert(Disk::new(home, DISK_BYTES)) {
            Ok(disk) => disk.seen_by(&command),
            Err(_) => command,
        }
    });
    let mut trial = trial.await;
    let disk = disk?.map_err(|why| unable(&why)).ok()?;
    (0..CLIENTS).for_each(|_| trial.add_client());
    trial.wait_for_acks().await;
    Some((disk, trial))
}

/// Returns when the disk is full and the server has noticed.
async fn fill(trial: &mut Trial, disk: &Disk) {
    disk.leave(LEFT_BYTES);
    let began = Instant::now();
    while trial.server.is_ready() {
        assert!(began.elapsed() < PATIENCE, "it is ready with {} bytes left", disk.free());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("full disk: not ready {:.1?} after the filler, {} bytes left", began.elapsed(), disk.free());
}

/// The server runs and answers readers, and clients keep what they fire.
async fn stays_full(trial: &mut Trial, disk: &Disk) {
    let waiting = |trial: &Trial| trial.sent().iter().sum::<u64>() - trial.acked().iter().sum::<u64>();
    let before = waiting(trial);
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(trial.server.runs(), "it ended with {} bytes left", disk.free());
        is_answered(&trial.site, trial.merchants[0].id).await;
    }
    assert!(waiting(trial) > before, "clients keep what they fire");
}

async fn goes_on(trial: &mut Trial, since: &str) {
    let began = Instant::now();
    trial.server.wait_until_ready().await;
    println!("full disk: ready {:.1?} after {since}", began.elapsed());
    trial.wait_for_acks().await;
}

async fn ends(mut trial: Trial, watch: Watch) {
    trial.drain().await;
    let found = trial.check().await;
    println!("full disk: {found:?}, {} answers on the way", watch.finish().await);
}

/// A query and a new subscription.
async fn is_answered(site: &Site, merchant_id: u64) {
    let query = QueryRequest {
        merchant_id,
        metrics: vec!["hits".to_owned()],
        by: vec!["page".to_owned()],
        granularity: Granularity::Total.into(),
        last: Some(prost_types::Duration { seconds: 6 * 3_600, nanos: 0 }),
        ..QueryRequest::default()
    };
    let mut asker = site.query().await;
    let rows = asker.query(query.clone()).await.unwrap().into_inner().rows;
    let subscribe = SubscribeRequest { query: Some(query), ..SubscribeRequest::default() };
    let mut messages = asker.subscribe(subscribe).await.unwrap().into_inner();
    let first = messages.message().await.unwrap().unwrap();
    assert!(first.snapshot && !rows.is_empty() && first.rows.len() >= rows.len(), "{first:?}");
}
