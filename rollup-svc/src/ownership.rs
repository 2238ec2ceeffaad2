//! Which process folds which partition. Every process is a member: it beats, looks at all members and leases, and takes
//! or hands over partitions until each living member has its share.
//!
//! [`decide`] and [`Liveness`] decide and are plain; [`Member`] carries. None of it is for safety: a worker that folds a
//! partition of somebody else fails at its commit.

mod beating;
mod changes;
mod decide;
mod liveness;
mod looking;
mod member;
mod workers;

pub use decide::{Moves, Seen, Standing, decide};
pub use liveness::Liveness;
pub use looking::{View, look};
pub use member::Member;
pub(crate) use workers::unless_panicked;
