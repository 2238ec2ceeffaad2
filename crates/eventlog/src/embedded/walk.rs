use std::io;
use std::path::Path;

use bytes::Bytes;
use disk::File;

use super::files::{damaged, failed};
use super::frame::{HEAD_BYTES, Head, MAGIC};
use super::index::Place;
use super::window::Window;
use crate::Result;

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
        let Place { entry, offset } = self.place;
        let bytes = self.window.at(offset, HEAD_BYTES).map_err(failed("read", self.path))?;
        if bytes.is_empty() {
            return Err(damaged(self.path, offset, format!("the file ends where record {entry} should be")));
        }
        let head = Head::parse(bytes, self.seed)
            .map_err(|what| damaged(self.path, offset, format!("record {entry}: {what}")))?;
        if head.entry != entry {
            let what = format!("record {entry} should be here and record {} is", head.entry);
            return Err(damaged(self.path, offset, what));
        }
        if offset + head.frame_bytes() > self.limit {
            return Err(damaged(self.path, offset, format!("record {entry} is cut off")));
        }
        Ok(head)
    }

    /// The record of the frame here, checked and decompressed.
    pub(super) fn record(&mut self, head: &Head) -> Result<Bytes> {
        head.unpack(self.payload(head)?).map_err(|what| self.damage(what))
    }

    /// Checks the payload of the frame here.
    pub(super) fn check(&mut self, head: &Head) -> Result<()> {
        if head.fits(self.payload(head)?) {
            Ok(())
        } else {
            Err(self.damage("the checksum of the record does not fit"))
        }
    }

    /// Goes behind the frame here.
    pub(super) fn step(&mut self, head: &Head) {
        self.place = Place { entry: head.entry + 1, offset: self.place.offset + head.frame_bytes() };
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

    fn damage(&self, what: &str) -> crate::Error {
        damaged(self.path, self.place.offset, format!("record {}: {what}", self.place.entry))
    }
}

/// The first frame at or behind an offset that is wanted, and where it is. It looks at every byte.
pub(super) fn search(
    window: &mut Window<'_>,
    seed: u32,
    mut from: u64,
    wanted: impl Fn(&Head, u64) -> bool,
) -> io::Result<Option<(Head, u64)>> {
    const PIECE: usize = 256 * 1024;
    loop {
        let piece = window.at(from, PIECE)?;
        let found = (0..piece.len())
            .filter(|&at| piece[at..].starts_with(&MAGIC))
            .filter_map(|at| Some((Head::parse(&piece[at..], seed).ok()?, from + at as u64)))
            .find(|(head, at)| wanted(head, *at));
        if found.is_some() || piece.len() < PIECE {
            return Ok(found);
        }
        // A head that crosses the end of the piece is whole in the next one.
        from += (PIECE - HEAD_BYTES) as u64;
    }
}
