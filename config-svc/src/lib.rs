//! config-svc: owns merchants, data streams and keys, each change a new version with author and time.
//!
//! What a request comes to is decided by the plain functions of [`decide`], which see the configuration, the time and
//! some randomness; [`Writer`] commits what they planned, and `rpc` speaks to the callers.

mod bootstrap;
mod error;
mod rpc;
mod secret;
mod service;
mod settings;
mod validate;
mod writer;

pub mod decide;

pub use bootstrap::bootstrap;
pub use error::{Error, Result};
pub use rpc::Rpc;
pub use service::Config;
pub use settings::Settings;
pub use writer::Writer;
