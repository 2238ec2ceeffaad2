//! The embedded log: segment files, group commit, nothing to install.
