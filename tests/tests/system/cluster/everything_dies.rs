//! A real access log and generated load go through the whole cluster while every process of it is killed in turn, and in
//! the end every number and every cell is what one process on its own makes of the same hits.

use std::path::Path;
use std::time::{Duration, Instant};

use model::Generation;
use serde_json::json;

use super::engines::PARTITIONS;
use super::importer::Importer;
use super::load::{Fired, Load};
use super::whole::{Cluster, PREFIX, Victim};
use super::{answers, cells};
use crate::system::books::{DAYS, audited, numbers};
use crate::system::complete::{self, now_ms};
use crate::system::import::{self, Expected, LOG, import, imported};
use crate::system::server::{Home, Server};
use crate::system::site::{Merchant, Site};

/// How long the load lasts at least; the script of kills always comes to its end.
const SECONDS: &str = "HITMILL_TEST_LOAD_SECONDS";
const USUAL_SECONDS: u64 = 30;
/// How long a killed process stays away, and how long it is left alone when it is back.
const AWAY: Duration = Duration::from_secs(1);
const CALM: Duration = Duration::from_secs(1);
/// Clients of the merchant that is in all partitions, and of each of those that are in one.
const CLIENTS: [usize; 3] = [10, 4, 4];

/// All of it.
pub(super) async fn scenario(cluster: &mut Cluster) {
    let home = Home::new();
    let importing = cluster.site.merchant_over(1);
    let spreads = [PARTITIONS, 1, 1];
    let merchants = spreads.map(|spread| cluster.site.merchant_over(spread));
    let loads: Vec<_> = merchants
        .iter()
        .zip(CLIENTS)
        .map(|(merchant, clients)| Load::start(&cluster.site, merchant, clients))
        .collect();
    let importer = Importer::start(import(&cluster.site, &home, importing.id, Path::new("-"), &[]));

    kill_everything(cluster).await;
    cluster.settle().await;
    for load in &loads {
        acknowledged_hits_are_counted(&cluster.site, load).await;
    }
    let mut fired = Vec::new();
    for load in loads {
        fired.push(load.finish().await);
    }
    let report = importer.finish();
    let expected = Expected::of(Path::new(LOG));
    assert_eq!((&report["lines"], &report["accepted"]), (&json!(10_000), &json!(expected.page_views)));

    import::compare(&numbers(&cluster.site, importing.id).await, &expected.numbers);
    // Whatever was sent twice is a duplicate.
    assert_eq!(audited(&cluster.site, importing.id).await.0, expected.page_views);
    for (merchant, fired) in merchants.iter().zip(&fired) {
        assert_eq!(complete::hits_by(&cluster.site, merchant.id, "campaign").await, fired.by_client());
        let (counted, duplicate) = audited(&cluster.site, merchant.id).await;
        assert_eq!(counted, fired.hits());
        let rate = fired.hits() as f64 / fired.took.as_secs_f64();
        println!(
            "kills: {counted} hits of merchant {} in {:.1?} ({rate:.0}/s), {duplicate} came twice",
            merchant.id, fired.took
        );
    }
    equals_embedded(cluster, &importing, &merchants, &fired).await;
}

/// Every process in turn, until the load has lasted long enough.
async fn kill_everything(cluster: &mut Cluster) {
    let seconds = std::env::var(SECONDS).map_or(USUAL_SECONDS, |seconds| seconds.parse().unwrap());
    let (began, mut rounds) = (Instant::now(), 0);
    while rounds == 0 || began.elapsed() < Duration::from_secs(seconds) {
        for victim in Victim::ALL {
            cluster.kill(victim).await;
            tokio::time::sleep(AWAY).await;
            let starting = Instant::now();
            cluster.start_again(victim).await;
            println!("kills: {victim:?}, away for {AWAY:?} and {:.1?} to be ready again", starting.elapsed());
            tokio::time::sleep(CALM).await;
        }
        rounds += 1;
    }
    println!("kills: {rounds} rounds over {} processes in {:.1?}", Victim::ALL.len(), began.elapsed());
}

/// Acknowledged before the question <= counted <= fired after the answer, for every client, while all of them fire on.
async fn acknowledged_hits_are_counted(site: &Site, load: &Load) {
    let acked = load.acked();
    let counted = complete::hits_by(site, load.merchant().id, "campaign").await;
    let tracked = load.tracked();
    for (client, acked) in acked {
        let counted = counted.get(&client).copied().unwrap_or(0);
        let tracked = tracked[&client];
        assert!((acked..=tracked).contains(&counted), "{client}: {counted} are not in {acked}..={tracked}");
    }
}

/// The same hits, in one process on its own: every answer and every cell is the same.
async fn equals_embedded(cluster: &Cluster, importing: &Merchant, merchants: &[Merchant], fired: &[Fired]) {
    let home = Home::new();
    let partitions = PARTITIONS.to_string();
    let server = Server::start_with(&home, &[("HITMILL_LOG__PARTITIONS", &partitions)]);
    // Ids are given in order: those that were used before are used up here, too.
    for _ in 1..importing.id {
        server.merchant();
    }
    assert_eq!(server.merchant(), importing.id);
    imported(&server, &home, importing.id, Path::new(LOG), &[]);
    for (merchant, fired) in merchants.iter().zip(fired) {
        let same = server.merchant_over(merchant.spread);
        assert_eq!(same.id, merchant.id);
        fired.again(&server, &same).await;
    }
    let today = now_ms() / 86_400_000 * 86_400;
    for merchant in merchants {
        complete::caught_up(&server, merchant.id).await;
        answers::compare(&cluster.site, &server, merchant.id, today - 86_400..today + 86_400).await;
    }
    answers::compare(&cluster.site, &server, importing.id, DAYS.0..DAYS.1).await;
    println!("kills: every answer by hour, of all metrics by all dimensions, is that of one process");
    server.stop();
    let mut compared = 0;
    for merchant in merchants.iter().chain([importing]) {
        let alone = cells::embedded(&home.path("data"), merchant.id).await;
        cells::compare(
            &alone,
            &cells::tikv(cluster.engines.store(PREFIX), merchant.id, Generation::FIRST).await,
        );
        compared += alone.len();
    }
    println!("kills: {compared} cells are those of one process, byte by byte");
}
