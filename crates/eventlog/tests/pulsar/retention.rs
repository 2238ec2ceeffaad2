use std::time::Duration;

use eventlog::pulsar::{PulsarLog, Topic};
use eventlog::{Error, EventLog};
use model::{Kind, Position};
use test_servers::{Pulsar, Server, available};

use crate::server::{P, open, read_from, record, settings, shared, until};

async fn set_retention(broker: &Pulsar, namespace: &str, json: &str) {
    let path = format!("/admin/v2/namespaces/{namespace}/retention");
    broker.admin("POST", &path, json).await.unwrap().success().unwrap();
}

async fn retention(broker: &Pulsar, namespace: &str) -> String {
    let path = format!("/admin/v2/namespaces/{namespace}/retention");
    broker.admin("GET", &path, "").await.unwrap().success().unwrap()
}

const UNLIMITED: &str = r#"{"retentionTimeInMinutes":-1,"retentionSizeInMB":-1}"#;

/// Somebody else lets Pulsar delete: readers are told, and the log forbids it when it is opened again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_deleted_is_gone_and_not_skipped() {
    if !available(&[Server::Pulsar]) {
        return;
    }
    let broker = shared().await;
    let settings = settings(broker, "deleted");
    let log = open(&settings).await;
    assert_eq!(retention(broker, &settings.namespace).await, UNLIMITED);
    let mut positions = Vec::new();
    for number in 0..50 {
        positions.push(log.append(P, record(number)).await.unwrap());
    }
    // Nothing goes because somebody released it.
    log.release(P, positions[49]).await.unwrap();
    assert_eq!(log.first(P).await.unwrap(), positions[0]);

    // A reader that stands before what will go; its own subscription must not hold it.
    let topic = Topic::open(&settings).await.unwrap();
    set_retention(broker, &settings.namespace, r#"{"retentionTimeInMinutes":0,"retentionSizeInMB":0}"#).await;
    until("something is deleted", async || {
        topic.trim(P).await.unwrap();
        log.first(P).await.unwrap() > positions[0]
    })
    .await;
    let first = log.first(P).await.unwrap();
    let kept = positions.iter().position(|position| *position == first).unwrap();
    for asked in [positions[0], positions[kept - 1]] {
        let told = log.read(P, asked, 1_000).await.unwrap_err();
        assert!(matches!(told, Error::Gone { first: told, .. } if told == first), "{told}");
        assert_eq!(told.kind(), Kind::NotFound);
        assert!(matches!(log.wait(P, asked).await, Err(Error::Gone { .. })));
    }
    let rest = read_from(&log, first).await.unwrap();
    assert!(rest.iter().map(|entry| entry.position).eq(positions[kept..].iter().copied()));
    assert_eq!(read_from(&log, Position::START).await.unwrap(), rest, "START is whatever is the oldest");

    drop(open(&settings).await);
    assert_eq!(retention(broker, &settings.namespace).await, UNLIMITED, "set again by whoever opens it");
}

/// Nobody is connected, and nobody has a subscription.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_nobody_uses_stays() {
    if !available(&[Server::Pulsar]) {
        return;
    }
    let broker = shared().await;
    let settings = settings(broker, "unused");
    let position = open(&settings).await.append(P, record(1)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let left = read_from(&open(&settings).await, Position::START).await.unwrap();
    assert_eq!(left.iter().map(|entry| entry.position).collect::<Vec<_>>(), [position]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_with_a_retention_of_its_own_is_refused() {
    if !available(&[Server::Pulsar]) {
        return;
    }
    let broker = shared().await;
    let settings = settings(broker, "own-retention");
    drop(open(&settings).await);
    let path = format!("/admin/v2/persistent/{}/hits/retention", settings.namespace);
    let own = r#"{"retentionTimeInMinutes":60,"retentionSizeInMB":100}"#;
    broker.admin("POST", &path, own).await.unwrap().success().unwrap();
    until("the broker has taken it", async || {
        broker.admin("GET", &path, "").await.unwrap().body.contains("60")
    })
    .await;
    let Err(refused) = PulsarLog::open(&settings).await else { panic!("a log that loses records") };
    assert_eq!(refused.kind(), Kind::Invalid);
    assert!(refused.to_string().contains("60 minutes and 100 MB"), "{refused}");
}
