//! Answers queries and streams live results.
//!
//! The way of a query: [`text`] (words of people) → [`ask`] (checked) → [`plan`] (what to read) → [`execute`] (from
//! one snapshot, through [`cache`]) → [`merge`] (rows) → [`render`] (JSON or CSV). [`live`] does it again whenever
//! something changed, and sends the difference; [`Picture`] puts it together again; [`audit`] counts the event log against the cells.

pub mod text;

pub mod ask;
pub mod plan;

pub mod cache;
pub mod execute;
pub mod merge;

pub mod render;

pub mod audit;
pub mod live;

mod error;
mod filter;
mod http;
mod outlet;
mod picture;
mod rpc;
mod service;
mod settings;
mod zone;

pub use ask::Ask;
pub use error::{Error, Result};
pub use filter::Filter;
pub use outlet::Stream;
pub use picture::Picture;
pub use service::Query;
pub use settings::Settings;
pub use zone::Zone;
