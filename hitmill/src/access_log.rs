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

pub(crate) use batches::Batches;
pub(crate) use entry::Unreadable;
pub(crate) use fingerprint::fingerprint;
pub(crate) use hit::Counting;
pub(crate) use lines::{Line, Lines, Source};
pub(crate) use take::{Untaken, take};
