//! The versioned snapshot of configuration, watched.
