//! Two numbers that say how far something is durable.
//!
//! ```text
//! u64 │ u64 │ checksum of both; little-endian
//! ```
//!
//! They are written after each sync of what they tell about, and mostly not synced themselves. So after a cut of the power they may
//! be old ones, or none; they then say less than is so, and never more.

use std::io;
use std::path::Path;

use crate::{Disk, File, Mode, read};

/// The checksum that a note ends with, of `N` bytes.
pub type Sum<const N: usize> = fn(&[u8]) -> [u8; N];

/// The file that they are written to.
#[derive(Debug)]
pub struct Note<const N: usize> {
    file: Box<dyn File>,
    sum: Sum<N>,
}

impl<const N: usize> Note<N> {
    /// What is noted: nothing, if that was never written or does not fit.
    pub fn read(disk: &dyn Disk, path: &Path, sum: Sum<N>) -> io::Result<Option<[u64; 2]>> {
        match read(disk, path) {
            Ok(bytes) => Ok(decode(&bytes, sum)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens the file, making it if it is not there. What is in it stays until the next write.
    pub fn open(disk: &dyn Disk, path: &Path, sum: Sum<N>) -> io::Result<Self> {
        let mode = if disk.exists(path) { Mode::Write } else { Mode::Create };
        Ok(Self { file: disk.open(path, mode)?, sum })
    }

    /// Notes two numbers, in place of those before.
    pub fn write(&self, numbers: [u64; 2]) -> io::Result<()> {
        self.file.write_all_at(&encode(numbers, self.sum), 0)
    }

    /// Makes what is noted durable.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

fn encode<const N: usize>(numbers: [u64; 2], sum: Sum<N>) -> Vec<u8> {
    let mut bytes: Vec<u8> = numbers.into_iter().flat_map(u64::to_le_bytes).collect();
    bytes.extend_from_slice(&sum(&bytes));
    bytes
}

fn decode<const N: usize>(bytes: &[u8], sum: Sum<N>) -> Option<[u64; 2]> {
    let numbers = bytes.as_chunks().0.first_chunk().copied()?.map(u64::from_le_bytes);
    (bytes == encode(numbers, sum)).then_some(numbers)
}
