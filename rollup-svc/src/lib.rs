//! The rollup service: folds the hits of the event log into cells, exactly once.
//!
//! Everything that decides is a plain function: [`facts`] (what a hit counts for), [`filter`] (is it left out), [`dedupe`] (did
//! it come before), [`session`] (which sessions it makes), [`tally`] (which rows of which cubes that changes), [`fold`] (all of
//! it, into a merchant's state), [`flush`] (that state into one atomic commit), [`ownership::decide`] (which process folds which partition). Two carry: a [`worker`] reads the records of
//! its partition, folds them, commits; a [`ownership::Member`] has as many workers as partitions.

pub mod agent;
pub mod channel;
pub mod dedupe;
mod error;
pub mod facts;
pub mod filter;
pub mod flush;
pub mod fold;
pub mod holding;
pub mod ownership;
pub mod rewind;
pub mod rulebook;
mod service;
pub mod session;
mod settings;
pub mod staging;
pub mod state;
pub mod tally;
pub mod worker;

pub use error::{Error, Result};
pub use service::Rollup;
pub use settings::Settings;
