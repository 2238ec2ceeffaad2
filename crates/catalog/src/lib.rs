//! The catalog: the versioned configuration of every merchant, held in memory and watched.
//!
//! A [`Catalog`] is a handle on the newest [`Snapshot`], which never changes: whoever holds one sees one version for as
//! long as it likes. A change makes a new snapshot that shares almost everything with the one before.

mod catalog;
mod denied;
mod error;
mod grant;
mod item;
mod load;
mod secret;
mod snapshot;
mod wire;

pub mod remote;

pub use catalog::Catalog;
pub use denied::{Denied, bearer};
pub use error::{Error, Result};
pub use grant::Grant;
pub use item::{DataStream, Item, Key, Merchant, Platform};
pub use load::{Change, changes, counters, read_change};
pub use secret::{Hash, hash, key_id};
pub use snapshot::Snapshot;
