//! Directories, names and syncs: what all files of the log have in common.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// A failed call on a file, as an error that names both.
pub(super) fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let place = path.display().to_string();
    move |source| Error::Io { doing, place, source }
}

/// Damage at an offset of a file.
pub(super) fn damaged(path: &Path, offset: u64, what: impl Into<String>) -> Error {
    Error::Corrupt { place: format!("{} at offset {offset}", path.display()), what: what.into() }
}

/// Makes the names in a directory durable: a new file that was synced itself can still lose its name in a crash.
pub(super) fn sync_directory(path: &Path) -> Result<()> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(failed("sync", path))
}

/// Creates a directory with all that lead to it, durably.
pub(super) fn create_directory(path: &Path) -> Result<()> {
    let path = std::path::absolute(path).map_err(failed("find", path))?;
    let missing: Vec<_> = path.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
    fs::create_dir_all(&path).map_err(failed("create", &path))?;
    missing.iter().filter_map(|created| created.parent()).try_for_each(sync_directory)
}

/// The file name of the segment that starts with entry `first`.
pub(super) fn segment_path(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("{first:020}.log"))
}

/// First entries of the segments in a directory, rising. Other files are left alone.
pub(super) fn segment_firsts(directory: &Path) -> Result<Vec<u64>> {
    let mut firsts = Vec::new();
    for file in fs::read_dir(directory).map_err(failed("list", directory))? {
        let name = file.map_err(failed("list", directory))?.file_name();
        let first =
            name.to_str().and_then(|name| name.strip_suffix(".log")).filter(|digits| digits.len() == 20);
        firsts.extend(first.and_then(|digits| digits.parse::<u64>().ok()));
    }
    firsts.sort_unstable();
    Ok(firsts)
}
