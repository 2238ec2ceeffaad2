use std::time::Duration;

use eventlog::EventLog;
use eventlog::pulsar::{PulsarLog, Settings, Topic};
use model::Kind;
use test_servers::{Server, available, free_port};

use crate::server::{open, settings, shared};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_at_once_make_one_topic_and_it_keeps_its_number() {
    if !available(&[Server::Pulsar]) {
        return;
    }
    let broker = shared().await;
    let own_tenant = Settings { namespace: "opened/at-once".to_owned(), ..settings(broker, "") };
    let opened: Vec<_> = (0..4)
        .map(|number| {
            let settings = Settings { partitions: 2 + number % 2, ..own_tenant.clone() };
            tokio::spawn(async move { PulsarLog::open(&settings).await.unwrap().partitions() })
        })
        .collect();
    let mut numbers = Vec::new();
    for opening in opened {
        numbers.push(opening.await.unwrap());
    }
    assert!(numbers.iter().all(|number| *number == numbers[0] && [2, 3].contains(number)), "{numbers:?}");
    let more = Settings { partitions: 9, offload_after_bytes: Some(1_000), ..own_tenant.clone() };
    assert_eq!(open(&more).await.partitions(), numbers[0]);
    let threshold = format!("/admin/v2/namespaces/{}/offloadThreshold", own_tenant.namespace);
    assert_eq!(broker.admin("GET", &threshold, "").await.unwrap().body, "1000");
    drop(open(&own_tenant).await);
    assert_eq!(broker.admin("GET", &threshold, "").await.unwrap().body, "-1", "taken back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_with_another_number_of_partitions_is_refused() {
    if !available(&[Server::Pulsar]) {
        return;
    }
    let broker = shared().await;
    let settings = settings(broker, "grown");
    let missing = Topic::open(&settings).await.unwrap_err();
    assert!(missing.to_string().contains("a service makes it at its first start"), "{missing}");
    drop(open(&settings).await);
    let path = format!("/admin/v2/persistent/{}/hits/partitions", settings.namespace);
    broker.admin("POST", &path, "5").await.unwrap().success().unwrap();
    let Err(refused) = PulsarLog::open(&settings).await else { panic!("hits go elsewhere than before") };
    assert_eq!(refused.kind(), Kind::Invalid);
    assert!(refused.to_string().contains("made with 3 partitions and now has 5"), "{refused}");
    assert_eq!(Topic::open(&settings).await.unwrap().partitions(), 5, "whoever only looks is told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_cannot_be_the_log_is_refused() {
    if !available(&[Server::Pulsar]) {
        return;
    }
    let broker = shared().await;
    let settings = settings(broker, "plain");
    for (path, body) in [
        ("tenants/hitmill-tests", r#"{"adminRoles":[],"allowedClusters":["standalone"]}"#),
        ("namespaces/hitmill-tests/plain", "{}"),
        ("persistent/hitmill-tests/plain/hits", "{}"),
    ] {
        let reply = broker.admin("PUT", &format!("/admin/v2/{path}"), body).await.unwrap();
        assert!([204, 409].contains(&reply.status), "{path}: {} {}", reply.status, reply.body);
    }
    let Err(refused) = PulsarLog::open(&settings).await else { panic!("a topic without partitions") };
    assert_eq!(refused.kind(), Kind::Invalid, "{refused}");
    assert!(refused.to_string().contains("hitmill-tests/plain"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_there_is_told_with_the_address() {
    let port = free_port().unwrap();
    let settings = Settings {
        url: format!("pulsar://127.0.0.1:{port}"),
        admin_url: format!("http://127.0.0.1:{port}"),
        timeout_ms: 600,
        ..Settings::default()
    };
    let opening = tokio::time::timeout(Duration::from_secs(20), PulsarLog::open(&settings)).await.unwrap();
    let Err(refused) = opening else { panic!("a log of nobody") };
    assert_eq!(refused.kind(), Kind::Unavailable);
    assert!(refused.to_string().contains(&settings.admin_url), "{refused}");

    let wrong = Settings { namespace: "hitmill".to_owned(), ..settings };
    let Err(refused) = PulsarLog::open(&wrong).await else { panic!("a log of no namespace") };
    assert_eq!(refused.kind(), Kind::Invalid);
    assert!(refused.to_string().starts_with(r#"pulsar.namespace "hitmill" is not allowed"#), "{refused}");
}
