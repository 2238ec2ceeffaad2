//! Identity of this installation's data: made at its first start, never changed. Whoever resumes by a position or a
//! version of it says the identity too, so that it is noticed when the data was replaced.
//!
//! ```text
//! key    01
//! value  text, made by the host
//!
//! key    02
//! value  text, which event log the cells are folded from
//! ```

use bytes::Bytes;

pub(super) const FAMILY: u8 = 0x01;
pub(super) const LOG: u8 = 0x02;

/// The one key.
pub fn key() -> Bytes {
    Bytes::from_static(&[FAMILY])
}

/// The key of the event log's name.
pub fn log_key() -> Bytes {
    Bytes::from_static(&[LOG])
}
