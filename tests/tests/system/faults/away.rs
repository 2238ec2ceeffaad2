//! Clients that die while there is no server: what they fired is in their queue directories, and goes out in a later life.

use std::time::Duration;

use super::hits::Plan;
use super::trial::Trial;

const CLIENTS: u64 = 4;
/// Of each client, while the server is away.
const DEATHS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_fired_while_the_server_was_away_survives_the_death_of_its_client() {
    let mut trial = Trial::start("away", Plan::new(), 4, &[]).await;
    (0..CLIENTS).for_each(|_| trial.add_client());
    trial.wait_for_acks().await;
    trial.server.kill();
    for _ in 0..DEATHS {
        tokio::time::sleep(Duration::from_secs(1)).await;
        trial.kill_clients_that_keep_still().await;
    }
    trial.server.start().await;
    trial.wait_for_acks().await;
    trial.drain().await;
    let found = trial.check().await;
    assert_eq!((found.lives, found.cut_short), (CLIENTS as usize * (DEATHS + 1), 0), "{found:?}");
    println!("away: {found:?}");
}
