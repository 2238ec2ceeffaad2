//! Brings a partition back as the last process left it, however that ended.
//!
//! Sealed segments were synced before the next one was made, so they are taken as they are and checked when they are
//! read. Only the last one can have a torn tail: bytes of records whose appends never returned.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use disk::{Disk, File, Mode};
use model::{Partition, Timestamp};

use super::files::{damaged, failed, segment_firsts, segment_path, sync_directory};
use super::index::Place;
use super::mark::{Mark, MarkFile};
use super::segment::{HEADER_BYTES, Segment};
use super::walk::Walk;
use crate::{Error, Result};

const SCAN_AHEAD: usize = 1024 * 1024;

/// A partition, ready to be read and appended to.
#[derive(Debug)]
pub(super) struct Recovered {
    /// All of them, oldest first.
    pub(super) segments: VecDeque<Arc<Segment>>,
    /// The last of them.
    pub(super) last: Arc<Segment>,
    /// Its file.
    pub(super) file: Box<dyn File>,
    /// When the last record was appended; no later record may say an earlier time.
    pub(super) last_at: Timestamp,
    /// Where it is noted how far it is durable, and what is noted.
    pub(super) mark: (MarkFile, Mark),
}

/// Opens the segments of a partition. One without any is right only while the log is being made (`fresh`).
pub(super) fn recover(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    partition: Partition,
    fresh: bool,
    now: Timestamp,
) -> Result<Recovered> {
    let firsts = segment_firsts(&**disk, directory)?;
    let noted = Mark::read(&**disk, directory)?;
    let oldest = firsts.first().copied().unwrap_or_default();
    let durable = noted.unwrap_or(Mark { first: oldest, end: 0 });
    if durable.first < oldest {
        tracing::error!(
            directory = %directory.display(), from = durable.first, to = oldest,
            "records are gone that retention has not deleted: `hitmill doctor` says what that means"
        );
    }
    let Some((&last, sealed)) = firsts.split_last() else {
        if !fresh {
            let place = directory.display().to_string();
            return Err(Error::Corrupt { place, what: "it has no segment at all".to_owned() });
        }
        let mark = (Mark::open(&**disk, directory)?, durable);
        let (segment, file) = Segment::create(disk, directory, partition, 0, now)?;
        let last = Arc::new(segment);
        return Ok(Recovered {
            segments: VecDeque::from([Arc::clone(&last)]),
            last,
            file,
            last_at: now,
            mark,
        });
    };
    let mut segments = VecDeque::with_capacity(firsts.len());
    for (&first, &end) in sealed.iter().zip(&firsts[1..]) {
        let path = segment_path(directory, first);
        let bytes =
            disk.open(&path, Mode::Read).and_then(|file| file.len()).map_err(failed("look at", &path))?;
        segments.push_back(Arc::new(Segment::existing(disk, directory, partition, first, end, bytes)));
    }
    let (segment, file, last_at) = match open_last(disk, directory, partition, last)? {
        Some((segment, file)) => {
            let last_at = scan(&segment, &*file, durable)?;
            (segment, file, last_at)
        }
        None if last < durable.end => return Err(missing(directory, last, durable)),
        None => {
            // The segment was never finished, so it has no record. Its time must still not be before its elder's.
            tracing::warn!(file = %segment_path(directory, last).display(), "made a segment anew that was never finished");
            let at = segments.back().map_or(Ok(now), |elder| elder.last_at().map(|last| last.max(now)))?;
            let (segment, file) = Segment::create(disk, directory, partition, last, at)?;
            (segment, file, at)
        }
    };
    // The last process may have been killed before its sync: what is read from here on must be as durable as any other.
    file.sync_all().map_err(failed("sync", segment.path()))?;
    let mark = (Mark::open(&**disk, directory)?, Mark { end: segment.end(), ..durable });
    sync_directory(&**disk, directory)?;
    let last = Arc::new(segment);
    segments.push_back(Arc::clone(&last));
    Ok(Recovered { segments, last, file, last_at, mark })
}

/// Records up to `end` are there, and more were acknowledged.
fn missing(place: &Path, end: u64, durable: Mark) -> Error {
    let what = format!("record {} was acknowledged, and it ends before record {end}", durable.end - 1);
    Error::Corrupt { place: place.display().to_string(), what }
}

/// The last segment with all its bytes, or nothing if the process ended while it was making it.
fn open_last(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    partition: Partition,
    first: u64,
) -> Result<Option<(Segment, Box<dyn File>)>> {
    let path = segment_path(directory, first);
    let file = disk.open(&path, Mode::Write).map_err(failed("open", &path))?;
    let bytes = file.len().map_err(failed("look at", &path))?;
    let segment = Segment::existing(disk, directory, partition, first, first, bytes);
    match segment.header(&*file) {
        Ok(_) => Ok(Some((segment, file))),
        // The header is synced before the first record is written: a file with more was whole once.
        Err(Error::Corrupt { .. }) if bytes <= HEADER_BYTES as u64 => Ok(None),
        Err(error) => Err(error),
    }
}

/// Checks every record of the last segment, cuts off a torn tail, and gives the time of the last record.
fn scan(segment: &Segment, file: &dyn File, durable: Mark) -> Result<Timestamp> {
    let header = segment.header(file)?;
    let bytes = segment.bytes();
    let start = Place { entry: segment.first(), offset: HEADER_BYTES as u64 };
    let mut walk = Walk::new(segment.path(), file, header.seed, bytes, start, SCAN_AHEAD);
    let mut last_at = header.created_at;
    let mut places = Vec::new();
    while walk.place().offset < bytes {
        let head = match walk.head().and_then(|head| walk.check(&head).map(|()| head)) {
            Ok(head) => head,
            Err(Error::Corrupt { what, .. }) => {
                cut(segment, file, &mut walk, durable, &what)?;
                break;
            }
            Err(error) => return Err(error),
        };
        places.push(walk.place());
        last_at = head.appended_at;
        walk.step(&head);
    }
    let Place { entry, offset } = walk.place();
    if entry < durable.end {
        return Err(missing(segment.path(), entry, durable));
    }
    segment.extend(places.into_iter(), entry, offset);
    Ok(last_at)
}

/// Cuts the segment off at a record that does not fit, unless that record had been durable once.
fn cut(segment: &Segment, file: &dyn File, walk: &mut Walk<'_>, durable: Mark, what: &str) -> Result<()> {
    let Place { entry, offset } = walk.place();
    let proof = if entry < durable.end {
        Some("it was acknowledged")
    } else {
        walk.was_durable()?.then_some("later flushes follow it")
    };
    if let Some(proof) = proof {
        let what = format!("{what}, and {proof}: this is damage and not a torn tail");
        return Err(damaged(segment.path(), offset, what));
    }
    let dropped = segment.bytes() - offset;
    tracing::warn!(file = %segment.path().display(), offset, dropped, what, "cut off a torn tail that no append returned for");
    file.set_len(offset).map_err(failed("cut", segment.path()))
}
