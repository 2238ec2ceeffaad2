//! One file of consecutive records, named by its first entry. It starts with a header:
//!
//! ```text
//!  0  magic       8 bytes
//!  8  format      u16
//! 10  partition   u16
//! 12  zero        4 bytes
//! 16  first entry u64
//! 24  created at  i64, milliseconds: not before any record of an earlier segment, not after any of its own
//! 32  crc32c      u32 of bytes 0 to 32; also the seed of the frames' checksums
//! 36  frames
//! ```

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::{Buf, BufMut};
use disk::{Disk, File, Mode};
use model::{Partition, Position, Timestamp};
use parking_lot::Mutex;

use super::files::{damaged, failed, segment_path, sync_directory};
use super::index::{Index, Place};
use super::walk::Walk;
use super::window::Window;
use crate::{Entry, Error, Result};

/// Bytes of a segment before its first frame.
pub(super) const HEADER_BYTES: usize = 36;

const MAGIC: [u8; 8] = *b"hitm.log";
const FORMAT: u16 = 1;
const CHECKED_BYTES: usize = 32;
/// Read at once when only heads are wanted: a few small records, or the head of a large one.
const HEADS_AHEAD: usize = 4 * 1024;
/// Read at once when records are wanted.
const RECORDS_AHEAD: usize = 256 * 1024;

/// What a segment's header says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) created_at: Timestamp,
    pub(super) seed: u32,
}

/// A segment, shared by the writer and all readers. Its file is open only while somebody reads: a long history has more
/// segments than a process may have files.
#[derive(Debug)]
pub(super) struct Segment {
    disk: Arc<dyn Disk>,
    partition: Partition,
    path: PathBuf,
    first: u64,
    header: OnceLock<Header>,
    extent: Mutex<Extent>,
}

#[derive(Debug)]
struct Extent {
    /// Durable bytes of the file.
    bytes: u64,
    /// Above the last durable entry.
    end: u64,
    index: Index,
}

impl Segment {
    /// A segment that is there: entries `first` to `end`, in the first `bytes` bytes of the file.
    pub(super) fn existing(
        disk: &Arc<dyn Disk>,
        directory: &Path,
        partition: Partition,
        first: u64,
        end: u64,
        bytes: u64,
    ) -> Self {
        let path = segment_path(directory, first);
        let index = Index::new(Place { entry: first, offset: HEADER_BYTES as u64 });
        Self {
            disk: Arc::clone(disk),
            partition,
            path,
            first,
            header: OnceLock::new(),
            extent: Mutex::new(Extent { bytes, end, index }),
        }
    }

    /// Makes a new, empty one, durably. A file of that name has no records: it is left from an attempt that failed.
    pub(super) fn create(
        disk: &Arc<dyn Disk>,
        directory: &Path,
        partition: Partition,
        first: u64,
        at: Timestamp,
    ) -> Result<(Self, Box<dyn File>)> {
        let segment = Self::existing(disk, directory, partition, first, first, HEADER_BYTES as u64);
        let path = &segment.path;
        let header = encode_header(partition, first, at);
        let file = disk
            .open(path, Mode::Create)
            .and_then(|file| {
                file.write_all_at(&header, 0)?;
                file.sync_all()?;
                Ok(file)
            })
            .map_err(failed("create", path))?;
        sync_directory(&**disk, directory)?;
        segment.header(&*file)?;
        Ok((segment, file))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Above the last durable entry.
    pub(super) fn end(&self) -> u64 {
        self.extent.lock().end
    }

    /// Durable bytes of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.extent.lock().bytes
    }

    /// Takes up what became durable: the places of its records, and where they end.
    pub(super) fn extend(&self, places: impl Iterator<Item = Place>, end: u64, bytes: u64) {
        let mut extent = self.extent.lock();
        places.for_each(|place| extent.index.note(place));
        (extent.end, extent.bytes) = (end, bytes);
    }

    /// When it was made: at or after every record before it, at or before every record in it.
    pub(super) fn created_at(&self) -> Result<Timestamp> {
        match self.header.get() {
            Some(header) => Ok(header.created_at),
            None => Ok(self.header(&*self.open()?)?.created_at),
        }
    }

    /// Its header, read from the file the first time.
    pub(super) fn header(&self, file: &dyn File) -> Result<Header> {
        if let Some(header) = self.header.get() {
            return Ok(*header);
        }
        let mut window = Window::new(file, HEADER_BYTES as u64, HEADER_BYTES);
        let bytes = window.at(0, HEADER_BYTES).map_err(failed("read", &self.path))?;
        let header = parse_header(&self.path, bytes, self.partition, self.first)?;
        Ok(*self.header.get_or_init(|| header))
    }

    /// Records from entry `from`, which it has, on: at least one, then more up to `max_bytes`.
    pub(super) fn read(&self, from: u64, max_bytes: usize) -> Result<Vec<Entry>> {
        let file = self.open()?;
        let (start, bytes, end) = self.look_up(from);
        let ahead = max_bytes.clamp(HEADS_AHEAD, RECORDS_AHEAD);
        let mut walk = Walk::new(&self.path, &*file, self.header(&*file)?.seed, bytes, start, ahead);
        let mut budget = max_bytes;
        let mut entries = Vec::new();
        while walk.place().entry < end {
            let head = walk.head()?;
            self.extent.lock().index.note(walk.place());
            if head.entry >= from {
                if !entries.is_empty() && head.raw as usize > budget {
                    break;
                }
                budget = budget.saturating_sub(head.raw as usize);
                entries.push(Entry {
                    position: Position::of_entry(head.entry),
                    appended_at: head.appended_at,
                    record: walk.record(&head)?,
                });
            }
            walk.step(&head);
        }
        self.extent.lock().index.stopped(walk.place());
        Ok(entries)
    }

    /// The first of its entries that was appended at `time` or later.
    pub(super) fn at_or_after(&self, time: Timestamp) -> Result<Option<u64>> {
        let file = self.open()?;
        let (start, bytes, end) = self.look_up(self.first);
        let mut walk = Walk::new(&self.path, &*file, self.header(&*file)?.seed, bytes, start, HEADS_AHEAD);
        while walk.place().entry < end {
            let head = walk.head()?;
            if head.appended_at >= time {
                return Ok(Some(head.entry));
            }
            walk.step(&head);
        }
        Ok(None)
    }

    /// When its last record was appended, or when it was made if it has none.
    pub(super) fn last_at(&self) -> Result<Timestamp> {
        let file = self.open()?;
        let (start, bytes, end) = self.look_up(self.first);
        let Header { created_at: mut last, seed } = self.header(&*file)?;
        let mut walk = Walk::new(&self.path, &*file, seed, bytes, start, HEADS_AHEAD);
        while walk.place().entry < end {
            let head = walk.head()?;
            last = head.appended_at;
            walk.step(&head);
        }
        Ok(last)
    }

    /// Deletes the file, durably. Who is reading it reads on.
    pub(super) fn delete(&self) -> Result<()> {
        self.disk.remove(&self.path).map_err(failed("delete", &self.path))?;
        self.path.parent().map_or(Ok(()), |parent| sync_directory(&*self.disk, parent))
    }

    fn open(&self) -> Result<Box<dyn File>> {
        self.disk.open(&self.path, Mode::Read).map_err(failed("open", &self.path))
    }

    fn look_up(&self, from: u64) -> (Place, u64, u64) {
        let extent = self.extent.lock();
        (extent.index.before(from), extent.bytes, extent.end)
    }
}

pub(super) fn encode_header(partition: Partition, first: u64, created_at: Timestamp) -> [u8; HEADER_BYTES] {
    let mut out = [0; HEADER_BYTES];
    let mut rest = &mut out[..];
    rest.put_slice(&MAGIC);
    rest.put_u16_le(FORMAT);
    rest.put_u16_le(partition.0);
    rest.put_u32_le(0);
    rest.put_u64_le(first);
    rest.put_i64_le(created_at.0);
    let crc = crc32c::crc32c(&out[..CHECKED_BYTES]);
    out[CHECKED_BYTES..].copy_from_slice(&crc.to_le_bytes());
    out
}

/// The checksum that a header says, the seed of the frames behind it.
pub(super) fn header_crc(header: &[u8; HEADER_BYTES]) -> u32 {
    (&header[CHECKED_BYTES..]).get_u32_le()
}

fn parse_header(path: &Path, bytes: &[u8], partition: Partition, first: u64) -> Result<Header> {
    let Some(mut header) = bytes.get(..HEADER_BYTES) else {
        return Err(damaged(path, 0, "the header is cut off"));
    };
    if header[..MAGIC.len()] != MAGIC {
        return Err(damaged(path, 0, "it does not start as a segment does"));
    }
    let crc = crc32c::crc32c(&header[..CHECKED_BYTES]);
    header.advance(MAGIC.len());
    let (format, own_partition) = (header.get_u16_le(), header.get_u16_le());
    header.advance(size_of::<u32>());
    let (own_first, created_at) = (header.get_u64_le(), Timestamp(header.get_i64_le()));
    if header.get_u32_le() != crc {
        return Err(damaged(path, 0, "the checksum of its header does not fit"));
    }
    // Not damage: nothing may be repaired that a later version wrote.
    if format != FORMAT {
        let what = format!("{} is of format {format}: this version reads format {FORMAT}", path.display());
        return Err(Error::Mismatch { what });
    }
    // Nor this: it is whole, and of another place.
    if (own_partition, own_first) != (partition.0, first) {
        let what = format!(
            "{} is the segment of partition {own_partition} that starts with record {own_first}: put it back into its place",
            path.display()
        );
        return Err(Error::Mismatch { what });
    }
    Ok(Header { created_at, seed: crc })
}
