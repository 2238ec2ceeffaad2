//! The log of many machines: a partitioned topic of Apache Pulsar, with one message for each record.
//!
//! The client is behind the cargo feature `pulsar`; what an operator sets is always here, so that a build without it can
//! say what it lacks.

mod settings;

#[cfg(feature = "pulsar")]
mod admin;
#[cfg(feature = "pulsar")]
mod broadcast;
#[cfg(feature = "pulsar")]
mod cursor;
#[cfg(feature = "pulsar")]
mod cursors;
#[cfg(all(test, feature = "pulsar"))]
mod fake;
#[cfg(feature = "pulsar")]
mod hints;
#[cfg(feature = "pulsar")]
mod ledgers;
#[cfg(feature = "pulsar")]
mod link;
#[cfg(feature = "pulsar")]
mod log;
#[cfg(feature = "pulsar")]
mod part;
#[cfg(feature = "pulsar")]
mod partitions;
#[cfg(feature = "pulsar")]
mod producers;
#[cfg(feature = "pulsar")]
mod setup;
#[cfg(feature = "pulsar")]
mod topic;

pub use settings::Settings;

#[cfg(feature = "pulsar")]
pub use self::{
    broadcast::{Broadcast, Heard},
    ledgers::Ledger,
    log::PulsarLog,
    topic::{Status, Topic},
};
