//! Up to which commit a store was synced, noted beside its journals.
//!
//! ```text
//! synced    journal u64 │ seqno u64 │ xxh3 of both u64; little-endian
//! ```
//!
//! It is written after each sync and not synced. So after a cut of the power it may be an old one, or none; it then says less
//! than is so, and never more.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::journal::Walked;
use super::journals;

const NAME: &str = "synced";
const BYTES: usize = 24;

/// At least up to this commit a store was synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The journal that it is in, or one before that.
    pub(super) journal: u64,
    /// Its number, or a smaller one that no commit has.
    pub(super) seqno: u64,
}

impl Mark {
    /// What is noted in a store: nothing, if that was never written or does not fit.
    pub(super) fn read(dir: &Path) -> io::Result<Option<Self>> {
        match fs::read(dir.join(NAME)) {
            Ok(bytes) => Ok(Self::decode(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The file that it is written to.
    pub(super) fn open(dir: &Path) -> io::Result<File> {
        File::options().create(true).truncate(false).write(true).open(dir.join(NAME))
    }

    pub(super) fn write(self, file: &File) -> io::Result<()> {
        file.write_all_at(&self.encode(), 0)
    }

    /// Forgets it: what it says was synced is no longer there.
    pub(super) fn remove(dir: &Path) -> io::Result<()> {
        match fs::remove_file(dir.join(NAME)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The mark of a commit that is about to be written, when `self` is that of the one before.
    pub(super) fn next(self, dir: &Path, seqno: u64) -> Self {
        let mut journal = self.journal;
        while journals::path_of(dir, journal + 1).exists() {
            journal += 1;
        }
        Self { journal, seqno }
    }

    /// For a store that was just opened, of which nothing is known.
    pub(super) fn of(dir: &Path) -> io::Result<Self> {
        let journal = journals::list(dir)?.last().map_or(0, |(id, _)| *id);
        Ok(Self { journal, seqno: 0 })
    }

    /// Whether commits were synced to this journal that it does not have. While the next journal is made, its commits may be
    /// noted with this one: nothing is said of a journal that is not the last.
    pub(super) fn misses(self, last: &Walked) -> bool {
        match self.journal.cmp(&last.id) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => last.last.map_or(self.seqno > 0, |seqno| seqno < self.seqno),
            std::cmp::Ordering::Greater => true,
        }
    }

    fn encode(self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&self.journal.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.seqno.to_le_bytes());
        let sum = xxh3_64(&bytes[..16]);
        bytes[16..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let mark = Self { journal: number(0)?, seqno: number(8)? };
        (bytes == mark.encode()).then_some(mark)
    }
}
