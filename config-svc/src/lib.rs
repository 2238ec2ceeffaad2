//! Owns merchants, data streams, keys and rules.
