//! The nouns of hitmill and their limits. No I/O, no async, no clock.

mod count;
mod cube;
mod currency;
mod dimension;
mod error;
mod fate;
mod hash;
mod id;
pub mod limits;
mod metric;
mod money_kind;
mod name;
mod param;
mod parts;
mod role;
mod time;

pub use count::Count;
pub use cube::CubeId;
pub use currency::{Currency, Money};
pub use dimension::{Dimension, Scope};
pub use error::{Invalid, Kind};
pub use fate::{Fate, Refusal};
pub use hash::stable_hash;
pub use id::{DataStreamId, Generation, MerchantId, Partition, Position};
pub use metric::{Metric, Ratio, Unit};
pub use money_kind::MoneyKind;
pub use name::EventName;
pub use param::ParamName;
pub use parts::Parts;
pub use role::{Lane, Role};
pub use time::{Hour, Timestamp};
