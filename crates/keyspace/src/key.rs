use std::ops::Range;

use bytes::Bytes;

/// Builds a key from its parts.
#[derive(Clone)]
pub(crate) struct KeyBuilder(Vec<u8>);

impl KeyBuilder {
    pub(crate) fn family(prefix: u8) -> Self {
        let mut key = Vec::with_capacity(32);
        key.push(prefix);
        Self(key)
    }

    /// Every key of a family.
    pub(crate) fn all(prefix: u8) -> Range<Bytes> {
        Self::family(prefix).build()..Self::family(prefix).end()
    }

    pub(crate) fn u8(mut self, n: u8) -> Self {
        self.0.push(n);
        self
    }

    pub(crate) fn u16(mut self, n: u16) -> Self {
        self.0.extend_from_slice(&n.to_be_bytes());
        self
    }

    pub(crate) fn u32(mut self, n: u32) -> Self {
        self.0.extend_from_slice(&n.to_be_bytes());
        self
    }

    pub(crate) fn u64(mut self, n: u64) -> Self {
        self.0.extend_from_slice(&n.to_be_bytes());
        self
    }

    pub(crate) fn build(self) -> Bytes {
        self.0.into()
    }

    /// The first key after all that start with these parts.
    pub(crate) fn end(mut self) -> Bytes {
        while let Some(last) = self.0.pop() {
            if last < u8::MAX {
                self.0.push(last + 1);
                break;
            }
        }
        self.0.into()
    }
}

/// Reads `N` bytes of a key at `at`.
pub(crate) fn part<const N: usize>(key: &[u8], at: usize) -> Option<[u8; N]> {
    key.get(at..at + N)?.try_into().ok()
}

/// The least key after `key`: where a scan goes on.
pub fn after(key: &[u8]) -> Bytes {
    let mut next = Vec::with_capacity(key.len() + 1);
    next.extend_from_slice(key);
    next.push(0);
    next.into()
}
