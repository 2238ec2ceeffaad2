//! Web servers' logs in common and combined format, as Apache and nginx write them: lines into entries, entries into
//! hits. Nothing here reads a file or sends anything. docs/semantics.md states the rule of what counts as a page view.

mod batches;
mod entry;
mod hit;
mod lines;
mod page;
mod request;
mod scan;

pub(crate) use batches::Batches;
pub(crate) use entry::{Entry, Unreadable};
pub(crate) use hit::{Counting, hit};
pub(crate) use lines::{Line, Lines};
