//! A batch in a journal of fjall: what one commit wrote.
//!
//! ```text
//! batch             1 │ items u32 │ seqno u64 │ item... │ 3 │ xxh3 of the items u64 │ "FJL" 3
//! item              2 │ type u8 │ compression u8, 0 │ keyspace u64 │ key length u16 │ value length u32, twice │ key │ value
//! item              4 │ keyspace u64, which is emptied
//! ```
//!
//! All numbers are little-endian. This is format 3 of fjall, of the version that `Cargo.toml` pins.

use std::io::{self, Read};

use xxhash_rust::xxh3::Xxh3;

pub(super) const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const TRAILER: &[u8; 4] = b"FJL\x03";
const ITEM_HEAD: usize = 20; // what is before the key, but for the tag

/// A batch, of which the items were looked at.
pub(super) struct Batch {
    pub(super) seqno: u64,
    /// What of it does not fit, if anything: its lengths do.
    pub(super) broken: Option<&'static str>,
}

/// What a batch did to a key.
pub(super) struct Item<'a> {
    pub(super) keyspace: u64,
    /// A tag of fjall's: 0 for a value, others for its removal.
    pub(super) kind: u8,
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
}

/// Why no batch was read.
pub(super) enum Stop {
    Broken(&'static str),
    Failed(io::Error),
}

type Reading<T> = std::result::Result<T, Stop>;

pub(super) struct Reader<R> {
    pub(super) input: R,
    /// Bytes that were not read yet.
    pub(super) left: u64,
    bytes: Vec<u8>,
}

impl<R: Read> Reader<R> {
    pub(super) fn new(input: R, left: u64) -> Self {
        Self { input, left, bytes: Vec::new() }
    }

    /// The number of the batch here, which is whole, and `each` of its items.
    pub(super) fn whole(&mut self, each: &mut impl FnMut(Item<'_>)) -> Reading<u64> {
        match self.batch(each)? {
            Batch { seqno, broken: None } => Ok(seqno),
            Batch { broken: Some(what), .. } => Err(Stop::Broken(what)),
        }
    }

    /// The batch here, and `each` of its items, which are what was written only if it is not broken.
    pub(super) fn batch(&mut self, each: &mut impl FnMut(Item<'_>)) -> Reading<Batch> {
        if self.tag()? != START {
            return Err(Stop::Broken("no batch starts here"));
        }
        let mut start = Fields(self.take(12)?);
        let (items, seqno) = (start.u32(), start.u64());
        let mut sum = Xxh3::new();
        for _ in 0..items {
            self.item(&mut sum, each)?;
        }
        if self.tag()? != END {
            return Err(Stop::Broken("a batch has more items than it says"));
        }
        let mut end = Fields(self.take(12)?);
        let broken = if end.u64() != sum.digest() {
            Some("the checksum of a batch does not fit")
        } else if end.0 != TRAILER {
            Some("a batch does not end as it should")
        } else {
            None
        };
        Ok(Batch { seqno, broken })
    }

    fn item(&mut self, sum: &mut Xxh3, each: &mut impl FnMut(Item<'_>)) -> Reading<()> {
        let tag = self.tag()?;
        sum.update(&[tag]);
        match tag {
            ITEM => {
                let head = self.take(ITEM_HEAD)?;
                sum.update(head);
                let (kind, compression) = (head[0], head[1]);
                let mut fields = Fields(&head[2..]);
                let keyspace = fields.u64();
                let (key, value, stored) = (fields.u16(), fields.u32(), fields.u32());
                if compression != 0 || value != stored {
                    return Err(Stop::Broken("an item is not stored as it is"));
                }
                let rest = self.take(usize::from(key) + stored as usize)?;
                sum.update(rest);
                let (key, value) = rest.split_at(usize::from(key));
                each(Item { keyspace, kind, key, value });
            }
            CLEAR => sum.update(self.take(8)?),
            _ => return Err(Stop::Broken("a batch has fewer items than it says")),
        }
        Ok(())
    }

    fn tag(&mut self) -> Reading<u8> {
        Ok(self.take(1)?[0])
    }

    fn take(&mut self, count: usize) -> Reading<&[u8]> {
        // First, so that a length that makes no sense takes no memory.
        let left = self.left.checked_sub(count as u64).ok_or(Stop::Broken("a batch is cut off"))?;
        if self.bytes.len() < count {
            self.bytes.resize(count, 0);
        }
        let taken = &mut self.bytes[..count];
        self.input.read_exact(taken).map_err(Stop::Failed)?;
        self.left = left;
        Ok(taken)
    }
}

/// Little-endian numbers, one after the other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut number = [0; N];
        if let Some((first, rest)) = self.0.split_first_chunk() {
            (number, self.0) = (*first, rest);
        }
        number
    }

    fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.take())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }
}
