//! The SDK against a server that does what the test says, over real connections.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod client;
mod disk;
mod mock;
mod sender;
