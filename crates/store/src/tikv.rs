//! The store of many machines: transactions of TiKV.
//!
//! The client is behind the cargo feature `tikv`; what an operator sets is always here, so that a build without it can say
//! what it lacks. docs/decisions/0011-tikv.md has the reasons, and what was measured.
//!
//! It counts `hitmill_store_retries_total` by what was done, `hitmill_store_write_conflicts_total` (another commit came
//! first, so the requirements were looked at again), `hitmill_store_conflicts_total` (a requirement did not hold),
//! `hitmill_store_settled_total` by outcome (commits whose answer was lost), `hitmill_store_orphans_total` (clients
//! that died in the middle of a commit), `hitmill_store_reconnects_total` and `hitmill_store_collections_total`.

mod settings;

#[cfg(feature = "tikv")]
mod collect;
#[cfg(feature = "tikv")]
mod commit;
#[cfg(feature = "tikv")]
mod connection;
#[cfg(feature = "tikv")]
mod failure;
#[cfg(feature = "tikv")]
mod prefix;
#[cfg(feature = "tikv")]
mod settle;
#[cfg(feature = "tikv")]
mod store;
#[cfg(feature = "tikv")]
mod view;
#[cfg(feature = "tikv")]
mod wish;

pub use settings::Settings;
#[cfg(feature = "tikv")]
pub use store::TikvStore;
