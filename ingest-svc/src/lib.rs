//! Admits hits: key, quota, shape, route, durable append, acknowledgement.
//!
//! A frame passes the `door` once (who may send, for whom), then `intake` decides on its batches: `admit` which hits are
//! taken, `quota` how many. `gather` makes records of them, `flight` keeps the order of what is under way, and `credit` and
//! `budget` bound it. `stream`, `send` and `http` only carry. docs/protocol.md is what a client sees of it.

mod settings;

mod service;

mod http;
mod rpc;
mod send;
mod stream;

mod shared;

mod door;

mod admit;
mod intake;
mod quota;

mod budget;
mod credit;
mod desk;
mod flight;
mod gather;
mod outbox;
mod refusals;
mod slots;

mod error;
mod telemetry;

pub use service::Ingest;
pub use settings::Settings;
