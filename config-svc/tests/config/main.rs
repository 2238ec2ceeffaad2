//! config-svc from outside: what is decided, and what a caller sees of it.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail the test")]

mod apart;
mod decide;
mod laws;
mod service;
mod support;
mod watch;
mod wire;
