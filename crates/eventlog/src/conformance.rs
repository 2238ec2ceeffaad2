//! The conformance suite of [`crate::EventLog`].
