/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Send hits into one data stream. Public: it is in pages and apps.
    Write,
    /// Read one merchant's numbers and configuration. Secret.
    Read,
    /// Everything, for every merchant. Secret, the operator's.
    Admin,
}

impl Role {
    /// The name in listings, and the letter in a key's prefix.
    pub fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }
}

/// Which rules of time a hit is admitted under.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lane {
    /// From an SDK: hits older than [`crate::limits::MAX_AGE_MS`] are refused, and clocks are corrected.
    #[default]
    Live,
    /// Imported history, with an admin key: any age, times taken as they are.
    History,
}
