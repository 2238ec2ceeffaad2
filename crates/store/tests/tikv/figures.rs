//! Measurements, by hand: `cargo test -p store --features tikv --test tikv -- --ignored figures --nocapture`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use store::Store;
use test_servers::{Server, Tikv, available};
use tokio::task::JoinSet;

use crate::cluster::{all, batch_of, open};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, which asserts nothing"]
async fn figures() {
    if !available(&[Server::Tikv]) {
        return;
    }
    let cluster = Tikv::start(1).await.unwrap();
    let store = open(&cluster, "figures").await;
    for (tasks, rounds, keys) in [(1, 300, 1), (16, 100, 1), (1, 30, 500), (4, 25, 500)] {
        commits(&store, tasks, rounds, keys).await;
    }
    for tasks in [1, 16] {
        gets(&store, tasks, 1_000).await;
    }
    scans(&store, 50_000).await;
    for keys in [1_000, 5_000, 20_000] {
        large(&store, keys).await;
    }
}

async fn commits(store: &Arc<dyn Store>, tasks: usize, rounds: usize, keys: usize) {
    let mut running = JoinSet::new();
    let (begun, cpu) = (Instant::now(), cpu());
    for task in 0..tasks {
        let store = Arc::clone(store);
        running.spawn(async move {
            for round in 0..rounds {
                store
                    .commit(batch_of(&format!("c/{keys}/{task}/{round}/"), keys, &[b'v'; 100]))
                    .await
                    .unwrap();
            }
        });
    }
    running.join_all().await;
    let written = tasks * rounds * keys;
    report(&format!("commits of {keys} keys by {tasks} tasks"), tasks * rounds, written, begun, cpu);
}

async fn gets(store: &Arc<dyn Store>, tasks: usize, rounds: usize) {
    let mut running = JoinSet::new();
    let (begun, cpu) = (Instant::now(), cpu());
    for _ in 0..tasks {
        let store = Arc::clone(store);
        running.spawn(async move {
            for round in 0..rounds {
                let key = format!("c/500/0/0/{:06}", round % 500);
                store.get(key.as_bytes()).await.unwrap().unwrap();
            }
        });
    }
    running.join_all().await;
    report(
        &format!("gets, each with its snapshot, by {tasks} tasks"),
        tasks * rounds,
        tasks * rounds,
        begun,
        cpu,
    );
}

async fn scans(store: &Arc<dyn Store>, keys: usize) {
    for first in 0..keys / 1_000 {
        store.commit(batch_of(&format!("s/{first:03}/"), 1_000, &[b'v'; 100])).await.unwrap();
    }
    let (begun, cpu) = (Instant::now(), cpu());
    let found = all(&**store, "s/").await.len();
    report("a scan", 1, found, begun, cpu);
}

async fn large(store: &Arc<dyn Store>, keys: usize) {
    let (before, begun, cpu) = (peak_mib(), Instant::now(), cpu());
    store.commit(batch_of(&format!("l/{keys}/"), keys, &[b'v'; 100])).await.unwrap();
    report("one commit", 1, keys, begun, cpu);
    println!("    peak memory of the process: {before} MiB before, {} MiB after", peak_mib());
}

fn report(what: &str, requests: usize, keys: usize, begun: Instant, cpu_before: Duration) {
    let (took, cpu) = (begun.elapsed(), cpu() - cpu_before);
    println!(
        "{what}: {requests} in {took:.2?}, {:.0}/s, {:.0} keys/s, CPU of this process {:.1} us/key",
        requests as f64 / took.as_secs_f64(),
        keys as f64 / took.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / keys as f64,
    );
}

/// Of this process, as the system counts it: in hundredths of a second.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<u64> = stat
        .rsplit(") ")
        .next()
        .unwrap()
        .split(' ')
        .skip(11)
        .take(2)
        .map(|field| field.parse().unwrap())
        .collect();
    Duration::from_millis(10 * (fields[0] + fields[1]))
}

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
}
