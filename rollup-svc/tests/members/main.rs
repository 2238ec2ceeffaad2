//! Several members over one log and one store, on the real embedded back ends: they share the partitions, take over from
//! those that die, and whatever happens to them the cells are those of one worker that folds alone.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail the test")]

mod alone;
mod joining;
mod rewinding;
mod stopping;
mod taking_over;

mod cluster;
mod load;
mod taps;
mod watermark;
