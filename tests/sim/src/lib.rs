//! The real admission, fold, commit, query and SDK code on a simulated clock, network, disk and scheduler. Everything that
//! happens follows from one seed: the same seed twice does the same to the last byte.
//!
//! [`run`] runs a [`Plan`]: servers and clients that end in the middle of any call and begin again, disks that forget what
//! was not synced, run full and fail, a store that owes no more than its trait says, a network that parts and holds back,
//! clocks that jump. Meanwhile a reader asks and subscribes; in the end everything that was counted is held against what
//! the clients know that they did.

#![expect(clippy::expect_used, reason = "it runs in tests only: a panic is a failure with its seed")]

pub use alone::{all_repairs, all_retentions};
pub use apart::{Task, all_crash_points, run_all};
pub use plan::{Faults, Plan};
pub use world::{Report, run};

mod alone;
mod apart;
mod plan;
mod world;

mod client;
mod reader;
mod server;
mod unruly;

mod checker;
mod ledger;

mod disk;
mod log;
mod net;
mod platter;
mod store;

mod dice;
mod entropy;
mod life;
mod trace;
