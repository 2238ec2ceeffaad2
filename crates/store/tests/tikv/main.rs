//! The store on TiKV, against a real placement driver and stores of TiKV's protocol.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod books;
mod cluster;
mod conforms;
mod failover;
mod faults;
mod figures;
mod killed_client;
mod orphans;
mod together;
mod wire;
