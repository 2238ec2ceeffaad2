//! Mergeable summaries under one law: whatever the order and grouping in which parts are merged, the whole is the same.
//! That is what lets hits arrive late, partitions be summed, and history be folded again to the same bytes.

pub mod codec;
mod counts;
mod distinct;
mod hll;
mod merge;
mod money;
mod quantiles;
mod row;

pub use counts::Counts;
pub use distinct::{Distinct, Estimate, RELATIVE_ERROR, Union};
pub use merge::Merge;
pub use money::{MoneySum, MoneySums};
pub use quantiles::{Quantiles, VALUE_ERROR};
pub use row::{Quarters, Row, Slot};
