//! The conformance suite of [`crate::Store`].
