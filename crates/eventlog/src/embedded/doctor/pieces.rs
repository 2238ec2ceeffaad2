//! The segments of a partition, from record to record, over whatever does not fit.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use disk::{Disk, File, Mode};
use model::{Partition, Timestamp};

use super::super::files::{failed, segment_firsts, segment_path};
use super::super::frame::Head;
use super::super::home;
use super::super::index::Place;
use super::super::mark::Mark;
use super::super::segment::{HEADER_BYTES, Header, Segment as Kept};
use super::super::walk::{Walk, seed_of_frames};
use super::super::window::Window;
use super::{Judge, Loss};
use crate::{Error, Result};

const AHEAD: usize = 1024 * 1024;

/// What comes next in a partition.
pub(super) enum Piece {
    /// A record that is as it was written.
    Good(Head, Bytes),
    /// Something that does not fit, in place of these records, which may be none.
    Flaw(Range<u64>, Flaw),
}

/// What does not fit.
pub(super) struct Flaw {
    pub(super) offset: u64,
    pub(super) what: String,
    pub(super) loss: Loss,
}

/// What takes the pieces.
pub(super) type Meet<'a> = dyn FnMut(Piece) -> Result<()> + 'a;

/// The segment files of a partition.
pub(super) struct Segments {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) partition: Partition,
    pub(super) directory: PathBuf,
    pub(super) firsts: Vec<u64>,
    /// What was durable for sure; nothing, if that is not noted.
    pub(super) durable: Mark,
}

impl Segments {
    pub(super) fn find(disk: &Arc<dyn Disk>, log: &Path, partition: Partition) -> Result<Self> {
        let directory = home::directory(log, partition);
        let firsts = if disk.exists(&directory) { segment_firsts(&**disk, &directory)? } else { Vec::new() };
        let oldest = firsts.first().copied().unwrap_or_default();
        let durable = Mark::read(&**disk, &directory)?.unwrap_or(Mark { first: oldest, end: oldest });
        Ok(Self { disk: Arc::clone(disk), partition, directory, firsts, durable })
    }

    pub(super) fn directory_name(&self) -> PathBuf {
        self.directory.file_name().map(PathBuf::from).unwrap_or_default()
    }

    pub(super) fn path(&self, index: usize) -> PathBuf {
        segment_path(&self.directory, self.firsts[index])
    }

    /// When a segment was made, if it is there and its header says so.
    pub(super) fn made(&self, index: usize) -> Option<Timestamp> {
        let segment = (index < self.firsts.len()).then(|| self.open(index))?.ok()?;
        Some(segment.header.ok()?.created_at)
    }

    /// The segment at `index`, however damaged it is.
    pub(super) fn open(&self, index: usize) -> Result<Segment> {
        let first = self.firsts[index];
        let path = self.path(index);
        let file = self.disk.open(&path, Mode::Read).map_err(failed("open", &path))?;
        let bytes = file.len().map_err(failed("look at", &path))?;
        let kept = Kept::existing(&self.disk, &self.directory, self.partition, first, first, bytes);
        let header = match kept.header(&*file) {
            Ok(header) => Ok(header),
            Err(Error::Corrupt { what, .. }) => Err(what),
            Err(error) => return Err(error),
        };
        let next = self.firsts.get(index + 1).copied();
        Ok(Segment { path, file, bytes, first, next, durable: self.durable.end, header })
    }
}

pub(super) struct Segment {
    path: PathBuf,
    file: Box<dyn File>,
    pub(super) bytes: u64,
    first: u64,
    /// The first record of the next segment, if there is one.
    next: Option<u64>,
    /// Everything before was durable.
    durable: u64,
    /// Or what is wrong with it.
    header: std::result::Result<Header, String>,
}

impl Segment {
    /// Goes through it from record to record, over what does not fit, and gives the end of its records.
    pub(super) fn walk(&self, judge: &Judge<'_>, meet: &mut Meet<'_>) -> Result<u64> {
        let seed = match &self.header {
            Ok(header) => header.seed,
            Err(what) => match self.seed()? {
                Some(seed) => {
                    let none = self.first..self.first;
                    meet(lost(none, 0, what.clone()))?;
                    seed
                }
                None => return self.without_frames(what, meet),
            },
        };
        let start = Place { entry: self.first, offset: HEADER_BYTES as u64 };
        let mut walk = Walk::new(&self.path, &*self.file, seed, self.bytes, start, AHEAD);
        while walk.place().offset < self.bytes {
            let Place { entry, offset } = walk.place();
            let (what, head, whole) = match next(&mut walk, judge)? {
                Next::Record(head, record) => {
                    walk.step(&head);
                    meet(Piece::Good(head, record))?;
                    continue;
                }
                Next::Misjudged(head, what) => (what, Some(head), true),
                Next::Damaged(head, what) => (what, head, false),
            };
            if self.next.is_none() && !whole && entry >= self.durable && !walk.was_durable()? {
                let what = format!("{what}: {} bytes behind the last record", self.bytes - offset);
                meet(Piece::Flaw(entry..entry, Flaw { offset, what, loss: Loss::TornTail }))?;
                return Ok(entry);
            }
            match head {
                Some(head) => walk.step(&head),
                None => walk.skip(self.next.unwrap_or(u64::MAX))?,
            }
            meet(lost(entry..walk.place().entry, offset, what))?;
        }
        self.end(walk.place(), meet)
    }

    /// What should follow its last record and does not.
    fn end(&self, Place { entry, offset }: Place, meet: &mut Meet<'_>) -> Result<u64> {
        let (end, what) = match self.next {
            Some(next) => (next, format!("the next segment starts with record {next}")),
            None => (self.durable, format!("all before record {} was acknowledged", self.durable)),
        };
        if end <= entry {
            return Ok(entry);
        }
        meet(lost(entry..end, offset, format!("it ends before record {entry}, and {what}")))?;
        Ok(end)
    }

    /// No record can be told from rubbish.
    fn without_frames(&self, what: &str, meet: &mut Meet<'_>) -> Result<u64> {
        let end = self.next.unwrap_or(self.durable).max(self.first);
        // The header is synced before the first record is written: without more there was nothing.
        let unfinished = self.bytes <= HEADER_BYTES as u64 && self.next.is_none() && end == self.first;
        let loss = match (unfinished, self.next) {
            (true, _) => Loss::TornTail,
            (false, Some(_)) => Loss::Records(self.first..end),
            (false, None) => Loss::From(self.first),
        };
        meet(Piece::Flaw(self.first..end, Flaw { offset: 0, what: what.to_owned(), loss }))?;
        Ok(end)
    }

    fn seed(&self) -> Result<Option<u32>> {
        let limit = self.next.unwrap_or(u64::MAX);
        let mut window = Window::new(&*self.file, self.bytes, AHEAD);
        // From its very start: of a file that was cut, a frame may be where the header was.
        let seed = seed_of_frames(&mut window, 0, |head| (self.first..limit).contains(&head.entry));
        seed.map_err(failed("read", &self.path))
    }
}

/// What stands at a place of a segment.
enum Next {
    Record(Head, Bytes),
    /// As it was written, and yet it makes no sense.
    Misjudged(Head, String),
    /// With its head, if that can be believed.
    Damaged(Option<Head>, String),
}

fn next(walk: &mut Walk<'_>, judge: &Judge<'_>) -> Result<Next> {
    let head = match walk.look()? {
        Ok(head) => head,
        Err(what) => return Ok(Next::Damaged(None, what)),
    };
    Ok(match walk.look_into(&head)? {
        Err(what) => Next::Damaged(Some(head), what),
        Ok(record) => match judge(&record) {
            Some(what) => Next::Misjudged(head, what),
            None => Next::Record(head, record),
        },
    })
}

fn lost(records: Range<u64>, offset: u64, what: String) -> Piece {
    Piece::Flaw(records.clone(), Flaw { offset, what, loss: Loss::Records(records) })
}
