//! The hitmill binary.
fn main() {}
