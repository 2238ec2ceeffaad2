//! A process that is killed in the middle of a commit leaves locks. Others resolve them.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use store::tikv::Settings;
use test_servers::{Server, Tikv, available};
use tikv_client::TransactionClient;
use tikv_client::transaction::ResolveLocksOptions;

use crate::cluster::{all, batch_of, open, open_with};

const KEYS: usize = 2_000;
const BEGINS: &str = "the first commit begins";
const ENDPOINTS: &str = "HITMILL_TEST_ENDPOINTS";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locks_of_a_killed_client_are_resolved() {
    if !available(&[Server::Tikv]) {
        return;
    }
    let cluster = Tikv::start(1).await.unwrap();
    let store = open(&cluster, "killed").await;
    let mut waited = Vec::new();
    for in_prewrite in [true, false, true] {
        let left = leave_locks(&cluster, in_prewrite).await;
        let begun = Instant::now();
        let found = all(&*store, "key/").await;
        waited.push((left, begun.elapsed()));
        assert!(found.is_empty() || found.len() == KEYS, "{} of {KEYS} keys of a commit", found.len());
        assert!(found.windows(2).all(|pair| pair[0].1 == pair[1].1), "a mixture of two commits");
        // And they can be written again.
        store.commit(batch_of("key/", KEYS, b"ours")).await.unwrap();
        assert_eq!(all(&*store, "key/").await.len(), KEYS);
    }
    println!("locks, and how long the first scan over them took: {waited:?}");
}

/// Kills clients until one of them leaves locks, in the first phase of its commit or in the second; says how many.
async fn leave_locks(cluster: &Tikv, in_prewrite: bool) -> usize {
    let client = TransactionClient::new(cluster.endpoints()).await.unwrap();
    for attempt in 0..200 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed_client::commits_until_it_is_killed", "--ignored", "--nocapture"])
            .env(ENDPOINTS, cluster.endpoints().join(","))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Here its first commit begins. The later in it, the more has been locked.
        assert!(lines.map(Result::unwrap).any(|line| line.contains(BEGINS)));
        tokio::time::sleep(Duration::from_millis(if in_prewrite { 10 } else { 100 } + attempt)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let now = client.current_timestamp().await.unwrap();
        let locks = client.scan_locks(&now, .., 10_000).await.unwrap();
        let primary = locks.iter().any(|lock| lock.key == lock.primary_lock);
        // With the primary key's lock gone, the commit is done but for the locks.
        if locks.len() > KEYS / 10 && (primary || locks.len() < KEYS - 1) == in_prewrite {
            return locks.len();
        }
        // Out of the way for the next one.
        client.cleanup_locks(.., &now, ResolveLocksOptions::default()).await.unwrap();
    }
    panic!("no client left locks");
}

#[tokio::test]
#[ignore = "the client that another test kills"]
async fn commits_until_it_is_killed() {
    let Ok(endpoints) = std::env::var(ENDPOINTS) else { return };
    let prefix = "killed".to_owned();
    let store = open_with(&Settings { endpoints, prefix, ..Settings::default() }).await;
    println!("{BEGINS}");
    for round in 0.. {
        store.commit(batch_of("key/", KEYS, format!("round {round}").as_bytes())).await.unwrap();
    }
}
