//! How long a server takes to be ready again after kill -9, by the size of its log. Figures, by hand:
//!
//! `./dev test -p system-tests faults::recovery -- --ignored --nocapture`

use std::path::Path;
use std::time::{Duration, Instant};

use super::hits::Plan;
use super::trial::Trial;

/// Sizes in megabytes.
const SIZES: &str = "HITMILL_TEST_RECOVERY_MB";
const USUAL_SIZES: &str = "10,100,1000";
const TIMES: usize = 5;
const CLIENTS: u64 = 4;
/// As fast as it takes hits of about 1 KB.
const PER_TICK: u64 = 200;
const PADDING: usize = 700;
const PATIENCE: Duration = Duration::from_secs(1_800);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints figures, and takes minutes"]
async fn figures_of_the_time_from_the_start_after_a_kill_until_it_is_ready() {
    let sizes = std::env::var(SIZES).unwrap_or(USUAL_SIZES.to_owned());
    let mut trial = Trial::start("recovery", Plan { padding: PADDING, ..Plan::new() }, PER_TICK, &[]).await;
    let log = trial.keeper.folder().join("data/log");
    (0..CLIENTS).for_each(|_| trial.add_client());
    for size in sizes.split(',').map(|size| size.parse::<u64>().unwrap() * 1_000_000) {
        let began = Instant::now();
        while bytes(&log) < size {
            assert!(began.elapsed() < PATIENCE, "{} bytes of log are not {size}", bytes(&log));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // Until it is ready nothing new is to come.
        trial.clients.iter().for_each(|client| client.process.pause());
        let mut took = Vec::new();
        for _ in 0..TIMES {
            trial.server.kill();
            let killed = Instant::now();
            trial.server.start().await;
            took.push(killed.elapsed());
        }
        took.sort_unstable();
        let hits: u64 = trial.acked().iter().sum();
        println!("recovery: {} bytes of log, {hits} hits: ready after {took:.2?}", bytes(&log));
        trial.clients.iter().for_each(|client| client.process.resume());
    }
    trial.drain().await;
    println!("recovery: {:?}", trial.check().await);
}

fn bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(
            |entry| {
                if entry.path().is_dir() { bytes(&entry.path()) } else { entry.metadata().unwrap().len() }
            },
        )
        .sum()
}
