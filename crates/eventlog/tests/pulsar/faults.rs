use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eventlog::EventLog;
use eventlog::pulsar::{Broadcast, Heard, PulsarLog, Settings, Topic};
use model::{Kind, Position};
use test_servers::{Pulsar, PulsarOptions, Server, available};
use tokio::time::{sleep, timeout};

use crate::load::under_load;
use crate::server::{P, open, read_from, record, settings, start};

/// One broker, one misfortune after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_to_a_broker_costs_no_record() {
    if !available(&[Server::Pulsar]) {
        return;
    }
    let options = PulsarOptions { entries_per_ledger: 40, linked: true, ..PulsarOptions::default() };
    let mut broker = start(options).await;
    unloaded(&broker).await;
    cut(&broker).await;
    paused(&mut broker).await;
    killed(&mut broker).await;
    too_small(&mut broker).await;
}

async fn unloaded(broker: &Pulsar) {
    let settings = settings(broker, "unloaded");
    let log = Arc::new(open(&settings).await);
    let topic = Topic::open(&settings).await.unwrap();
    let failed = under_load(&log, async {
        for _ in 0..3 {
            topic.roll_over(P).await.unwrap();
            sleep(Duration::from_millis(300)).await;
        }
    })
    .await;
    assert_eq!(failed, 0, "an unloaded topic is back soon enough");
    let status = topic.status(P).await.unwrap();
    assert!(status.ledgers.len() > 3, "each time a new ledger: {:?}", status.ledgers);
    assert_eq!(status.ledgers.iter().filter(|ledger| ledger.open).count(), 1);
}

async fn cut(broker: &Pulsar) {
    let log = Arc::new(open(&settings(broker, "cut")).await);
    let link = broker.link().unwrap();
    let failed = under_load(&log, async {
        for _ in 0..3 {
            link.cut();
            sleep(Duration::from_millis(400)).await;
            link.heal();
            sleep(Duration::from_millis(400)).await;
        }
    })
    .await;
    assert_eq!(failed, 0, "the connection is back soon enough");
}

async fn paused(broker: &mut Pulsar) {
    let hasty = Settings { timeout_ms: 1_500, ..settings(broker, "paused") };
    let log = Arc::new(open(&hasty).await);
    let patient = Arc::new(open(&Settings { timeout_ms: 30_000, ..hasty }).await);
    let failed = under_load(&log, async {
        broker.pause().unwrap();
        let waits = tokio::spawn({
            let log = Arc::clone(&patient);
            async move { log.append(P, record(999_999)).await }
        });
        let refused = log.append(P, record(888_888)).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::Unavailable);
        assert!(refused.to_string().contains("hits-partition-1"), "{refused}");
        sleep(Duration::from_secs(2)).await;
        broker.resume().unwrap();
        let position = waits.await.unwrap().unwrap();
        assert_eq!(patient.read(P, position, 1).await.unwrap().entries[0].record, record(999_999));
    })
    .await;
    assert!(failed > 0, "nobody answers for longer than an append may take");
}

async fn killed(broker: &mut Pulsar) {
    let settings = settings(broker, "killed");
    let log = Arc::new(open(&settings).await);
    let (one, other) = (
        Broadcast::open(&settings, "hints").await.unwrap(),
        Broadcast::open(&settings, "hints").await.unwrap(),
    );
    let failed = under_load(&log, async {
        for _ in 0..2 {
            broker.kill().await.unwrap();
            broker.start_again().await.unwrap();
        }
    })
    .await;
    println!("{failed} appends failed while the broker was killed twice");

    // The last one of all again, with nothing behind it in the new ledger.
    let end = log.end(P).await.unwrap();
    broker.kill().await.unwrap();
    broker.start_again().await.unwrap();
    assert_eq!(log.end(P).await.unwrap(), end, "with the open ledger empty");
    assert_eq!(read_from(&log, end).await.unwrap(), []);
    let position = log.append(P, record(1)).await.unwrap();
    assert!(position >= end);
    let read = read_from(&log, end).await.unwrap();
    assert_eq!(read.iter().map(|entry| entry.position).collect::<Vec<_>>(), [position]);
    assert!(log.first(P).await.unwrap() > Position::START);

    // Those who listen know that they missed something, and hear again.
    let hears = async {
        assert_eq!(other.next().await, Heard::Missed);
        loop {
            one.publish(Bytes::from_static(b"back"));
            match timeout(Duration::from_millis(500), other.next()).await {
                Ok(Heard::Hint(hint)) => return assert_eq!(hint, "back"),
                Ok(Heard::Missed) | Err(_) => {}
            }
        }
    };
    timeout(Duration::from_secs(60), hears).await.unwrap();
}

/// A broker that takes less than a record is found out when the log is opened.
async fn too_small(broker: &mut Pulsar) {
    broker.stop().await.unwrap();
    let conf = broker.data().join("standalone.conf");
    let mut lines = std::fs::read_to_string(&conf).unwrap();
    lines.push_str("maxMessageSize=1048576\n");
    std::fs::write(&conf, lines).unwrap();
    broker.start_again().await.unwrap();
    let refused = PulsarLog::open(&settings(broker, "small")).await.err().unwrap();
    assert_eq!(refused.kind(), Kind::Invalid);
    let said = refused.to_string();
    assert!(said.contains("1048576") && said.contains("maxMessageSize"), "{said}");
}
