//! The catalog from outside.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod snapshot;
mod support;
mod wire;
