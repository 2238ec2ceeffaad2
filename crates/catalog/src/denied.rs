use std::sync::Arc;

use model::{Kind, MerchantId, Role, Timestamp};
use thiserror::Error;

/// Why a key was not accepted. Messages name keys by id, never by secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Denied {
    /// No key was given.
    #[error("no key was given: send `authorization: Bearer KEY`")]
    Missing,
    /// The authorization header is not a bearer's.
    #[error("the authorization header is not understood: send `authorization: Bearer KEY`")]
    Malformed,
    /// A well-formed key that never existed here, or whose secret is wrong.
    #[error("key {id} is not known here, or its secret is not right")]
    Unknown {
        /// Its id.
        id: Box<str>,
    },
    /// Text that is no key of this installation, nor looks like one.
    #[error("the key is not known here: keys look like hm_w_…, hm_r_… or hm_a_…")]
    Unrecognised,
    /// What is not known here may have been made elsewhere, and the store does not answer.
    #[error(
        "the configuration cannot be read now, and what is asked for is not known yet: try again in a moment"
    )]
    Undecided,
    /// The key was revoked.
    #[error("key {id} was revoked at {at}")]
    Revoked {
        /// Its id.
        id: Arc<str>,
        /// When.
        at: Timestamp,
    },
    /// The key may not do this to this merchant.
    #[error("key {id} is a {role} key: reading merchant {merchant} needs its read key or an admin key", role = .role.name())]
    NotReader {
        /// Its id.
        id: Arc<str>,
        /// What it may do.
        role: Role,
        /// The merchant asked for.
        merchant: MerchantId,
    },
    /// The key is a read key, but of another merchant.
    #[error("key {id} reads another merchant than {merchant}: that needs its own read key or an admin key")]
    OtherMerchant {
        /// Its id.
        id: Arc<str>,
        /// The merchant asked for.
        merchant: MerchantId,
    },
    /// The key is not an admin's.
    #[error("key {id} is a {role} key: this needs an admin key", role = .role.name())]
    NotAdmin {
        /// Its id.
        id: Arc<str>,
        /// What it may do.
        role: Role,
    },
}

impl Denied {
    /// What it means to the one who asked.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Missing
            | Self::Malformed
            | Self::Unknown { .. }
            | Self::Unrecognised
            | Self::Revoked { .. } => Kind::Unauthenticated,
            Self::NotReader { .. } | Self::OtherMerchant { .. } | Self::NotAdmin { .. } => Kind::Forbidden,
            Self::Undecided => Kind::Unavailable,
        }
    }

    /// Whether a newer configuration than the one that was looked at may say otherwise.
    pub fn may_be_old(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::Unrecognised)
    }
}

/// The key in an `authorization` header, be it of HTTP or of gRPC: `Bearer KEY`.
pub fn bearer(authorization: Option<&[u8]>) -> Result<&str, Denied> {
    let header = std::str::from_utf8(authorization.ok_or(Denied::Missing)?).map_err(|_| Denied::Malformed)?;
    match header.trim().split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => Ok(key.trim_start()),
        _ => Err(Denied::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_found_behind_bearer() {
        assert_eq!(bearer(Some(b"Bearer hm_w_1_2")), Ok("hm_w_1_2"));
        assert_eq!(bearer(Some(b"bearer  key with spaces ")), Ok("key with spaces"));
        assert_eq!(bearer(None), Err(Denied::Missing));
        for wrong in [&b""[..], b"Bearer", b"Basic abc", b"hm_w_1_2", b"Bearer \xff"] {
            assert_eq!(bearer(Some(wrong)), Err(Denied::Malformed), "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn messages_say_what_is_needed() {
        let denied = Denied::Revoked { id: "hm_r_1a2B3c4D".into(), at: Timestamp(1_431_859_623_000) };
        assert_eq!(denied.to_string(), "key hm_r_1a2B3c4D was revoked at 2015-05-17T10:47:03Z");
        let denied = Denied::NotAdmin { id: "hm_r_1a2B3c4D".into(), role: Role::Read };
        assert_eq!(denied.to_string(), "key hm_r_1a2B3c4D is a read key: this needs an admin key");
    }
}
