//! The commands, one file for each.

pub(crate) mod audit;
pub(crate) mod bench;
pub(crate) mod changes;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod key;
pub(crate) mod merchant;
pub(crate) mod query;
pub(crate) mod serve;
pub(crate) mod settings;
pub(crate) mod stream;
pub(crate) mod topic;
pub(crate) mod up;
pub(crate) mod watch;

mod asked;
mod numbers;
mod shown;
