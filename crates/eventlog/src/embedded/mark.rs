//! How far a partition is durable, noted beside its segments, so that records that were acknowledged and are gone can be told
//! from a torn tail.
//!
//! ```text
//! durable    first u64 │ end u64 │ crc32c of both, u32; little-endian
//! ```
//!
//! It is written after each flush and not synced, only before a segment is deleted. So after a cut of the power it may be an
//! old one, or none; it then says less than is so, and never more.

use std::io;
use std::path::Path;

use disk::{Disk, File, Mode};

use super::files::failed;
use crate::Result;

const NAME: &str = "durable";
const BYTES: usize = 20;

/// The records of a partition that are durable for sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The oldest that retention keeps.
    pub(super) first: u64,
    /// Above the last.
    pub(super) end: u64,
}

impl Mark {
    /// What is noted in the directory of a partition: nothing, if that was never written or does not fit.
    pub(super) fn read(disk: &dyn Disk, directory: &Path) -> Result<Option<Self>> {
        let path = directory.join(NAME);
        match disk::read(disk, &path) {
            Ok(bytes) => Ok(Self::decode(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &path)(error)),
        }
    }

    /// The file that it is written to.
    pub(super) fn open(disk: &dyn Disk, directory: &Path) -> Result<Box<dyn File>> {
        let path = directory.join(NAME);
        let mode = if disk.exists(&path) { Mode::Write } else { Mode::Create };
        disk.open(&path, mode).map_err(failed("open", &path))
    }

    pub(super) fn write(self, file: &dyn File) -> io::Result<()> {
        file.write_all_at(&self.encode(), 0)
    }

    fn encode(self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&self.first.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.end.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..16]);
        bytes[16..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let mark = Self { first: number(0)?, end: number(8)? };
        (bytes == mark.encode()).then_some(mark)
    }
}
