//! The small alphabet that persisted values are written in: LEB128 varints, zigzag for signed numbers, and byte strings
//! with their length before them.

use thiserror::Error;

/// Stored bytes that are not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// The bytes end too early.
    #[error("the value ends in its middle")]
    Short,
    /// Bytes are left over.
    #[error("the value has {0} bytes too many")]
    Long(usize),
    /// What nobody writes.
    #[error("the value has {0}")]
    Impossible(&'static str),
    /// A version or a tag that is not known: a later version writes it.
    #[error("{what} {found} is not known")]
    Unknown {
        /// What it was read as.
        what: &'static str,
        /// What was found.
        found: u64,
    },
}

/// Appends a varint.
pub fn put_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Appends a signed number, small magnitudes in few bytes.
pub fn put_signed(out: &mut Vec<u8>, n: i128) {
    let mut zigzag = ((n << 1) ^ (n >> 127)) as u128;
    while zigzag >= 0x80 {
        out.push(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    out.push(zigzag as u8);
}

/// Appends a byte string with its length.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads what the `put_` functions wrote.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Fails if anything is left.
    pub fn end(&self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed::Long(self.rest.len())) }
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, Malformed> {
        self.take(1).map(|b| b[0])
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Malformed::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed::Short)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// A varint.
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        let n = self.wide(10)?;
        u64::try_from(n).map_err(|_| Malformed::Impossible("a number above 64 bits"))
    }

    /// A varint that counts things which take at least one byte each: never more than there are bytes left.
    pub fn count(&mut self) -> Result<usize, Malformed> {
        let n = self.varint()?;
        usize::try_from(n).ok().filter(|n| *n <= self.rest.len()).ok_or(Malformed::Short)
    }

    /// A signed number.
    pub fn signed(&mut self) -> Result<i128, Malformed> {
        let zigzag = self.wide(19)?;
        Ok(((zigzag >> 1) as i128) ^ -((zigzag & 1) as i128))
    }

    /// A byte string with its length.
    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.count()?;
        self.take(len)
    }

    /// Everything that was not read yet.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// What lies between this reader and one that has read on from it.
    pub fn until(&self, later: &Self) -> &'a [u8] {
        &self.rest[..self.rest.len().saturating_sub(later.rest.len())]
    }

    fn wide(&mut self, most: usize) -> Result<u128, Malformed> {
        let mut n = 0;
        for (i, byte) in self.rest.iter().take(most).enumerate() {
            n |= u128::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[i + 1..];
                return Ok(n);
            }
        }
        Err(Malformed::Short)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_put_is_read(n: u64, signed: i128, bytes: Vec<u8>) {
            let mut out = Vec::new();
            put_varint(&mut out, n);
            put_signed(&mut out, signed);
            put_bytes(&mut out, &bytes);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.varint(), Ok(n));
            prop_assert_eq!(reader.signed(), Ok(signed));
            prop_assert_eq!(reader.bytes(), Ok(&*bytes));
            prop_assert_eq!(reader.end(), Ok(()));
        }

        #[test]
        fn rubbish_is_refused_or_read_but_never_panics(rubbish: Vec<u8>) {
            let mut reader = Reader::new(&rubbish);
            while reader.varint().is_ok() && reader.signed().is_ok() && reader.bytes().is_ok() {}
        }
    }
}
