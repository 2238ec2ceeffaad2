//! Figures for the decision page: `cargo test -p eventlog --features pulsar --test pulsar figures -- --ignored
//! --nocapture`, with nothing else running. They are no assertions.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use eventlog::EventLog;
use eventlog::pulsar::{Broadcast, Heard};
use futures::stream::{self, StreamExt};
use model::{Partition, Position};
use test_servers::{PulsarOptions, Server, available};

use crate::server::{open, settings, start};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn figures() {
    if !available(&[Server::Pulsar]) {
        return;
    }
    let broker = start(PulsarOptions::default()).await;
    for (name, bytes, count, in_flight) in
        [("alone", 1_024, 500, 1), ("small", 1_024, 40_000, 256), ("large", 256 * 1024, 2_000, 16)]
    {
        let log = Arc::new(open(&settings(&broker, name)).await);
        let record = Bytes::from((0..bytes).map(|n| (n * 7 + n / 251) as u8).collect::<Vec<_>>());
        measure("append", count, bytes, async {
            stream::iter(0..count)
                .for_each_concurrent(in_flight, async |number| {
                    log.append(Partition((number % 3) as u16), record.clone()).await.unwrap();
                })
                .await;
        })
        .await;
        measure("read", count, bytes, async {
            for partition in (0..3).map(Partition) {
                let mut from = Position::START;
                loop {
                    let chunk = log.read(partition, from, 4 * 1024 * 1024).await.unwrap();
                    if chunk.entries.is_empty() {
                        break;
                    }
                    from = chunk.next;
                }
            }
        })
        .await;
        measure("end", 200, 0, async {
            for _ in 0..200 {
                log.end(Partition(0)).await.unwrap();
            }
        })
        .await;
    }
    let settings = settings(&broker, "hints");
    let one = Broadcast::open(&settings, "hints").await.unwrap();
    let other = Broadcast::open(&settings, "hints").await.unwrap();
    let begun = Instant::now();
    for _ in 0..200 {
        one.publish(Bytes::from_static(b"there"));
        while other.next().await == Heard::Missed {}
        other.publish(Bytes::from_static(b"and back"));
        while one.next().await == Heard::Missed {}
    }
    println!("a hint takes {:?}", begun.elapsed() / 400);
}

async fn measure(what: &str, count: usize, bytes: usize, work: impl Future<Output = ()>) {
    let (begun, cpu) = (Instant::now(), cpu_millis());
    work.await;
    let (took, cpu) = (begun.elapsed().as_secs_f64(), cpu_millis() - cpu);
    println!(
        "{what} {count} of {bytes} bytes: {:.0}/s, {:.1} MB/s, {:.1} us of our CPU each",
        count as f64 / took,
        (count * bytes) as f64 / took / 1e6,
        cpu as f64 * 1_000.0 / count as f64,
    );
}

/// CPU time of this process, from the kernel's table; its ticks are hundredths of a second.
fn cpu_millis() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) * 10
}
