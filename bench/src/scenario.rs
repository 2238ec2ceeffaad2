//! The scenarios. Each fails if a single hit is missing from the answers: a figure of a system that lost one is worth
//! nothing.

pub(crate) mod filled;
pub(crate) mod ingest;
pub(crate) mod latency;
pub(crate) mod query;

mod check;
