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

/// What the bounds below and the store's write buffers (80 MiB) add up to, and twice as much again: for the program,
/// for copies on their way, and above all for freed memory, which the allocator keeps for ten seconds.
const ENOUGH: u64 = 512 << 20;
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
const LOAD: Duration = Duration::from_secs(12);
const DEATHS: u64 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn bounds_that_fit_keep_a_server_alive_under_more_load_than_it_can_take() {
    let Some((cap, mut trial)) = start("memory", ENOUGH, Plan { padding: PADDING, ..Plan::new() }).await
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
    // More than the cap went through it, so it cannot just have kept all.
    let bytes = found.counted * PADDING as u64;
    assert!(bytes > ENOUGH, "{bytes} bytes are no load");
    println!(
        "memory: at most {most} bytes under a cap of {ENOUGH} while {bytes} bytes of hits came: {found:?}, {} answers",
        watch.finish().await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_for_want_of_memory_goes_on_when_it_has_enough() {
    let Some((cap, mut trial)) = start("too-little", ENOUGH, Plan::new()).await else { return };
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
async fn start(name: &str, bytes: u64, plan: Plan) -> Option<(Cap, Trial)> {
    let cap = Cap::new(bytes).map_err(|why| unable(&why)).ok()?;
    let trial = Trial::start_as(name, plan, PER_TICK, |listen, home| {
        cap.over(up(listen, &home.join("data")).envs(BOUNDS))
    })
    .await;
    Some((cap, trial))
}
