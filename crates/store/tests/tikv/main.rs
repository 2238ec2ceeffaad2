//! The store on TiKV, against a real placement driver and stores of TiKV's protocol.

#![expect(clippy::unwrap_used, reason = "a test")]

mod cluster;
mod conforms;
