//! fjall's journals, read by us before fjall reads them.
//!
//! fjall takes a journal up to what it cannot read and cuts off the rest, whatever that was, and fails at a checksum that does not
//! fit. We tell a torn tail, which a cut of the power leaves and nobody was promised, from damage to what was synced: after
//! each sync a mark says up to which commit. It is written and not synced, so it may be old after a cut of the power,
//! and then says less.
//!
//! ```text
//! 0.jnl, 1.jnl ...    the last one is written to, the others were synced before the next one was made
//!   batch             1 │ items u32 │ seqno u64 │ item... │ 3 │ xxh3 of the items u64 │ "FJL" 3
//!   item              2 │ type u8 │ compression u8, 0 │ keyspace u64 │ key length u16 │ value length u32, twice │ key │ value
//!   to the end        zeros
//! synced              journal u64 │ seqno u64 │ xxh3 of both u64
//! ```
//!
//! All numbers are little-endian. This is format 3 of fjall, of the version that `Cargo.toml` pins.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::{Error, Result};

/// The file of the mark.
pub(super) const MARKS: &str = "synced";

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

/// Up to which commit a store was synced: to at least this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The journal that it is in, or one before that.
    pub(super) journal: u64,
    /// Its number, or a smaller one that no commit has.
    pub(super) seqno: u64,
}

/// All journals of a store, in their order.
pub(super) fn walk_all(dir: &Path) -> io::Result<Vec<Walked>> {
    list(dir)?.into_iter().map(|(id, path)| walk(id, path)).collect()
}

/// Cuts off the torn tail of the last journal. Fails if something was damaged that had been synced.
pub(super) fn mend(dir: &Path) -> Result<()> {
    let failed = |error: io::Error| Error::Unavailable {
        doing: "read the journal",
        what: format!("{}: {error}", dir.display()),
    };
    let walked = walk_all(dir).map_err(failed)?;
    let mark = Mark::read(dir);
    for (index, journal) in walked.iter().enumerate() {
        let Some(what) = &journal.broken else { continue };
        if journal.was_synced(index + 1 < walked.len(), mark) {
            return Err(Error::Corrupt {
                path: journal.path.display().to_string(),
                what: format!("{what}, at offset {}, and it was synced", journal.end),
            });
        }
        tracing::warn!(journal = %journal.path.display(), offset = journal.end, what, "cut off a torn tail that was never synced");
        journal.cut().map_err(failed)?;
    }
    Ok(())
}

impl Walked {
    /// Whether what is broken had been synced. What was written to a journal was, when the next one was made (`sealed`).
    pub(super) fn was_synced(&self, sealed: bool, mark: Option<Mark>) -> bool {
        let here = mark.filter(|mark| mark.journal == self.id);
        sealed || here.is_some_and(|mark| self.last.is_none_or(|last| last < mark.seqno))
    }

    /// Cuts it off behind its last whole batch, durably.
    pub(super) fn cut(&self) -> io::Result<()> {
        let file = File::options().write(true).open(&self.path)?;
        file.set_len(self.end)?;
        file.sync_all()
    }
}

impl Mark {
    /// The last that was written, if any is known.
    pub(super) fn read(dir: &Path) -> Option<Self> {
        let bytes = fs::read(dir.join(MARKS)).ok()?;
        let (numbers, sum) = bytes.split_at_checked(16)?;
        let mut fields = Fields(numbers);
        let mark = Self { journal: fields.u64(), seqno: fields.u64() };
        (sum == xxh3_64(numbers).to_le_bytes()).then_some(mark)
    }

    pub(super) fn write(self, file: &File) -> io::Result<()> {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.journal.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.seqno.to_le_bytes());
        let sum = xxh3_64(&bytes[..16]);
        bytes[16..].copy_from_slice(&sum.to_le_bytes());
        file.write_all_at(&bytes, 0)
    }

    /// The mark of a commit that is about to be written, when `self` is that of the one before.
    pub(super) fn next(self, dir: &Path, seqno: u64) -> Self {
        let mut journal = self.journal;
        while path_of(dir, journal + 1).exists() {
            journal += 1;
        }
        Self { journal, seqno }
    }

    /// For a store that was just opened, of which nothing is known.
    pub(super) fn of(dir: &Path) -> io::Result<Self> {
        let journal = list(dir)?.last().map_or(0, |(id, _)| *id);
        Ok(Self { journal, seqno: 0 })
    }
}

fn path_of(dir: &Path, id: u64) -> PathBuf {
    dir.join(format!("{id}.jnl"))
}

fn list(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut journals = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(id) = name.strip_suffix(".jnl").and_then(|id| id.parse().ok()) {
            journals.push((id, path));
        }
    }
    journals.sort_unstable();
    Ok(journals)
}

fn walk(id: u64, path: PathBuf) -> io::Result<Walked> {
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
