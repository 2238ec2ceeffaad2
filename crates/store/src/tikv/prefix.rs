//! What stands in front of every key of an installation.

use bytes::Bytes;

/// No setting of the prefix may hold it, so no prefix with it is the beginning of another.
const SEPARATOR: u8 = b'/';

#[derive(Clone, Debug)]
pub(super) struct Prefix(Bytes);

impl Prefix {
    pub(super) fn new(installation: &str) -> Self {
        let mut bytes = installation.as_bytes().to_vec();
        bytes.push(SEPARATOR);
        Self(bytes.into())
    }

    /// The key as TiKV has it.
    pub(super) fn add(&self, key: &[u8]) -> Vec<u8> {
        [&self.0, key].concat()
    }

    /// The key as the caller has it.
    pub(super) fn remove(&self, key: Vec<u8>) -> Bytes {
        // TiKV answers with keys of the range that it was asked for, and those have it.
        debug_assert!(key.starts_with(&self.0));
        Bytes::from(key).slice(self.0.len()..)
    }
}

#[cfg(test)]
mod tests {
    use super::Prefix;

    #[test]
    fn one_installation_is_never_within_another() {
        let of = |installation: &str| Prefix::new(installation).add(b"");
        for (one, other) in [("a", "ab"), ("a", "a-b"), ("prod", "prod2"), ("A", "a")] {
            assert!(!of(other).starts_with(&of(one)) && !of(one).starts_with(&of(other)), "{one}, {other}");
        }
    }

    #[test]
    fn keys_come_back_and_keep_their_order() {
        let prefix = Prefix::new("prod");
        let keys: [&[u8]; 5] = [b"", b"\0", b"a", b"a\0", b"\xff\xff"];
        for pair in keys.windows(2) {
            assert!(prefix.add(pair[0]) < prefix.add(pair[1]));
        }
        for key in keys {
            assert_eq!(prefix.remove(prefix.add(key)), key);
        }
    }
}
