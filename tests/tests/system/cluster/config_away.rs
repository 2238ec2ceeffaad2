//! config-svc is away: everything goes on with what is known, and what changes afterwards counts within a second or two.

use std::time::{Duration, Instant};

use proto::v1::QueryRequest;
use proto::v1::query_service_client::QueryServiceClient;
use tonic::transport::Endpoint;
use tonic::{Code, Request};

use super::load::Load;
use super::whole::{Cluster, Victim};
use crate::system::complete;
use crate::system::site::{Merchant, Site};

/// "Within a second or two", and some for a busy machine.
const LIMIT: Duration = Duration::from_secs(5);

/// Kills it, works on, and starts it again.
pub(super) async fn scenario(cluster: &mut Cluster) {
    let (merchant, bystander) = (cluster.site.merchant_over(1), cluster.site.merchant_over(1));
    let load = Load::start(&cluster.site, &merchant, 4);
    complete::caught_up(&cluster.site, merchant.id).await;

    cluster.kill(Victim::Config).await;
    for newcomer in [Victim::Ingest(0), Victim::Query(0), Victim::Rollup(0)] {
        let began = Instant::now();
        cluster.kill(newcomer).await;
        cluster.start_again(newcomer).await;
        println!("config away: a new {newcomer:?} is ready after {:.1?}", began.elapsed());
    }
    for number in 0..2 {
        assert_eq!(code(cluster, number, &merchant, &merchant.read_key).await, Code::Ok);
        assert_eq!(code(cluster, number, &merchant, &bystander.read_key).await, Code::PermissionDenied);
    }
    // Of after all that: hits come in and are counted.
    complete::caught_up(&cluster.site, merchant.id).await;

    cluster.start_again(Victim::Config).await;
    answers_again(cluster).await;
    revoked(cluster, &merchant).await;
    made(cluster).await;
    let fired = load.finish().await;
    assert_eq!(complete::hits_by(&cluster.site, merchant.id, "campaign").await, fired.by_client());
    println!("config away: {} hits, each counted once", fired.hits());
}

/// HAProxy has to see that it is back.
async fn answers_again(cluster: &Cluster) {
    let began = Instant::now();
    while !cluster.site.hitmill(["merchant", "list"]).output().unwrap().status.success() {
        assert!(began.elapsed() < LIMIT, "config does not answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("config back: HAProxy lets calls through after {:.2?}", began.elapsed());
}

/// A key that is revoked works nowhere within a second or two.
async fn revoked(cluster: &Cluster, merchant: &Merchant) {
    let made = cluster.site.json(["key", "create", "read", "--merchant", &merchant.id.to_string()]);
    let (id, secret) = (made["key_id"].as_str().unwrap(), made["key"].as_str().unwrap());
    for number in 0..2 {
        until(cluster, number, merchant, secret, Code::Ok).await;
    }
    cluster.site.json(["key", "revoke", id]);
    let began = Instant::now();
    for number in 0..2 {
        until(cluster, number, merchant, secret, Code::Unauthenticated).await;
    }
    println!("config back: a revoked key works nowhere after {:.2?}", began.elapsed());
}

/// A merchant that is made now can send, and its hits are counted.
async fn made(cluster: &Cluster) {
    let began = Instant::now();
    let merchant = cluster.site.merchant_over(1);
    let load = Load::start(&cluster.site, &merchant, 2);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let fired = load.finish().await;
    assert_eq!(complete::hits_by(&cluster.site, merchant.id, "campaign").await, fired.by_client());
    println!("config back: a new merchant has its first {} hits after {:.2?}", fired.hits(), began.elapsed());
}

async fn until(cluster: &Cluster, number: usize, merchant: &Merchant, key: &str, expected: Code) {
    let began = Instant::now();
    loop {
        let code = code(cluster, number, merchant, key).await;
        if code == expected {
            return;
        }
        assert!(began.elapsed() < LIMIT, "query-{} still answers {code:?}", number + 1);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How one of the query processes itself answers to a key.
async fn code(cluster: &Cluster, number: usize, merchant: &Merchant, key: &str) -> Code {
    let url = Site::at(cluster.query[number].address()).url().to_owned();
    let channel = Endpoint::from_shared(url).unwrap().connect().await.unwrap();
    let query = QueryRequest {
        merchant_id: merchant.id,
        metrics: vec!["hits".to_owned()],
        ..QueryRequest::default()
    };
    let mut request = Request::new(query);
    request.metadata_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    QueryServiceClient::new(channel).query(request).await.map_or_else(|status| status.code(), |_| Code::Ok)
}
