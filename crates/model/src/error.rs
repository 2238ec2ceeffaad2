use thiserror::Error;

/// What a failure means to the one who asked. Every error of hitmill classifies itself as one of these, and one
/// function in `proto` turns it into a gRPC status or an HTTP code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request is at fault; sending it again as it is will fail again.
    Invalid,
    /// No such merchant, data stream, key or page.
    NotFound,
    /// It is there already.
    Exists,
    /// No key, an unknown key or a revoked one.
    Unauthenticated,
    /// The key is good but not for this.
    Forbidden,
    /// A quota or a limit is used up; later it may work.
    Exhausted,
    /// Somebody else changed it first: read again and retry.
    Conflict,
    /// Not now (starting, draining, disk full, store away): retry.
    Unavailable,
    /// Stored bytes are not what was written.
    Corrupt,
    /// The outcome is unknown: read before doing it again.
    Unknown,
    /// A defect of ours.
    Internal,
}

/// A value that is not allowed, with what is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what} {value:?} is not allowed: {allowed}")]
pub struct Invalid {
    /// What the value was meant to be.
    pub what: &'static str,
    /// The value as given, cut to a readable length.
    pub value: String,
    /// What would have been accepted.
    pub allowed: String,
}

impl Invalid {
    /// Says that `value` is no `what`, because only `allowed` is.
    pub fn new(what: &'static str, value: impl AsRef<str>, allowed: impl Into<String>) -> Self {
        const SHOWN: usize = 80;
        let value = value.as_ref();
        let mut shown: String = value.chars().take(SHOWN).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        Self { what, value: shown, allowed: allowed.into() }
    }

    /// Always [`Kind::Invalid`].
    pub fn kind(&self) -> Kind {
        Kind::Invalid
    }
}
