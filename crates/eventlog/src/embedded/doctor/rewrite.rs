//! Writing the damaged segments of a partition anew: what is good as it was, and fillers for the rest.

use std::io;
use std::path::{Path, PathBuf};

use disk::{Disk, File, Mode};
use model::Timestamp;

use super::super::files::{failed, make_directory, segment_path, sync_directory};
use super::super::frame::{Encoder, Stamp};
use super::super::segment::{HEADER_BYTES, Segment as Kept, encode_header, header_crc};
use super::pieces::{Piece, Segments};
use super::{Judge, Loss, Remedy};
use crate::Result;

const PIECE_BYTES: usize = 1 << 20;

/// Rewrites what has to be. Gives the files that went aside.
pub(super) fn rewrite(
    segments: &Segments,
    judge: &Judge<'_>,
    remedy: &Remedy<'_>,
    folded: u64,
) -> Result<Vec<PathBuf>> {
    let Segments { disk, partition, directory, firsts } = segments;
    if firsts.is_empty() {
        make_directory(&**disk, directory)?;
        Kept::create(disk, directory, *partition, folded, remedy.now)?;
        return Ok(Vec::new());
    }
    let aside = remedy.aside.join(segments.directory_name());
    let mut moved = Vec::new();
    let mut last_at = None;
    for (index, &first) in firsts.iter().enumerate() {
        let mut segment = segments.open(index)?;
        let (mut damaged, mut first_at, before) = (false, None, last_at);
        let end = segment.walk(judge, &mut |piece, said| {
            damaged |= said.is_some_and(|(_, _, loss)| loss != Loss::TornTail);
            if let Piece::Good(head, _) = piece {
                first_at.get_or_insert(head.appended_at);
                last_at = Some(head.appended_at);
            }
            Ok(())
        })?;
        let last = index + 1 == firsts.len();
        let behind = last && end < folded;
        if !damaged && !behind {
            continue;
        }
        let path = segment_path(directory, first);
        let new = path.with_extension("log.new");
        let made = first_at.or(before).unwrap_or(remedy.now);
        let header = encode_header(*partition, first, made);
        let mut writer = Writer::new(&**disk, &new, &header, remedy.filler, Start { entry: first, made })?;
        segment.walk(judge, &mut |piece, _| match piece {
            Piece::Good(head, record) => writer.push(head.group, head.appended_at, &record),
            Piece::Lost(records) => writer.fill(records.end),
        })?;
        if last {
            writer.fill(folded)?;
        }
        writer.finish()?;
        let kept = aside.join(path.file_name().unwrap_or_default());
        copy(&**disk, &path, &kept)?;
        sync_directory(&**disk, &aside)?;
        disk.rename(&new, &path).map_err(failed("replace", &path))?;
        sync_directory(&**disk, directory)?;
        moved.push(kept);
    }
    Ok(moved)
}

/// Where a segment begins.
struct Start {
    entry: u64,
    made: Timestamp,
}

/// Writes a segment from its start.
struct Writer<'a> {
    file: Box<dyn File>,
    path: &'a Path,
    filler: &'a [u8],
    encoder: Encoder,
    seed: u32,
    offset: u64,
    entry: u64,
    last_at: Timestamp,
}

impl<'a> Writer<'a> {
    fn new(
        disk: &dyn Disk,
        path: &'a Path,
        header: &[u8; HEADER_BYTES],
        filler: &'a [u8],
        Start { entry, made }: Start,
    ) -> Result<Self> {
        let file = disk.open(path, Mode::Create).map_err(failed("create", path))?;
        file.write_all_at(header, 0).map_err(failed("write", path))?;
        Ok(Self {
            file,
            path,
            filler,
            encoder: Encoder::default(),
            seed: header_crc(header),
            offset: HEADER_BYTES as u64,
            entry,
            last_at: made,
        })
    }

    fn push(&mut self, group: u64, appended_at: Timestamp, record: &[u8]) -> Result<()> {
        self.encoder.push(self.seed, Stamp { entry: self.entry, group, appended_at }, record);
        self.entry += 1;
        self.last_at = appended_at;
        if self.encoder.bytes().len() >= PIECE_BYTES { self.flush() } else { Ok(()) }
    }

    /// Fillers for every record before `end`.
    fn fill(&mut self, end: u64) -> Result<()> {
        while self.entry < end {
            self.push(self.entry, self.last_at, self.filler)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let bytes = self.encoder.bytes();
        self.file.write_all_at(bytes, self.offset).map_err(failed("write", self.path))?;
        self.offset += bytes.len() as u64;
        self.encoder.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        self.flush()?;
        self.file.sync_all().map_err(failed("sync", self.path))
    }
}

fn copy(disk: &dyn Disk, from: &Path, to: &Path) -> Result<()> {
    let copied = || -> io::Result<()> {
        let (old, new) = (disk.open(from, Mode::Read)?, disk.open(to, Mode::Create)?);
        let (mut buffer, mut offset) = (vec![0; PIECE_BYTES], 0);
        loop {
            let read = old.read_at(&mut buffer, offset)?;
            if read == 0 {
                return new.sync_all();
            }
            new.write_all_at(&buffer[..read], offset)?;
            offset += read as u64;
        }
    };
    copied().map_err(failed("copy", from))
}
