//! Directories, names and syncs: what all files of the log have in common.

use std::io;
use std::path::{Path, PathBuf};

use disk::Disk;

use crate::{Error, Result};

/// A failed call on a file, as an error that names both.
pub(super) fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let place = path.display().to_string();
    move |why| Error::Io { doing, place, why }
}

/// Damage at an offset of a file.
pub(super) fn damaged(path: &Path, offset: u64, what: impl Into<String>) -> Error {
    Error::Corrupt { place: format!("{} at offset {offset}", path.display()), what: what.into() }
}

/// Makes the names in a directory durable: a new file that was synced itself can still lose its name in a crash.
pub(super) fn sync_directory(disk: &dyn Disk, path: &Path) -> Result<()> {
    disk.sync_directory(path).map_err(failed("sync", path))
}

/// Makes a directory with all that lead to it, durably.
pub(super) fn make_directory(disk: &dyn Disk, path: &Path) -> Result<()> {
    disk::make_directory(disk, path).map_err(failed("create", path))
}

/// The file name of the segment that starts with entry `first`.
pub(super) fn segment_path(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("{first:020}.log"))
}

/// First entries of the segments in a directory, rising. Other files are left alone.
pub(super) fn segment_firsts(disk: &dyn Disk, directory: &Path) -> Result<Vec<u64>> {
    let mut firsts = Vec::new();
    for name in disk.list(directory).map_err(failed("list", directory))? {
        let first =
            name.to_str().and_then(|name| name.strip_suffix(".log")).filter(|digits| digits.len() == 20);
        firsts.extend(first.and_then(|digits| digits.parse::<u64>().ok()));
    }
    firsts.sort_unstable();
    Ok(firsts)
}
