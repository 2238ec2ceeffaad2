//! The load generator and the published figures.
