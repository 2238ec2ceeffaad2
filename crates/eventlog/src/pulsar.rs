//! The log of many machines: a partitioned topic of Apache Pulsar, with one message for each record.
//!
//! The client is behind the cargo feature `pulsar`; what an operator sets is always here, so that a build without it can
//! say what it lacks.

mod settings;

pub use settings::Settings;
