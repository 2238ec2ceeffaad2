//! Real servers for tests and for development by hand: Apache Pulsar, PD with stores of TiKV's protocol, HAProxy, S3.
//!
//! A test begins with [`available`], which skips it where the machine lacks the tools, and starts what it needs: on
//! loopback, on free ports, with its data in a temporary folder. Dropped, or when the test process dies in whatever way,
//! the server is killed and the folder removed. What is not there yet is fetched into a cache at the first start, which
//! takes minutes; `./dev servers fetch` does it beforehand.

mod by_hand;
mod cache;
mod fetch;
mod haproxy;
mod http;
mod keeper;
mod link;
mod ports;
mod process;
mod pulsar;
mod s3;
mod tikv;
mod tools;

pub use by_hand::{down, status, up, wipe};
pub use fetch::fetch;
pub use haproxy::Haproxy;
pub use http::Reply;
pub use keeper::Keeper;
pub use link::Link;
pub use ports::free_port;
pub use pulsar::{ACCESS_KEY, Offload, Pulsar, PulsarOptions, SECRET_KEY};
pub use s3::S3;
pub use tikv::{Pd, Region, Tikv};
pub use tools::{Server, available};

/// Runs what blocks, such as fetching, where it does not hold up the other tasks of a test.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await?
}
