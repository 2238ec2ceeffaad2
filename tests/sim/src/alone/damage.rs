use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::{
    LOG, RECORDS, SETTINGS, Shared, append, disk, in_runtime, life, open, platter, record, segment, text,
};

/// What stands for a record that is lost.
pub(super) const FILLER: &[u8] = b"lost";
const FRAME: usize = 48 + 100;

/// How a log is damaged.
#[derive(Clone, Copy, Debug)]
pub(super) enum Damage {
    /// A record within a segment; the header of one and the record behind it; the last record of all.
    Records,
    /// All segments of a partition are gone.
    Emptied,
    /// The first two segments are gone.
    Beheaded,
    /// The file that says how many partitions there are is gone.
    Meta,
    /// It is an old copy: more of it was folded than it has.
    Old,
}

pub(super) const ALL: [Damage; 5] =
    [Damage::Records, Damage::Emptied, Damage::Beheaded, Damage::Meta, Damage::Old];

/// A file that was damaged, with what is in it.
pub(super) type Damaged = Vec<(PathBuf, Vec<u8>)>;

impl Damage {
    /// From which record on the partition is read, and up to which something of it is folded.
    pub(super) fn folded(self) -> Range<u64> {
        match self {
            Self::Records | Self::Emptied => 5..5,
            Self::Beheaded => 7..8,
            Self::Meta => 0..0,
            Self::Old => 5..RECORDS + 3,
        }
    }

    /// Which records a repaired log has, and which of them in name only.
    pub(super) fn left(self) -> (Range<u64>, fn(u64) -> bool) {
        match self {
            Self::Records => (0..RECORDS, |entry| [4, 6, 11].contains(&entry)),
            Self::Emptied => (5..RECORDS, |_| true),
            Self::Beheaded => (6..RECORDS, |_| false),
            Self::Meta => (0..RECORDS, |_| false),
            Self::Old => (0..RECORDS + 3, |entry| entry >= RECORDS),
        }
    }

    /// A record of a repaired log.
    pub(super) fn expected(self, entry: u64) -> Bytes {
        let (_, lost) = self.left();
        if lost(entry) { Bytes::from(FILLER) } else { record(entry) }
    }

    /// A disk with a log that is damaged so, and what was kept of it.
    pub(super) fn make(self, seed: u64) -> Result<(Shared, Damaged), String> {
        let (platter, server) = (platter(seed), life("server"));
        in_runtime(async {
            let log = open(disk(&platter, &server), &SETTINGS)?;
            append(&log, RECORDS).await
        })?;
        server.end();
        // By now the system has written what was never synced, the mark that says how far the log was durable.
        let mark = platter.lock().file(&Path::new(LOG).join("p00000/durable")).map_err(text)?;
        platter.lock().node(mark).sync();
        let gone = |files: &[PathBuf]| {
            let mut platter = platter.lock();
            let removed = files.iter().try_for_each(|file| {
                platter.remove(file)?;
                platter.sync_directory(file.parent().unwrap_or(Path::new("/")))
            });
            removed.map_err(text)
        };
        let damaged = match self {
            Self::Records => flipped(&platter)?,
            Self::Emptied => gone(&[0, 3, 6, 9].map(segment)).map(|()| Vec::new())?,
            Self::Beheaded => gone(&[0, 3].map(segment)).map(|()| Vec::new())?,
            Self::Meta => gone(&[Path::new(LOG).join("meta")]).map(|()| Vec::new())?,
            Self::Old => Vec::new(),
        };
        Ok((platter, damaged))
    }
}

fn flipped(platter: &Shared) -> Result<Damaged, String> {
    let damage = [
        (3, 36 + FRAME + 60, vec![!record(4)[12]]),
        (6, 0, vec![0; 36 + FRAME]),
        (9, 36 + 2 * FRAME + 90, vec![!record(11)[42]]),
    ];
    let mut files = Vec::new();
    for (first, at, bytes) in damage {
        let mut platter = platter.lock();
        let id = platter.file(&segment(first)).map_err(text)?;
        let node = platter.node(id);
        node.write(at, &bytes);
        node.sync();
        files.push((segment(first), node.bytes.clone()));
    }
    Ok(files)
}
