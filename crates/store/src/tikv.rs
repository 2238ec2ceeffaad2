//! The store of many machines: transactions of TiKV.
//!
//! The client is behind the cargo feature `tikv`; what an operator sets is always here, so that a build without it can say
//! what it lacks.

mod settings;

pub use settings::Settings;
