//! Laws of what reads bytes from outside. A target takes any bytes and fails if a law does not hold for them; that it
//! returns at all is the first law. A test calls them on every run of CI (`tests/smoke.rs`), and any fuzzer can.

mod damage;
mod import;
mod json;
mod log;
mod merge;
mod query;
pub mod seeds;
mod store;
mod values;
mod wire;

pub use import::import;
pub use json::json;
pub use log::log;
pub use merge::merge;
pub use query::query;
pub use store::store;
pub use values::values;
pub use wire::wire;

/// A target: any bytes may come.
pub type Target = fn(&[u8]);

/// All targets, by name; `corpus/NAME` has the bytes to begin with.
pub const TARGETS: [(&str, Target); 8] = [
    ("wire", wire),
    ("values", values),
    ("merge", merge),
    ("query", query),
    ("json", json),
    ("import", import),
    ("log", log),
    ("store", store),
];
