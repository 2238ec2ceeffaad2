//! The log in Apache Pulsar: the conformance suite, and what only a log of many machines owes. Against real brokers.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod broadcast;
mod conformance;
mod faults;
mod figures;
mod load;
mod opening;
mod retention;
mod server;
mod tiered;
mod together;
