//! The segments of a partition, from record to record, over whatever does not fit.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use disk::{Disk, File, Mode};
use model::Partition;

use super::super::files::{failed, segment_firsts, segment_path};
use super::super::frame::{HEAD_BYTES, Head};
use super::super::home;
use super::super::segment::{HEADER_BYTES, seed_of};
use super::super::walk::search;
use super::super::window::Window;
use super::{Extent, Finding, Judge, Loss};
use crate::Result;

const AHEAD: usize = 1024 * 1024;

/// What comes next in a partition.
pub(super) enum Piece {
    /// A record that is as it was written.
    Good(Head, Bytes),
    /// Records that are not there, or not as they were.
    Lost(Range<u64>),
}

/// The segment files of a partition.
pub(super) struct Segments {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) partition: Partition,
    pub(super) directory: PathBuf,
    pub(super) firsts: Vec<u64>,
}

impl Segments {
    pub(super) fn find(disk: &Arc<dyn Disk>, log: &Path, partition: Partition) -> Result<Self> {
        let directory = home::directory(log, partition);
        let firsts = if disk.exists(&directory) { segment_firsts(&**disk, &directory)? } else { Vec::new() };
        Ok(Self { disk: Arc::clone(disk), partition, directory, firsts })
    }

    pub(super) fn directory_name(&self) -> PathBuf {
        self.directory.file_name().map(PathBuf::from).unwrap_or_default()
    }

    /// Looks through all of them.
    pub(super) fn look(&self, judge: &Judge<'_>, findings: &mut Vec<Finding>) -> Result<Extent> {
        let first = self.firsts.first().copied().unwrap_or_default();
        let mut extent = Extent {
            partition: self.partition,
            segments: self.firsts.len(),
            bytes: 0,
            records: first..first,
        };
        if self.firsts.is_empty() {
            let what = "it has no segment at all".to_owned();
            let loss = Loss::Records(0..0);
            findings.push(self.finding(self.directory.clone(), 0, what, loss));
        }
        let mut last_at = None;
        for index in 0..self.firsts.len() {
            let mut segment = self.open(index)?;
            extent.bytes += segment.bytes;
            let own = findings.len();
            extent.records.end = segment.walk(judge, &mut |piece, said| {
                if let Piece::Good(head, _) = &piece {
                    last_at = Some(head.appended_at);
                    // What was lost before it lies between the two.
                    for finding in &mut findings[own..] {
                        finding.appended.1.get_or_insert(head.appended_at);
                    }
                }
                if let Some((offset, what, loss)) = said {
                    let mut finding =
                        self.finding(segment_path(&self.directory, self.firsts[index]), offset, what, loss);
                    finding.appended.0 = last_at;
                    findings.push(finding);
                }
                Ok(())
            })?;
        }
        Ok(extent)
    }

    fn finding(&self, file: PathBuf, offset: u64, what: String, loss: Loss) -> Finding {
        Finding { partition: self.partition, file, offset, what, loss, appended: (None, None) }
    }

    /// The segment at `index`, however damaged it is.
    pub(super) fn open(&self, index: usize) -> Result<Segment> {
        let first = self.firsts[index];
        let path = segment_path(&self.directory, first);
        let file = self.disk.open(&path, Mode::Read).map_err(failed("open", &path))?;
        let bytes = file.len().map_err(failed("look at", &path))?;
        Ok(Segment {
            path,
            file,
            bytes,
            partition: self.partition,
            first,
            next: self.firsts.get(index + 1).copied(),
        })
    }
}

/// What is said of a piece that does not fit: where, what, and what it means.
type Said = Option<(u64, String, Loss)>;

pub(super) struct Segment {
    path: PathBuf,
    file: Box<dyn File>,
    bytes: u64,
    partition: Partition,
    first: u64,
    /// The first record of the next segment, if there is one.
    next: Option<u64>,
}

impl Segment {
    /// Goes through it from record to record, over what does not fit, and gives the end of its records.
    pub(super) fn walk(
        &mut self,
        judge: &Judge<'_>,
        meet: &mut dyn FnMut(Piece, Said) -> Result<()>,
    ) -> Result<u64> {
        let mut window = Window::new(&*self.file, self.bytes, AHEAD);
        let header = window.at(0, HEADER_BYTES + HEAD_BYTES).map_err(failed("read", &self.path))?;
        let Some((seed, damage)) = seed_of(header, self.partition, self.first) else {
            return self.without_header(meet);
        };
        if let Some(what) = damage {
            meet(
                Piece::Lost(self.first..self.first),
                Some((0, what, Loss::Records(self.first..self.first))),
            )?;
        }
        let (mut entry, mut offset) = (self.first, HEADER_BYTES as u64);
        while offset < self.bytes {
            let (what, head) = match self.frame(&mut window, seed, entry, offset)? {
                Ok((head, record)) => match judge(&record) {
                    None => {
                        meet(Piece::Good(head, record), None)?;
                        (entry, offset) = (entry + 1, offset + head.frame_bytes());
                        continue;
                    }
                    Some(what) => (what, Some(head)),
                },
                Err((what, head)) => (what, head),
            };
            let judged = head.is_some_and(|head| self.fits(&mut window, &head, offset));
            if self.next.is_none() && !judged && !self.was_durable(&mut window, seed, entry, offset)? {
                let what = format!("{what}: {} bytes behind the last record", self.bytes - offset);
                meet(Piece::Lost(entry..entry), Some((offset, what, Loss::TornTail)))?;
                return Ok(entry);
            }
            let (to, at) = match head {
                Some(head) => (entry + 1, offset + head.frame_bytes()),
                None => self.resume(&mut window, seed, entry, offset)?.unwrap_or((entry, self.bytes)),
            };
            let lost = entry..to;
            meet(Piece::Lost(lost.clone()), Some((offset, what, Loss::Records(lost))))?;
            (entry, offset) = (to, at);
        }
        if let Some(next) = self.next.filter(|&next| next > entry) {
            let what = format!("it ends at record {entry}, and the next segment starts with record {next}");
            meet(Piece::Lost(entry..next), Some((offset, what, Loss::Records(entry..next))))?;
            entry = next;
        }
        Ok(entry)
    }

    /// No record can be told from rubbish.
    fn without_header(&self, meet: &mut dyn FnMut(Piece, Said) -> Result<()>) -> Result<u64> {
        let end = self.next.unwrap_or(self.first);
        // The header is synced before the first record is written: without more there was nothing.
        let unfinished = self.next.is_none() && self.bytes <= HEADER_BYTES as u64;
        let loss = if unfinished { Loss::TornTail } else { Loss::Records(self.first..end) };
        meet(Piece::Lost(self.first..end), Some((0, "its header is damaged".to_owned(), loss)))?;
        Ok(end)
    }

    /// The frame at a place, whole and checked; or what is wrong with it, and its head if that is right.
    #[expect(clippy::type_complexity, reason = "a failure to read, what is found, and what is wrong with it")]
    fn frame(
        &self,
        window: &mut Window<'_>,
        seed: u32,
        entry: u64,
        offset: u64,
    ) -> Result<std::result::Result<(Head, Bytes), (String, Option<Head>)>> {
        let bytes = window.at(offset, HEAD_BYTES).map_err(failed("read", &self.path))?;
        let head = match Head::parse(bytes, seed) {
            Ok(head) => head,
            Err(what) => return Ok(Err((format!("record {entry}: {what}"), None))),
        };
        if head.entry != entry {
            return Ok(Err((format!("record {entry} should be here and record {} is", head.entry), None)));
        }
        if offset + head.frame_bytes() > self.bytes {
            return Ok(Err((format!("record {entry} is cut off"), None)));
        }
        let payload = window
            .at(offset + HEAD_BYTES as u64, head.stored as usize)
            .map_err(failed("read", &self.path))?;
        Ok(head
            .unpack(payload)
            .map(|record| (head, record))
            .map_err(|what| (format!("record {entry}: {what}"), Some(head))))
    }

    fn fits(&self, window: &mut Window<'_>, head: &Head, offset: u64) -> bool {
        window.at(offset + HEAD_BYTES as u64, head.stored as usize).is_ok_and(|payload| head.fits(payload))
    }

    /// The next record behind a place where none starts, and where it is.
    fn resume(
        &self,
        window: &mut Window<'_>,
        seed: u32,
        entry: u64,
        offset: u64,
    ) -> Result<Option<(u64, u64)>> {
        let limit = self.next.unwrap_or(u64::MAX);
        let found = search(window, seed, offset, |head, at| {
            head.entry >= entry && head.entry < limit && at + head.frame_bytes() <= self.bytes
        });
        Ok(found.map_err(failed("read", &self.path))?.map(|(head, at)| (head.entry, at)))
    }

    /// Whether the entry at a place had been durable once: something behind it was written later.
    fn was_durable(&self, window: &mut Window<'_>, seed: u32, entry: u64, offset: u64) -> Result<bool> {
        let later = search(window, seed, offset, |head, _| head.group > entry);
        Ok(later.map_err(failed("read", &self.path))?.is_some())
    }
}
