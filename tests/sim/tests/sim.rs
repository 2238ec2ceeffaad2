//! Determinism first, then seeds, then every crash point.
