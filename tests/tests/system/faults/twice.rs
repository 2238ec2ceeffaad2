//! Two processes on one data directory: the second refuses, and the first does not notice.

use std::process::Stdio;
use std::time::Duration;

use super::hits::Plan;
use super::trial::Trial;
use super::watch::Watch;
use crate::system::process::free_address;
use crate::system::server::up;

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_data_refuses_and_does_the_first_no_harm() {
    let mut trial = Trial::start("twice", Plan::new(), 2, &[]).await;
    (0..2).for_each(|_| trial.add_client());
    let watch = Watch::start(&trial.site, trial.merchant_ids(), trial.ledgers.clone());
    trial.wait_for_acks().await;
    let data = trial.keeper.folder().join("data");
    for _ in 0..5 {
        refuses(&data).await;
        trial.wait_for_acks().await;
    }
    // Nor is it let in while the first is frozen: it has not given up its data.
    trial.server.pause();
    refuses(&data).await;
    trial.server.resume();
    trial.wait_for_acks().await;

    // What was killed has given it up.
    trial.server.kill();
    trial.server.start().await;
    trial.drain().await;
    let found = trial.check().await;
    println!("twice: {found:?}, {} answers on the way", watch.finish().await);
    let said = trial.server.said();
    assert!(!said.contains("ERROR") && !said.contains("WARN"), "{said}");
}

/// Another server on this data ends by itself, and says what to do.
async fn refuses(data: &std::path::Path) {
    let mut command = up(&free_address(), data);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    let output = tokio::time::timeout(Duration::from_secs(60), output).await.expect("it should end").unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let expected =
        format!("{} is in use by another hitmill: stop it, or choose another data directory", data.display());
    assert!(said.contains(&expected), "{said}");
}
