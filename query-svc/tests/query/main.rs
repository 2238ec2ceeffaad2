//! query-svc over a store whose cells are written by hand, hit by hit.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail the test")]

mod auditing;
mod caching;
mod counting;
mod doors;
mod watching;

mod memory;
mod world;
