//! Web servers' logs in common and combined format, as Apache and nginx write them: lines into entries, entries into
//! hits. Nothing here reads a file or sends anything. docs/semantics.md states the rule of what counts as a page view.

mod batches;
mod entry;
mod fingerprint;
mod hit;
mod lines;
mod page;
mod request;
mod scan;
mod take;

pub use batches::Batches;
pub use entry::Unreadable;
pub use fingerprint::fingerprint;
pub use hit::Counting;
pub use lines::{Line, Lines, Source};
pub use take::{Untaken, take};
