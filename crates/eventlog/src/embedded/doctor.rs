//! Looking through a log that no process has open for damage, and making it one that can be folded again.
//!
//! A log that is damaged stops the fold of a partition at the record that does not fit. Repair puts an empty record in the
//! place of each that is lost: every other one keeps its position, so that the store, which says how far it is by
//! positions, fits the log as before.

mod pieces;
mod rewrite;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disk::{Disk, Lock, System};
use model::{Partition, Timestamp};

use self::pieces::Segments;
use super::files::{failed, make_directory};
use super::home;
use crate::{Error, Result};

/// Says what is wrong with a record whose checksum fits, if anything is.
pub type Judge<'a> = dyn Fn(&[u8]) -> Option<String> + 'a;

/// What a log holds, and what is wrong with it.
#[derive(Debug)]
pub struct Examined {
    /// One for each partition.
    pub partitions: Vec<Extent>,
    /// What does not fit, by partition and position.
    pub findings: Vec<Finding>,
    disk: Arc<dyn Disk>,
    path: PathBuf,
    _lock: Box<dyn Lock>,
}

/// What a partition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The partition.
    pub partition: Partition,
    /// Its segments.
    pub segments: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// Its records, from the first that is kept to above the last.
    pub records: Range<u64>,
}

/// Something that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// In which partition.
    pub partition: Partition,
    /// In which file, or which file is missing.
    pub file: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// What does not fit.
    pub what: String,
    /// What it means.
    pub loss: Loss,
    /// When the record before and the one behind were appended, where there is one.
    pub appended: (Option<Timestamp>, Option<Timestamp>),
}

/// What a finding means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nothing: no append returned for these bytes. The next start cuts them off.
    TornTail,
    /// These records. The fold stops at the first of them until the log is repaired.
    Records(Range<u64>),
    /// How many partitions the log has. It does not open until the log is repaired.
    Meta,
}

/// What the repair of a log needs to know from elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Remedy<'a> {
    /// Where files go that were damaged, whole. Made if it is not there.
    pub aside: &'a Path,
    /// The record that stands for one that is lost.
    pub filler: &'a [u8],
    /// Up to which record each partition was folded: new ones must not come before it, nobody would read them.
    pub folded: &'a [u64],
    /// Now.
    pub now: Timestamp,
}

/// Looks through the log in `directory`: reads all of it. Nothing is changed.
pub fn examine(directory: &Path, judge: &Judge<'_>) -> Result<Examined> {
    let disk: Arc<dyn Disk> = Arc::new(System);
    if !disk.exists(directory) {
        let source = io::Error::from(io::ErrorKind::NotFound);
        return Err(failed("look into", directory)(source));
    }
    let lock = home::lock(&*disk, directory)?;
    let (partitions, damage) = partitions(&*disk, directory)?;
    let meta = |what| Finding {
        partition: Partition(0),
        file: directory.join("meta"),
        offset: 0,
        what,
        loss: Loss::Meta,
        appended: (None, None),
    };
    let mut findings = Vec::new();
    let mut extents = Vec::new();
    for partition in (0..partitions).map(Partition) {
        let segments = Segments::find(&disk, directory, partition)?;
        extents.push(segments.look(judge, &mut findings)?);
    }
    // The file is written last: without it and without records, the log was never used, and a start makes it anew.
    if let Some(what) = damage.filter(|_| extents.iter().any(|extent| extent.records.end > 0)) {
        findings.insert(0, meta(what));
    }
    Ok(Examined { partitions: extents, findings, disk, path: directory.to_owned(), _lock: lock })
}

impl Examined {
    /// Makes the log one that opens and can be folded to its end. What was damaged goes aside as it is; gives the names of
    /// these files.
    pub fn repair(&self, judge: &Judge<'_>, remedy: &Remedy<'_>) -> Result<Vec<PathBuf>> {
        let mut moved = Vec::new();
        for extent in &self.partitions {
            let partition = extent.partition;
            let folded = remedy.folded.get(usize::from(partition.0)).copied().unwrap_or_default();
            let lost = self
                .findings
                .iter()
                .any(|finding| finding.partition == partition && matches!(finding.loss, Loss::Records(_)));
            if !lost && folded <= extent.records.end {
                continue;
            }
            let segments = Segments::find(&self.disk, &self.path, partition)?;
            make_directory(&*self.disk, &remedy.aside.join(segments.directory_name()))?;
            moved.extend(rewrite::rewrite(&segments, judge, remedy, folded)?);
        }
        if self.findings.iter().any(|finding| finding.loss == Loss::Meta) {
            home::write_meta(&*self.disk, &self.path, self.partitions.len() as u16)?;
        }
        Ok(moved)
    }
}

/// How many partitions the log has: by its meta file, or if that does not say so by its directories, with what is wrong.
fn partitions(disk: &dyn Disk, directory: &Path) -> Result<(u16, Option<String>)> {
    let meta = directory.join("meta");
    let what = match disk::read(disk, &meta) {
        Ok(text) => match home::partitions(&meta, &String::from_utf8_lossy(&text)) {
            Ok(partitions) => return Ok((partitions, None)),
            Err(Error::Corrupt { what, .. }) => what,
            Err(error) => return Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => "it is missing".to_owned(),
        Err(error) => return Err(failed("read", &meta)(error)),
    };
    let there =
        (0..u16::MAX).take_while(|&number| disk.exists(&home::directory(directory, Partition(number))));
    Ok((there.count() as u16, Some(what)))
}
