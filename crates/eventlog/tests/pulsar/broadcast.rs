use std::time::Duration;

use bytes::Bytes;
use eventlog::pulsar::{Broadcast, Heard};
use test_servers::{Server, available};
use tokio::time::timeout;

use crate::server::{settings, shared};

async fn next(of: &Broadcast) -> Heard {
    timeout(Duration::from_secs(20), of.next()).await.unwrap()
}

fn hint(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_publishes_all_others_hear() {
    if !available(&[Server::Pulsar]) {
        return;
    }
    let settings = settings(shared().await, "broadcast");
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(Broadcast::open(&settings, "changes").await.unwrap());
    }
    let elsewhere = Broadcast::open(&settings, "other").await.unwrap();
    for number in 0..20 {
        let text = format!("{number} {}", "x".repeat(number * 100));
        all[number % 3].publish(hint(&text));
        for (listener, broadcast) in all.iter().enumerate() {
            if listener != number % 3 {
                assert_eq!(next(broadcast).await, Heard::Hint(hint(&text)));
            }
        }
    }
    // Many at once share a message, and stay in order.
    for number in 0..500 {
        all[0].publish(hint(&number.to_string()));
    }
    for broadcast in &all[1..] {
        for number in 0..500 {
            assert_eq!(next(broadcast).await, Heard::Hint(hint(&number.to_string())));
        }
    }
    // Who comes later is told that there was something before, by each who said something.
    let late = Broadcast::open(&settings, "changes").await.unwrap();
    assert_eq!(next(&late).await, Heard::Missed);
    while let Ok(heard) = timeout(Duration::from_secs(2), late.next()).await {
        assert_eq!(heard, Heard::Missed);
    }
    all[1].publish(hint("now"));
    assert_eq!(next(&late).await, Heard::Hint(hint("now")));
    // Nobody heard himself, nor another broadcast.
    assert_eq!(next(&all[0]).await, Heard::Hint(hint("now")));
    for quiet in [&all[0], &all[1], &elsewhere] {
        assert!(timeout(Duration::from_millis(300), quiet.next()).await.is_err());
    }
}
