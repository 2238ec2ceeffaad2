//! Folds hits into cells, exactly once.
