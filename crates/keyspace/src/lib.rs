//! Every key and value that is persisted, one file per family, with its layout drawn on top.
//!
//! ```text
//! first byte   family                                      file
//! 0x01, 0x02   instance id, and the name of its log        config/instance.rs
//! 0x10         cells                                       cell.rs
//! 0x11         versions of the hours of a day              touched.rs
//! 0x12         progress of a merchant in a partition       progress.rs
//! 0x13         visitor state, in buckets                   visitor.rs
//! 0x14         fates of hits by hour of receipt            fate.rs
//! 0x15         checkpoint of a partition                   checkpoint.rs
//! 0x16         members, and leases of partitions           lease.rs
//! 0x17         newest generation                           folded.rs
//! 0x20..0x25   configuration                               config.rs
//! (the log)    records                                     record.rs
//! ```
//!
//! Keys are big-endian numbers and sort as what they stand for; no family is a prefix of another. Values start with a
//! version byte.

pub mod cell;
pub mod checkpoint;
pub mod config;
pub mod fate;
pub mod fault;
pub mod folded;
mod key;
pub mod lease;
pub mod progress;
pub mod record;
pub mod touched;
pub mod visitor;

pub use aggregate::codec::Malformed;
pub use key::after;
