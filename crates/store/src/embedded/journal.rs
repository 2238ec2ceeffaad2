//! One journal of fjall, read by us before fjall reads it.
//!
//! fjall takes a journal up to what it cannot read and cuts off the rest, whatever that was, and fails at a checksum that does not
//! fit.
//!
//! ```text
//! batch             1 │ items u32 │ seqno u64 │ item... │ 3 │ xxh3 of the items u64 │ "FJL" 3
//! item              2 │ type u8 │ compression u8, 0 │ keyspace u64 │ key length u16 │ value length u32, twice │ key │ value
//! to the end        zeros
//! ```
//!
//! All numbers are little-endian. This is format 3 of fjall, of the version that `Cargo.toml` pins.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const TRAILER: &[u8; 4] = b"FJL\x03";
const ITEM_HEAD: usize = 20; // what is before the key, but for the tag
const PIECE: usize = 1 << 20;

/// A journal, as far as it can be read.
#[derive(Debug)]
pub(super) struct Walked {
    pub(super) path: PathBuf,
    pub(super) id: u64,
    /// Behind the last whole batch.
    pub(super) end: u64,
    /// The number of the last whole batch.
    pub(super) last: Option<u64>,
    /// What is wrong with what follows it, if anything but zeros does.
    pub(super) broken: Option<String>,
}

impl Walked {
    /// Cuts it, or a copy of it, off behind its last whole batch, durably.
    pub(super) fn cut(&self, file: &Path) -> io::Result<()> {
        let file = File::options().write(true).open(file)?;
        file.set_len(self.end)?;
        file.sync_all()
    }
}

pub(super) fn walk(id: u64, path: PathBuf) -> io::Result<Walked> {
    let file = File::open(&path)?;
    let left = file.metadata()?.len();
    let mut reader = Reader { input: BufReader::with_capacity(PIECE, file), left, bytes: Vec::new() };
    let (mut here, mut before) = ((0, None), (0, None));
    let what = loop {
        match reader.batch() {
            // The checksum does not cover the number, and a wrong one would hide later commits. One of the two is wrong.
            Ok(seqno) if here.1.is_some_and(|last| seqno <= last) => {
                here = before;
                break "the numbers of two batches do not rise";
            }
            Ok(seqno) => (before, here) = (here, (left - reader.left, Some(seqno))),
            Err(Stop::Broken(what)) => break what,
            Err(Stop::Failed(error)) => return Err(error),
        }
    };
    let (end, last) = here;
    // fjall makes a journal long and fills it up: behind the last batch there are zeros.
    let broken = if only_zeros(reader.input.into_inner(), end)? { None } else { Some(what.to_owned()) };
    Ok(Walked { path, id, end, last, broken })
}

fn only_zeros(mut file: File, from: u64) -> io::Result<bool> {
    file.seek(SeekFrom::Start(from))?;
    let (mut bytes, zeros) = (vec![0; PIECE], vec![0; PIECE]);
    loop {
        match file.read(&mut bytes)? {
            0 => return Ok(true),
            read if bytes[..read] != zeros[..read] => return Ok(false),
            _ => {}
        }
    }
}

/// Why no batch was read.
enum Stop {
    Broken(&'static str),
    Failed(io::Error),
}

type Reading<T> = std::result::Result<T, Stop>;

struct Reader {
    input: BufReader<File>,
    left: u64,
    bytes: Vec<u8>,
}

impl Reader {
    /// The number of the batch here, which is whole.
    fn batch(&mut self) -> Reading<u64> {
        if self.tag()? != START {
            return Err(Stop::Broken("no batch starts here"));
        }
        let mut start = Fields(self.take(12)?);
        let (items, seqno) = (start.u32(), start.u64());
        let mut sum = Xxh3::new();
        for _ in 0..items {
            self.item(&mut sum)?;
        }
        if self.tag()? != END {
            return Err(Stop::Broken("a batch has more items than it says"));
        }
        let mut end = Fields(self.take(12)?);
        if end.u64() != sum.digest() {
            return Err(Stop::Broken("the checksum of a batch does not fit"));
        }
        if end.0 != TRAILER {
            return Err(Stop::Broken("a batch does not end as it should"));
        }
        Ok(seqno)
    }

    fn item(&mut self, sum: &mut Xxh3) -> Reading<()> {
        let tag = self.tag()?;
        sum.update(&[tag]);
        match tag {
            ITEM => {
                let head = self.take(ITEM_HEAD)?;
                sum.update(head);
                let compression = head[1];
                let mut lengths = Fields(&head[10..]);
                let (key, value, stored) = (lengths.u16(), lengths.u32(), lengths.u32());
                if compression != 0 || value != stored {
                    return Err(Stop::Broken("an item is not stored as it is"));
                }
                let rest = self.take(usize::from(key) + stored as usize)?;
                sum.update(rest);
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
