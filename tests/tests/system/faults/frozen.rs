//! Processes that are frozen under load: they neither work nor close anything, and then go on as if nothing had been.

use std::time::Duration;

use super::hits::Plan;
use super::trial::Trial;
use super::watch::Watch;

/// How long the server is frozen.
const SECONDS: &str = "HITMILL_TEST_FREEZE_SECONDS";
const USUAL_SECONDS: u64 = 60;
/// A client is frozen for less, while the others fire on.
const CLIENT: Duration = Duration::from_secs(10);
const CLIENTS: u64 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_minute_in_which_the_server_is_frozen_is_made_good() {
    let seconds = std::env::var(SECONDS).map_or(USUAL_SECONDS, |seconds| seconds.parse().unwrap());
    let mut trial = Trial::start("frozen", Plan::new(), 2, &[]).await;
    (0..CLIENTS).for_each(|_| trial.add_client());
    let watch = Watch::start(&trial.site, trial.merchant_ids(), trial.ledgers.clone());
    trial.wait_for_acks().await;

    trial.server.pause();
    // Acknowledgements that were on their way still arrive.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (acked, sent) = (trial.acked(), trial.sent());
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    assert_eq!(trial.acked(), acked, "who acknowledged it?");
    assert!(
        trial.sent().iter().zip(&sent).all(|(now, before)| now > before),
        "clients do not wait: they fire on"
    );
    // One of them dies while nobody answers.
    trial.kill_client(0);
    trial.server.resume();
    trial.wait_for_acks().await;

    trial.clients[1].process.pause();
    tokio::time::sleep(CLIENT).await;
    trial.clients[1].process.resume();
    trial.wait_for_acks().await;

    trial.drain().await;
    let found = trial.check().await;
    println!(
        "frozen: {seconds} s of the server, {CLIENT:?} of a client: {found:?}, {} answers",
        watch.finish().await
    );
}
