#![doc = include_str!("../README.md")]

pub use client::{Client, ClientBuilder};
pub use error::{BuildError, SendError};
pub use hit::{Hit, Value};
pub use proto::v1::{Codec, Context, RefusalReason};
pub use sender::{ClientBatch, FrameAck, Refusal, Sender, SenderBuilder};
pub use stats::{LinkState, Refusals, Stats};
#[doc(hidden)]
pub use world::{Later, World};

mod client;
mod sender;

mod error;
mod hit;
mod stats;

mod core;
mod disk;
mod driver;
mod server;
mod shared;
mod transport;
mod wire;
mod world;

/// How this SDK names itself to the server.
fn sdk() -> proto::v1::Sdk {
    proto::v1::Sdk { name: "hitmill-rust".into(), version: env!("CARGO_PKG_VERSION").into() }
}
