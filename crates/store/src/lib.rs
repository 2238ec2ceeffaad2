//! The store: ordered bytes with consistent snapshots and atomic, conditional commits.
//!
//! [`Store`] is the seam, [`conformance`] is its test suite, word for word the same for every back end, and
//! [`embedded`] is the back end that needs nothing installed, [`tikv`] the one of many machines.

mod error;
mod traits;

pub mod conformance;
pub mod embedded;
pub mod tikv;

pub use error::{Error, Result};
pub use traits::{Batch, MAX_KEY_BYTES, Pair, Require, Snapshot, Store, Write};
