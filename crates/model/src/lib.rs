//! The nouns of hitmill and their limits. No I/O, no async, no clock.

mod cube;
mod currency;
mod error;
mod fate;
mod hash;
mod id;
pub mod limits;
mod metric;
mod name;
mod role;
mod time;

pub use cube::{Cube, Dimension};
pub use currency::{Currency, Money};
pub use error::{Invalid, Kind};
pub use fate::{Fate, Refusal};
pub use hash::stable_hash;
pub use id::{DataStreamId, Generation, MerchantId, Partition, Position};
pub use metric::Metric;
pub use name::EventName;
pub use role::{Lane, Role};
pub use time::{Hour, Timestamp};
