//! The directory of a log: who uses it, and what was fixed when it was made.
//!
//! ```text
//! lock        locked by the process that has the log open
//! meta        "hitmill-log format=1 partitions=4"; written last, so that a log that has it is complete
//! p00000/     segments of partition 0
//! instance    whose hits these are: of the host, not read here
//! ```

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disk::{Disk, Lock};
use model::Partition;

use super::files::{failed, make_directory, sync_directory};
use crate::{Error, Result};

const FORMAT: &str = "1";

/// The locked directory of a log.
#[derive(Debug)]
pub(super) struct Home {
    pub(super) disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Whether the log is being made: its meta file is not there yet.
    pub(super) fresh: bool,
    // Held for its lock, which the system releases with the file, also when the process is killed.
    _lock: Box<dyn Lock>,
}

impl Home {
    /// Takes the directory for this process, creating what is missing.
    pub(super) fn open(disk: Arc<dyn Disk>, path: &Path, partitions: u16) -> Result<Self> {
        make_directory(&*disk, path)?;
        let lock = lock(&*disk, path)?;
        let meta = path.join("meta");
        let fresh = match disk::read(&*disk, &meta) {
            Ok(text) => {
                let there = there(&*disk, path)?;
                check(&meta, &String::from_utf8_lossy(&text), there, partitions).map(|()| false)?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(failed("read", &meta)(error)),
        };
        let home = Self { disk, path: path.to_owned(), fresh, _lock: lock };
        // The last process may have been killed before it synced the names that are found here. From now on hits are
        // acknowledged upon them: a loss of power must not take them away.
        sync_directory(&*home.disk, path)?;
        if fresh {
            let there = there(&*home.disk, path)?;
            if there > partitions {
                let what = format!(
                    "a log of {there} partitions was begun in {} and not finished: set that number, or remove it",
                    path.display()
                );
                return Err(Error::Mismatch { what });
            }
            (0..partitions).try_for_each(|partition| {
                make_directory(&*home.disk, &home.directory(Partition(partition)))
            })?;
        }
        Ok(home)
    }

    /// Where the segments of a partition are.
    pub(super) fn directory(&self, partition: Partition) -> PathBuf {
        directory(&self.path, partition)
    }

    /// Writes down what is fixed from now on.
    pub(super) fn settle(&mut self, partitions: u16) -> Result<()> {
        write_meta(&*self.disk, &self.path, partitions)?;
        self.fresh = false;
        Ok(())
    }
}

/// Where the segments of a partition are.
pub(super) fn directory(log: &Path, partition: Partition) -> PathBuf {
    log.join(format!("p{:05}", partition.0))
}

/// The partition whose directory has this name.
pub(super) fn partition_of(name: &OsStr) -> Option<Partition> {
    let digits = name.to_str()?.strip_prefix('p').filter(|digits| digits.len() == 5)?;
    digits.parse().ok().filter(|&number| number < u16::MAX).map(Partition)
}

/// Writes the meta file, durably and as a whole.
pub(super) fn write_meta(disk: &dyn Disk, log: &Path, partitions: u16) -> Result<()> {
    let meta = log.join("meta");
    let text = format!("hitmill-log format={FORMAT} partitions={partitions}\n");
    disk::replace(disk, &meta, text.as_bytes()).map_err(failed("write", &meta))
}

/// Takes the directory of a log for this process.
pub(super) fn lock(disk: &dyn Disk, directory: &Path) -> Result<Box<dyn Lock>> {
    let path = directory.join("lock");
    disk.lock(&path).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => Error::InUse { path: directory.display().to_string() },
        _ => failed("lock", &path)(error),
    })
}

/// How many partitions a meta file says.
pub(super) fn partitions(meta: &Path, text: &str) -> Result<u16> {
    let damaged = || {
        let what = format!("it says {text:?} and should say which format and how many partitions");
        Error::Corrupt { place: meta.display().to_string(), what }
    };
    let fields =
        text.trim_end().strip_prefix("hitmill-log format=").and_then(|rest| rest.split_once(" partitions="));
    let (format, partitions) = fields.ok_or_else(damaged)?;
    if format != FORMAT {
        let what = format!("{} says format {format}: this version reads format {FORMAT}", meta.display());
        return Err(Error::Mismatch { what });
    }
    partitions.parse().ok().filter(|partitions| *partitions > 0).ok_or_else(damaged)
}

/// How many partitions there are folders of.
pub(super) fn there(disk: &dyn Disk, log: &Path) -> Result<u16> {
    let names = disk.list(log).map_err(failed("list", log))?;
    let numbers = names.iter().filter_map(|name| partition_of(name));
    Ok(numbers.map(|partition| partition.0 + 1).max().unwrap_or_default())
}

/// What is wrong with a meta file, or with the folders: they are made before it is written.
pub(super) fn apart(partitions: u16, there: u16) -> String {
    format!("it says {partitions} partitions, and there are folders of {there}")
}

fn check(meta: &Path, text: &str, there: u16, wanted: u16) -> Result<()> {
    let partitions = partitions(meta, text)?;
    if partitions != there {
        return Err(Error::Corrupt { place: meta.display().to_string(), what: apart(partitions, there) });
    }
    if partitions != wanted {
        let what = format!(
            "the log in {} was made with {partitions} partitions and the settings say {wanted}: \
             the number is fixed for the life of a log, set it to {partitions}",
            meta.parent().unwrap_or(meta).display()
        );
        return Err(Error::Mismatch { what });
    }
    Ok(())
}
