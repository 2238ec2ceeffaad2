//! SIGTERM again and again under load, at any moment: while hits are written and folded, and while it starts.

use std::time::Duration;

use super::hits::{Dice, Plan};
use super::trial::Trial;
use super::watch::Watch;

const DRAINS: u64 = 30;
const CLIENTS: u64 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn dozens_of_drains_under_load_end_well_and_count_everything_once() {
    let plan = Plan::new();
    let mut trial = Trial::start("drains", plan, 4, &[]).await;
    (0..CLIENTS).for_each(|_| trial.add_client());
    let watch = Watch::start(&trial.site, trial.merchant_ids(), trial.ledgers.clone());
    let mut dice = Dice(plan.seed);
    for drain in 1..=DRAINS {
        // Before it is ready to be asked it would end as any process does: by the signal.
        trial.server.wait_until_ready().await;
        tokio::time::sleep(Duration::from_millis(dice.below(500))).await;
        trial.server.stop().await;
        // After the last hit of a drain everything is made safe: the next start has nothing to read again.
        trial.server.launch();
        if drain % 10 == 0 {
            trial.server.wait_until_ready().await;
            trial.wait_for_acks().await;
        }
        watch.is_content();
    }
    trial.server.wait_until_ready().await;
    trial.drain().await;
    let found = trial.check().await;
    println!("drains: {DRAINS} under load: {found:?}, {} answers on the way", watch.finish().await);
}
