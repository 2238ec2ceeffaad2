//! The catalog from outside.

mod snapshot;
mod support;
mod wire;
