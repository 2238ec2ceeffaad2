//! Every persisted key and value, one file per family.
