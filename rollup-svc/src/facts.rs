//! What a hit counts for: the values of its dimensions, what it adds to counts and sums, which goals it reaches. Worked out
//! once, when it is folded, under the rules that it is folded under, and packed: the same bytes are counted now, and taken back
//! later if the session that the hit belongs to turns out to be another one.

mod acquisition;
mod address;
mod commerce;
mod packed;
mod read;
#[cfg(test)]
mod tests;

pub use acquisition::{ACQUISITION, Acquisition};
pub use address::{host, path};
pub(crate) use packed::value_of;
pub use packed::{Builder, FactsRef, HIT, ITEM, ItemFacts, as_duplicate};
pub use read::{Reading, read};

/// The value where nothing is known.
pub const NOT_SET: &str = "(not set)";
/// The value where there is known to be nothing: no referrer, no medium.
pub const NONE: &str = "(none)";
/// The source of a visit that no other site and no campaign led to.
pub const DIRECT: &str = "(direct)";
