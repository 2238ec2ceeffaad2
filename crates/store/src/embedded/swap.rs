//! Putting another store in the place of one, in a step that happens or does not.
//!
//! ```text
//! store/              the store
//! store.doctor-new/   the other one, until they change places; then the old one, until it is moved aside
//! store/replaced      in the other one, where the old one goes, from beside it: while it is there, that is not done
//! ```
//!
//! Whoever opens the store next finishes what was begun.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use disk::{Disk as _, System, make_directory};
use rustix::fs::{CWD, RenameFlags};

const NOTE: &str = "replaced";

/// Where the other store is made.
pub(super) fn place_of_new(dir: &Path) -> PathBuf {
    dir.with_extension("doctor-new")
}

/// Where a copy is looked at.
pub(super) fn place_of_copy(dir: &Path) -> PathBuf {
    dir.with_extension("doctor-copy")
}

/// Removes what a doctor that was killed has left: nothing else has these names. What it held would take space for ever, since
/// tables that are deleted from the store live on in it.
pub(super) fn clear_leftovers(dir: &Path) {
    // One of these places may be the one that is opened.
    let left = |left: &PathBuf| left != dir && left.is_dir();
    for left in [place_of_new(dir), place_of_copy(dir)].into_iter().filter(left) {
        if let Err(error) = fs::remove_dir_all(&left) {
            tracing::warn!(path = %left.display(), %error, "failed to remove what a doctor left");
        }
    }
}

/// Puts the store that is in [`place_of_new`] in the place of the one in `dir`, which is moved to `aside`, somewhere beside it.
pub(super) fn swap(dir: &Path, aside: &Path) -> io::Result<()> {
    let new = place_of_new(dir);
    // From beside the store: whoever finishes it may see it at another place.
    let beside = std::path::absolute(dir)?.parent().map(Path::to_owned).unwrap_or_default();
    let aside = std::path::absolute(aside)?;
    let aside = aside.strip_prefix(&beside).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    fs::write(new.join(NOTE), aside.as_os_str().as_bytes())?;
    sync_all(&new)?;
    // At no time is there none: a server that found none would make one without merchants.
    rustix::fs::renameat_with(CWD, dir, CWD, &new, RenameFlags::EXCHANGE)?;
    sync_parent(dir)?;
    finish(dir)
}

/// Moves aside what was replaced, if that was not done yet.
pub(super) fn finish(dir: &Path) -> io::Result<()> {
    let note = dir.join(NOTE);
    let aside = match fs::read(&note) {
        Ok(aside) => dir.with_file_name(OsString::from_vec(aside)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let old = place_of_new(dir);
    if old.exists() {
        aside.parent().map_or(Ok(()), |parent| make_directory(&System, parent))?;
        fs::rename(&old, &aside)?;
        sync_parent(&aside)?;
        sync_parent(dir)?;
    }
    fs::remove_file(note)?;
    System.sync_directory(dir)
}

/// Makes a directory durable with all that is in it.
fn sync_all(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_all(&entry.path())?
        } else {
            File::open(entry.path())?.sync_all()?
        }
    }
    System.sync_directory(dir)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |parent| System.sync_directory(parent))
}
