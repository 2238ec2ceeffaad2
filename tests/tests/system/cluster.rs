//! hitmill as services apart, over a real Pulsar broker and a real store of TiKV's protocol, behind a real HAProxy.
//!
//! Starting all of it takes a good part of a minute, so one cluster is shared by the scenarios that leave it whole. What they
//! do and measure is printed.

mod answers;
mod behind_haproxy;
mod binaries;
mod cells;
mod config_away;
mod engines;
mod everything_dies;
mod few;
mod importer;
mod load;
mod takeover;
mod tiered;
mod topic;
mod whole;

use test_servers::{Server, available};
use tokio::sync::Mutex;

use self::whole::Cluster;

/// Each of these tests needs the whole machine.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_count_every_hit_once_whichever_of_them_dies() {
    if !available(&[Server::Pulsar, Server::Tikv, Server::Haproxy]) {
        return;
    }
    let _alone = ONE_AT_A_TIME.lock().await;
    let mut cluster = Cluster::start().await;
    takeover::scenario(&mut cluster).await;
    config_away::scenario(&mut cluster).await;
    behind_haproxy::scenario(&mut cluster).await;
    everything_dies::scenario(&mut cluster).await;
    binaries::scenario(&cluster.engines).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_that_was_moved_to_files_is_folded_to_the_same_cells() {
    if !available(&[Server::Pulsar, Server::Tikv]) {
        return;
    }
    let _alone = ONE_AT_A_TIME.lock().await;
    tiered::to_files().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_that_was_moved_to_s3_is_folded_to_the_same_cells() {
    if !available(&[Server::Pulsar, Server::Tikv, Server::S3]) {
        return;
    }
    let _alone = ONE_AT_A_TIME.lock().await;
    tiered::to_s3().await;
}
