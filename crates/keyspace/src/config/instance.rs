//! Identity of this installation's data: made at its first start, never changed. Whoever resumes by a position or a
//! version of it says the identity too, so that it is noticed when the data was replaced.
//!
//! ```text
//! key    01
//! value  text, made by the host
//! ```

use bytes::Bytes;

const PREFIX: u8 = 0x01;

/// The one key.
pub fn key() -> Bytes {
    Bytes::from_static(&[PREFIX])
}
