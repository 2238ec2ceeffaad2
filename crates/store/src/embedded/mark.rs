//! Up to which commit a store was synced, noted beside its journals after each sync.
//!
//! ```text
//! synced    a note: journal, seqno, and their xxh3, u64
//! ```

use std::cmp::Ordering;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use disk::{Note, Sum, System};
use xxhash_rust::xxh3::xxh3_64;

use super::journals;

const NAME: &str = "synced";
const SUM: Sum<8> = |numbers| xxh3_64(numbers).to_le_bytes();

/// Where it is noted.
pub(super) type MarkFile = Note<8>;

/// At least up to this commit a store was synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The journal that it is in, or one before that.
    pub(super) journal: u64,
    /// Its number, or a smaller one that no commit has.
    pub(super) seqno: u64,
}

impl Mark {
    /// What is noted in a store, if anything is.
    pub(super) fn read(dir: &Path) -> io::Result<Option<Self>> {
        let noted = Note::read(&System, &dir.join(NAME), SUM)?;
        Ok(noted.map(|[journal, seqno]| Self { journal, seqno }))
    }

    /// The file that it is noted in.
    pub(super) fn open(dir: &Path) -> io::Result<MarkFile> {
        Note::open(&System, &dir.join(NAME), SUM)
    }

    pub(super) fn write(self, file: &MarkFile) -> io::Result<()> {
        file.write([self.journal, self.seqno])
    }

    /// Forgets it: what it says was synced is no longer there.
    pub(super) fn remove(dir: &Path) -> io::Result<()> {
        match fs::remove_file(dir.join(NAME)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The mark of a commit that is about to be written, when `self` is that of the one before. A journal that nothing was written to
    /// yet may be one that fjall failed to make, and does not go on in.
    pub(super) fn next(self, dir: &Path, seqno: u64) -> Self {
        let mut journal = self.journal;
        while is_written(&journals::path_of(dir, journal + 1)) {
            journal += 1;
        }
        Self { journal, seqno }
    }

    /// For a store that was just opened: what is noted of its last journal, or nothing.
    pub(super) fn of(dir: &Path) -> io::Result<Self> {
        let journal = journals::list(dir)?.last().map_or(0, |(id, _)| *id);
        let noted = Self::read(dir)?.filter(|mark| mark.journal == journal);
        Ok(noted.unwrap_or(Self { journal, seqno: 0 }))
    }

    /// Whether commits were synced behind the last one in the last journal. While the next journal is made, its commits may be
    /// noted with this one: nothing is said of a journal that is not the last.
    pub(super) fn misses(self, journal: u64, last: Option<u64>) -> bool {
        match self.journal.cmp(&journal) {
            Ordering::Less => false,
            Ordering::Equal => last.map_or(self.seqno > 0, |seqno| seqno < self.seqno),
            Ordering::Greater => true,
        }
    }
}

/// Whether a journal has something in it: a batch does not begin with a zero.
fn is_written(journal: &Path) -> bool {
    let mut first = [0];
    let read = File::open(journal).and_then(|mut file| file.read_exact(&mut first));
    read.is_ok() && first != [0]
}
