//! The event log: the partitioned, replayable sequence of records that ingest appends and rollup folds.
//!
//! [`EventLog`] is the seam, [`conformance`] is its test suite, word for word the same for every back end, and
//! [`embedded`] is the back end that needs nothing installed, [`pulsar`] the one of many machines.

mod error;
mod log;

pub mod conformance;
pub mod embedded;
pub mod pulsar;

pub use error::{Error, Result};
pub use log::{Chunk, Entry, EventLog, MAX_RECORD_BYTES};
