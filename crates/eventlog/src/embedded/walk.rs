use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use bytes::Bytes;
use disk::File;

use super::files::{damaged, failed};
use super::frame::{HEAD_BYTES, Head, MAGIC};
use super::index::Place;
use super::window::Window;
use crate::Result;

/// What is there, or what is wrong with it.
pub(super) type Checked<T> = std::result::Result<T, String>;

/// Goes through the frames of a segment in order. Every failure names the file and the offset.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    path: &'a Path,
    window: Window<'a>,
    seed: u32,
    limit: u64,
    place: Place,
}

impl<'a> Walk<'a> {
    /// Starts at a place of a file of `limit` bytes.
    pub(super) fn new(
        path: &'a Path,
        file: &'a dyn File,
        seed: u32,
        limit: u64,
        place: Place,
        ahead: usize,
    ) -> Self {
        Self { path, window: Window::new(file, limit, ahead), seed, limit, place }
    }

    /// Where it stands.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// The head of the frame here.
    pub(super) fn head(&mut self) -> Result<Head> {
        self.look()?.map_err(|what| self.damage(what))
    }

    /// The same, with what is wrong with it apart from a failure to read.
    pub(super) fn look(&mut self) -> Result<Checked<Head>> {
        let Place { entry, offset } = self.place;
        let bytes = self.window.at(offset, HEAD_BYTES).map_err(failed("read", self.path))?;
        if bytes.is_empty() {
            return Ok(Err(format!("the file ends where record {entry} should be")));
        }
        let head = match Head::parse(bytes, self.seed) {
            Ok(head) => head,
            Err(what) => return Ok(Err(format!("record {entry}: {what}"))),
        };
        if head.entry != entry {
            return Ok(Err(format!("record {entry} should be here and record {} is", head.entry)));
        }
        if offset + head.frame_bytes() > self.limit {
            return Ok(Err(format!("record {entry} is cut off")));
        }
        Ok(Ok(head))
    }

    /// The record of the frame here, checked and decompressed.
    pub(super) fn record(&mut self, head: &Head) -> Result<Bytes> {
        self.look_into(head)?.map_err(|what| self.damage(what))
    }

    /// The same, with what is wrong with it apart from a failure to read.
    pub(super) fn look_into(&mut self, head: &Head) -> Result<Checked<Bytes>> {
        let entry = self.place.entry;
        Ok(head.unpack(self.payload(head)?).map_err(|what| format!("record {entry}: {what}")))
    }

    /// Checks the payload of the frame here.
    pub(super) fn check(&mut self, head: &Head) -> Result<()> {
        if head.fits(self.payload(head)?) {
            Ok(())
        } else {
            let what = format!("record {}: the checksum of the record does not fit", self.place.entry);
            Err(self.damage(what))
        }
    }

    /// Goes behind the frame here.
    pub(super) fn step(&mut self, head: &Head) {
        self.place = Place { entry: head.entry + 1, offset: self.place.offset + head.frame_bytes() };
    }

    /// Goes on to the next whole frame of an entry below `limit`, or to the end of the file if there is none.
    pub(super) fn skip(&mut self, limit: u64) -> Result<()> {
        let Place { entry, offset } = self.place;
        let end = self.limit;
        let next = search(&mut self.window, self.seed, offset, |head, at| {
            head.entry >= entry && head.entry < limit && at + head.frame_bytes() <= end
        });
        self.place = match next.map_err(failed("read", self.path))? {
            Some((head, offset)) => Place { entry: head.entry, offset },
            None => Place { entry, offset: end },
        };
        Ok(())
    }

    /// Whether anywhere behind this place there is a frame that was written after the entry here had become durable.
    pub(super) fn was_durable(&mut self) -> Result<bool> {
        let Place { entry, offset } = self.place;
        let later = search(&mut self.window, self.seed, offset, |head, _| head.group > entry);
        Ok(later.map_err(failed("read", self.path))?.is_some())
    }

    fn payload(&mut self, head: &Head) -> Result<&[u8]> {
        self.window
            .at(self.place.offset + HEAD_BYTES as u64, head.stored as usize)
            .map_err(failed("read", self.path))
    }

    fn damage(&self, what: String) -> crate::Error {
        damaged(self.path, self.place.offset, what)
    }
}

/// The seed of the frames of a file whose header does not say it, if there are any frames of entries that `wanted` takes. Each of
/// them tells it; what only looks like a frame tells another.
pub(super) fn seed_of_frames(
    window: &mut Window<'_>,
    from: u64,
    wanted: impl Fn(&Head) -> bool,
) -> io::Result<Option<u32>> {
    let mut told = BTreeMap::<u32, u64>::new();
    scan(window, from, |bytes, _| {
        let seed = Head::seed(bytes)?;
        if Head::parse(bytes, seed).is_ok_and(|head| wanted(&head)) {
            *told.entry(seed).or_default() += 1;
        }
        None::<()>
    })?;
    Ok(told.into_iter().max_by_key(|(_, times)| *times).map(|(seed, _)| seed))
}

/// The first frame at or behind an offset that is wanted, and where it is.
fn search(
    window: &mut Window<'_>,
    seed: u32,
    from: u64,
    wanted: impl Fn(&Head, u64) -> bool,
) -> io::Result<Option<(Head, u64)>> {
    scan(window, from, |bytes, at| {
        let head = Head::parse(bytes, seed).ok()?;
        wanted(&head, at).then_some((head, at))
    })
}

/// Goes to every place at or behind an offset where a frame may start, until `find` has what it is after. It looks at every byte.
fn scan<T>(
    window: &mut Window<'_>,
    mut from: u64,
    mut find: impl FnMut(&[u8], u64) -> Option<T>,
) -> io::Result<Option<T>> {
    const PIECE: usize = 256 * 1024;
    loop {
        let piece = window.at(from, PIECE)?;
        let found = (0..piece.len())
            .filter(|&at| piece[at..].starts_with(&MAGIC))
            .find_map(|at| find(&piece[at..], from + at as u64));
        if found.is_some() || piece.len() < PIECE {
            return Ok(found);
        }
        // A head that crosses the end of the piece is whole in the next one.
        from += (PIECE - HEAD_BYTES) as u64;
    }
}
