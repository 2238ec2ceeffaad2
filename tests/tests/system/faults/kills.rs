//! kill -9 of the server and of its clients, hundreds of times, at any moment: while hits are written and folded, while it
//! recovers, and again before it has recovered.

use std::time::{Duration, Instant};

use super::hits::{Dice, Plan};
use super::trial::Trial;
use super::watch::Watch;
use crate::system::watcher::Watcher;

/// How often the server is killed.
const KILLS: &str = "HITMILL_TEST_KILLS";
const USUAL_KILLS: u64 = 200;
const CLIENTS: u64 = 6;
/// Each client fires so many hits in 20 ms, on average.
const PER_TICK: u64 = 4;
/// Small, so that there is much of each within one life: files of the log, commits of visitor state, commits in several.
const SETTINGS: [(&str, &str); 3] = [
    ("HITMILL_LOG__SEGMENT_BYTES", "1048576"),
    ("HITMILL_ROLLUP__REPLAY_BYTES", "1048576"),
    ("HITMILL_ROLLUP__COMMIT_BYTES", "65536"),
];
/// Of the lives of the server one in so many ends before it can be ready.
const SHORT: u64 = 3;
const SHORT_MS: u64 = 60;
const LONG_MS: u64 = 1_200;
/// One round in so many kills a client, too.
const CLIENT_DIES: u64 = 5;
/// After so many rounds everything is left alone until every client was acknowledged something.
const CALM: u64 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_kills_lose_nothing_and_count_nothing_twice() {
    let kills = std::env::var(KILLS).map_or(USUAL_KILLS, |kills| kills.parse().unwrap());
    let (plan, began) = (Plan::new(), Instant::now());
    let mut trial = Trial::start("kills", plan, PER_TICK, &SETTINGS).await;
    (0..CLIENTS).for_each(|_| trial.add_client());
    let watch = Watch::start(&trial.site, trial.merchant_ids(), trial.ledgers.clone());
    let watcher = Watcher::start(&trial.site, trial.merchants[0].id);

    let mut dice = Dice(plan.seed);
    let (mut early, mut clients) = (0, 0);
    for round in 1..=kills {
        let short = dice.below(SHORT) == 0;
        tokio::time::sleep(Duration::from_millis(dice.below(if short { SHORT_MS } else { LONG_MS }))).await;
        if dice.below(CLIENT_DIES) == 0 {
            trial.kill_client(dice.below(CLIENTS) as usize);
            clients += 1;
        }
        early += u64::from(!trial.server.is_ready());
        trial.server.kill();
        trial.server.launch();
        if round % CALM == 0 {
            trial.server.wait_until_ready().await;
            trial.wait_for_acks().await;
        }
        watch.is_content();
    }
    let took = began.elapsed();
    trial.server.wait_until_ready().await;
    trial.drain().await;
    let found = trial.check().await;
    let (answers, watched) = (watch.finish().await, watcher.finish().await);
    assert!(answers > kills / 4 && watched.messages > 0, "{answers} {watched:?}");
    assert!(found.counted > kills * 10, "there was hardly any load: {found:?}");
    println!(
        "kills: {kills} of the server, {early} before it was ready, and {clients} of clients in {took:.0?}: {found:?}, \
         {answers} answers and {} messages on the way",
        watched.messages
    );
}
