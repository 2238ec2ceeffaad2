//! Writing the damaged segments of a partition anew: what is good as it was, and fillers for the rest.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use disk::{Disk, File, Mode};
use model::{Partition, Timestamp};

use super::super::files::{failed, make_directory, segment_path, sync_directory};
use super::super::frame::{Encoder, Stamp};
use super::super::mark::Mark;
use super::super::segment::{HEADER_BYTES, encode_header, header_crc};
use super::pieces::{Piece, Segments};
use super::{Judge, Loss, Remedy};
use crate::Result;

const PIECE_BYTES: usize = 1 << 20;

/// Rewrites what has to be. Gives the files that went aside.
pub(super) fn rewrite(
    segments: &Segments,
    judge: &Judge<'_>,
    remedy: &Remedy<'_>,
    Range { start: read_from, end: folded }: Range<u64>,
) -> Result<Vec<PathBuf>> {
    let Segments { disk, partition, directory, firsts, durable } = segments;
    if firsts.is_empty() {
        // From where its readers are to where it was.
        let end = folded.max(durable.end);
        let first = read_from.max(durable.first).min(end);
        make_directory(&**disk, directory)?;
        let path = segment_path(directory, first);
        let new = path.with_extension("log.new");
        let mut writer =
            Writer::new(&**disk, &new, *partition, remedy, Start { entry: first, made: remedy.now })?;
        writer.fill(end)?;
        writer.finish()?;
        disk.rename(&new, &path).map_err(failed("create", &path))?;
        note(segments, Mark { first, end })?;
        return Ok(Vec::new());
    }
    let aside = remedy.aside.join(segments.directory_name());
    let mut end = 0;
    let mut moved = Vec::new();
    let mut last_at = None;
    for (index, &first) in firsts.iter().enumerate() {
        let segment = segments.open(index)?;
        let (mut damaged, mut first_at, before) = (false, None, last_at);
        end = segment.walk(judge, &mut |piece| {
            match piece {
                Piece::Good(head, _) => {
                    first_at.get_or_insert(head.appended_at);
                    last_at = Some(head.appended_at);
                }
                Piece::Flaw(_, flaw) => damaged |= flaw.loss != Loss::TornTail,
            }
            Ok(())
        })?;
        let last = index + 1 == firsts.len();
        let behind = last && end < folded;
        if !damaged && !behind {
            continue;
        }
        let path = segments.path(index);
        let new = path.with_extension("log.new");
        let made = first_at.or(before).or_else(|| segments.made(index + 1)).unwrap_or(remedy.now);
        let mut writer = Writer::new(&**disk, &new, *partition, remedy, Start { entry: first, made })?;
        segment.walk(judge, &mut |piece| match piece {
            Piece::Good(head, record) => writer.push(head.group, head.appended_at, &record),
            Piece::Flaw(records, _) => writer.fill(records.end),
        })?;
        if last {
            writer.fill(folded)?;
        }
        writer.finish()?;
        make_directory(&**disk, &aside)?;
        let kept = aside.join(path.file_name().unwrap_or_default());
        copy(&**disk, &path, &kept)?;
        sync_directory(&**disk, &aside)?;
        disk.rename(&new, &path).map_err(failed("replace", &path))?;
        sync_directory(&**disk, directory)?;
        moved.push(kept);
    }
    note(segments, Mark { first: firsts[0], end: end.max(folded) })?;
    Ok(moved)
}

/// Makes known how far the partition is durable now.
fn note(segments: &Segments, mark: Mark) -> Result<()> {
    let Segments { disk, directory, .. } = segments;
    let note = Mark::open(&**disk, directory)?;
    mark.write(&note).and_then(|()| note.sync()).map_err(failed("note what is durable of", directory))?;
    sync_directory(&**disk, directory)
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
        partition: Partition,
        remedy: &Remedy<'a>,
        Start { entry, made }: Start,
    ) -> Result<Self> {
        let header = encode_header(partition, entry, made);
        let file = disk.open(path, Mode::Create).map_err(failed("create", path))?;
        file.write_all_at(&header, 0).map_err(failed("write", path))?;
        Ok(Self {
            file,
            path,
            filler: remedy.filler,
            encoder: Encoder::default(),
            seed: header_crc(&header),
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
