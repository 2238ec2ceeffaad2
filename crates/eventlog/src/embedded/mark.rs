//! How far a partition is durable, noted beside its segments, so that records that were acknowledged and are gone can be told
//! from a torn tail.
//!
//! ```text
//! durable    a note: first, end, and their crc32c, u32
//! ```
//!
//! It is written after each flush, and synced only before a segment is deleted.

use std::path::Path;

use disk::{Disk, Note, Sum};

use super::files::failed;
use crate::Result;

const NAME: &str = "durable";
const SUM: Sum<4> = |numbers| crc32c::crc32c(numbers).to_le_bytes();

/// Where it is noted.
pub(super) type MarkFile = Note<4>;

/// The records of a partition that are durable for sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The oldest that retention keeps.
    pub(super) first: u64,
    /// Above the last.
    pub(super) end: u64,
}

impl Mark {
    /// What is noted in the directory of a partition, if anything is.
    pub(super) fn read(disk: &dyn Disk, directory: &Path) -> Result<Option<Self>> {
        let path = directory.join(NAME);
        let noted = Note::read(disk, &path, SUM).map_err(failed("read", &path))?;
        Ok(noted.map(|[first, end]| Self { first, end }))
    }

    /// The file that it is noted in.
    pub(super) fn open(disk: &dyn Disk, directory: &Path) -> Result<MarkFile> {
        let path = directory.join(NAME);
        Note::open(disk, &path, SUM).map_err(failed("open", &path))
    }

    pub(super) fn write(self, file: &MarkFile) -> std::io::Result<()> {
        file.write([self.first, self.end])
    }
}
