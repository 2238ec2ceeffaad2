//! Looking through a log that no process has open for damage, and making it one that can be folded again.
//!
//! A log that is damaged stops the fold of a partition at the record that does not fit. Repair puts an empty record in the
//! place of each that is lost: every other one keeps its position, so that the store, which says how far it is by
//! positions, fits the log as before.

mod look;
mod pieces;
mod rewrite;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disk::{Disk, Lock, System};
use model::{Partition, Timestamp};

use self::pieces::Segments;
use super::files::failed;
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
    /// When the oldest record that is kept was appended, or later.
    pub since: Option<Timestamp>,
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
    /// These records, or none but a header that has to be written anew. The fold stops at the first of them until the log is
    /// repaired.
    Records(Range<u64>),
    /// Records from this one on; how many there were is not known.
    From(u64),
    /// The oldest records, before this one, which retention has not deleted. What is left can be folded.
    Before(u64),
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
    /// From which record on each partition is read, and up to which something of it is folded: new ones must not come before
    /// that, nobody would count them.
    pub folded: &'a [Range<u64>],
    /// Now.
    pub now: Timestamp,
}

/// Looks through the log in `directory`: reads all of it. Nothing is changed, and nobody else can open it while what is given
/// lives. `partitions` is how many it has at least, for when the log itself does not say.
///
/// Fails if it is not there, is in use, cannot be read, or was written by a later version.
pub fn examine(directory: &Path, partitions: u16, judge: &Judge<'_>) -> Result<Examined> {
    examine_on(Arc::new(System), directory, partitions, judge)
}

/// The same on any disk.
pub fn examine_on(
    disk: Arc<dyn Disk>,
    directory: &Path,
    partitions: u16,
    judge: &Judge<'_>,
) -> Result<Examined> {
    if !disk.exists(directory) {
        let source = io::Error::from(io::ErrorKind::NotFound);
        return Err(failed("look into", directory)(source));
    }
    let lock = home::lock(&*disk, directory)?;
    let (partitions, damage) = partitions_of(&*disk, directory, partitions)?;
    let mut findings = Vec::new();
    let mut extents = Vec::new();
    for partition in (0..partitions).map(Partition) {
        let segments = Segments::find(&disk, directory, partition)?;
        extents.push(look::look(&segments, judge, &mut findings)?);
    }
    // The file is written last: without it and without records, the log was never used, and a start makes it anew.
    if let Some(what) = damage.filter(|_| extents.iter().any(|extent| extent.records.end > 0)) {
        findings.insert(0, Finding::of_meta(directory.join("meta"), what));
    }
    Ok(Examined { partitions: extents, findings, disk, path: directory.to_owned(), _lock: lock })
}

impl Finding {
    fn of_meta(file: PathBuf, what: String) -> Self {
        Self { partition: Partition(0), file, offset: 0, what, loss: Loss::Meta, appended: (None, None) }
    }
}

impl Examined {
    /// Makes the log one that opens and can be folded to its end. What was damaged goes aside as it is; gives the names of
    /// these files.
    ///
    /// Whenever the process ends or the power is cut, each segment is as it was or repaired, and what is left is repaired when
    /// it is asked again. The disk needs space for all damaged segments and one more. Fails as the disk does.
    pub fn repair(&self, judge: &Judge<'_>, remedy: &Remedy<'_>) -> Result<Vec<PathBuf>> {
        let mut moved = Vec::new();
        for extent in &self.partitions {
            let partition = extent.partition;
            let Range { start: read_from, end: folded } =
                remedy.folded.get(usize::from(partition.0)).cloned().unwrap_or_default();
            let lost = |finding: &Finding| finding.partition == partition && finding.loss.is_of_records();
            if !self.findings.iter().any(lost) && folded <= extent.records.end {
                continue;
            }
            let segments = Segments::find(&self.disk, &self.path, partition)?;
            moved.extend(rewrite::rewrite(&segments, judge, remedy, read_from..folded)?);
        }
        if self.findings.iter().any(|finding| finding.loss == Loss::Meta) {
            home::write_meta(&*self.disk, &self.path, self.partitions.len() as u16)?;
        }
        Ok(moved)
    }
}

impl Loss {
    fn is_of_records(&self) -> bool {
        matches!(self, Self::Records(_) | Self::From(_) | Self::Before(_))
    }
}

/// How many partitions the log has: by its meta file, or if that does not say so by its directories, with what is wrong.
fn partitions_of(disk: &dyn Disk, directory: &Path, at_least: u16) -> Result<(u16, Option<String>)> {
    let meta = directory.join("meta");
    let there = home::there(disk, directory)?;
    let what = match disk::read(disk, &meta) {
        Ok(text) => match home::partitions(&meta, &String::from_utf8_lossy(&text)) {
            // Folders may have gone, of partitions that are known of elsewhere.
            Ok(partitions) if partitions == there || there < partitions && partitions <= at_least => {
                return Ok((partitions, None));
            }
            Ok(partitions) => home::apart(partitions, there),
            Err(Error::Corrupt { what, .. }) => what,
            Err(error) => return Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => "it is missing".to_owned(),
        Err(error) => return Err(failed("read", &meta)(error)),
    };
    // A log without any was never finished.
    Ok((if there == 0 { 0 } else { there.max(at_least) }, Some(what)))
}
