//! Little memory, by a cap of the operating system: with bounds that fit a server lives under any load; without enough it is
//! killed, and goes on when it has more.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use super::cap::Cap;
use super::hits::Plan;
use super::trial::Trial;
use super::unable;
use super::watch::Watch;
use crate::system::server::up;

/// What the bounds below and the store's write buffers (80 MiB) add up to, and as much again and more: for the program, for
/// copies on their way, and above all for freed memory, which the allocator keeps for ten seconds. With queues of 1 GiB
/// the same load takes more than this within seconds, and with the default bounds, too.
const ENOUGH: u64 = 400 << 20;
/// Less than it needs under load.
const TOO_LITTLE: u64 = 36 << 20;
const BOUNDS: [(&str, &str); 8] = [
    ("HITMILL_INGEST__MAX_QUEUED_BYTES", "8388608"),
    ("HITMILL_LOG__MAX_QUEUED_BYTES", "8388608"),
    ("HITMILL_LOG__TAIL_BYTES", "2097152"),
    ("HITMILL_STORE__CACHE_BYTES", "8388608"),
    ("HITMILL_QUERY__CACHE_BYTES", "8388608"),
    ("HITMILL_ROLLUP__MEMORY_BYTES", "33554432"),
    ("HITMILL_ROLLUP__COMMIT_BYTES", "2097152"),
    ("HITMILL_HOST__HTTP2__CONNECTION_WINDOW_BYTES", "1048576"),
];
/// Clients that send large hits as fast as they are taken.
const CLIENTS: u64 = 16;
const PADDING: usize = 20_000;
const PER_TICK: u64 = 8;
/// What the disk takes in a second: far less than they send, so that all that may wait for it does.
const DISK_BYTES: u64 = 12 << 20;
const LOAD: Duration = Duration::from_secs(12);
const DEATHS: u64 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn bounds_that_fit_keep_a_server_alive_under_more_load_than_it_can_take() {
    let Some((cap, mut trial)) =
        start("memory", Plan { padding: PADDING, ..Plan::new() }, Some(DISK_BYTES)).await
    else {
        return;
    };
    (0..CLIENTS).for_each(|_| trial.add_client());
    let watch = Watch::start(&trial.site, trial.merchant_ids(), trial.ledgers.clone());
    let (began, mut most) = (Instant::now(), 0);
    while began.elapsed() < LOAD {
        tokio::time::sleep(Duration::from_millis(50)).await;
        most = most.max(cap.held());
        assert!(trial.server.runs(), "it was killed: it held {most} bytes");
    }
    trial.drain().await;
    most = most.max(cap.held());
    let found = trial.check().await;
    assert_eq!(cap.kills(), 0);
    let bytes = found.counted * PADDING as u64;
    println!(
        "memory: at most {most} bytes under a cap of {ENOUGH} while {bytes} bytes of hits came: {found:?}, {} answers",
        watch.finish().await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_for_want_of_memory_goes_on_when_it_has_enough() {
    let Some((cap, mut trial)) = start("too-little", Plan::new(), None).await else { return };
    (0..4).for_each(|_| trial.add_client());
    let watch = Watch::start(&trial.site, trial.merchant_ids(), trial.ledgers.clone());
    trial.wait_for_acks().await;
    trial.server.kill();
    for death in 1..=DEATHS {
        cap.set(TOO_LITTLE).unwrap();
        trial.server.launch();
        let status = trial.server.ended().await;
        assert_eq!(status.signal(), Some(9), "{status}");
        assert!(cap.kills() >= death);
        // For a while there is enough.
        cap.set(ENOUGH).unwrap();
        trial.server.start().await;
        trial.wait_for_acks().await;
        trial.server.kill();
    }
    trial.server.start().await;
    trial.drain().await;
    let found = trial.check().await;
    println!(
        "memory: killed {DEATHS} times under {TOO_LITTLE} bytes: {found:?}, {} answers",
        watch.finish().await
    );
}

/// A server under a cap, or nothing where no memory can be capped. The cap is to be dropped last.
async fn start(name: &str, plan: Plan, slow: Option<u64>) -> Option<(Cap, Trial)> {
    let mut cap = Cap::new(ENOUGH).map_err(|why| unable(&why)).ok()?;
    let trial = Trial::start_as(name, plan, PER_TICK, |listen, home| {
        if let Err(why) = slow.map_or(Ok(()), |bytes| cap.slow_disk(home, bytes)) {
            eprintln!("memory: the disk is as fast as it is: {why}");
        }
        cap.over(up(listen, &home.join("data")).envs(BOUNDS))
    })
    .await;
    Some((cap, trial))
}
