//! The service over loopback, with the embedded log and store: what each client gets, and that an ack means durable.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

#[path = "end_to_end/http.rs"]
mod http;
#[path = "end_to_end/log.rs"]
mod log;
#[path = "end_to_end/misbehaving.rs"]
mod misbehaving;
#[path = "end_to_end/pressure.rs"]
mod pressure;
#[path = "end_to_end/server.rs"]
mod server;
#[path = "end_to_end/stream.rs"]
mod stream;
