use std::fmt;

/// The number of a cube: a set of dimensions that is rolled up together. It is part of every cell's key and never comes to
/// mean another set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CubeId(pub u16);

impl CubeId {
    /// No dimension: one row, with the empty value.
    pub const TOTAL: Self = Self(0);
    /// One row for each minute of the hour, whose value is the minute as one byte. Kept for two days.
    pub const MINUTE: Self = Self(1);
    /// The first one that a merchant's own report can have.
    pub const FIRST_OWN: Self = Self(256);
}

impl fmt::Display for CubeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
