//! The host: the only way in which a service runs, all of them in one process or one alone.
//!
//! A [`Service`] is given a [`Platform`] (log, store, clock, catalog, feed) and its settings, and gives back what it
//! serves. The [`Host`] owns everything around it: the listener, the middleware stack, telemetry, and the drain.

mod service;

pub mod platform;

mod allocator;
mod alone;
mod prepared;

mod feed;
mod health;
mod host;
mod lobby;
mod pages;
mod server;
mod signal;
mod stack;

pub mod settings;
pub mod telemetry;

pub use allocator::keep_freed_memory;
pub use alone::{main, run};
pub use feed::{Change, Feed, FeedEvent};
pub use host::Host;
pub use platform::{Backends, Platform};
pub use prepared::{Prepared, prepare};
pub use server::{Connection, Listen, bind};
pub use service::{Drains, Served, Service};
pub use settings::Settings;
pub use signal::shutdown_signal;
