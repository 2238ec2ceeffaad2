//! The contract of hitmill: the generated wire types, a borrowed walk over hits, the JSON mapping, and the only maker of
//! a gRPC status.

pub mod json;
pub mod status;
mod time;
pub mod wire;

pub use time::wire_time;

/// Messages, clients and servers of `hitmill.v1`, generated from `proto/hitmill/v1`.
#[allow(
    missing_docs,
    clippy::all,
    clippy::allow_attributes,
    reason = "generated: only some of it lacks comments"
)]
pub mod v1 {
    include!("gen/hitmill.v1.rs");
}

/// The server of `IngestService` whose requests stay encoded: see [`wire`].
#[allow(
    missing_docs,
    clippy::all,
    clippy::allow_attributes,
    reason = "generated: only some of it lacks comments"
)]
pub mod raw {
    include!("gen/raw_server.rs");
}

/// The encoded `FileDescriptorSet` of the contract, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!("gen/descriptors.bin");
