//! The files that durable things are made of: the few calls that a log needs of a disk, behind a seam.
//!
//! [`System`] is the disk of this machine. A simulation puts another in its place, one that forgets what was not synced
//! when it is cut off, runs full, or fails.

mod note;
mod reserve;
mod system;

use std::ffi::OsString;
use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::time::Duration;

pub use note::{Note, Sum};
pub use reserve::Reserve;
pub use system::System;

/// A disk.
///
/// An implementer owes what POSIX and a journalling file system owe, and no more:
///
/// * Bytes of a file survive a cut of the power once a sync of the file, begun after they were written, has returned. Until
///   then any part of what was written since the last sync may be there, in any order.
/// * A name that was made, changed or removed survives once its directory was synced.
/// * After a failed sync nothing is known about what was written since the last one that succeeded.
pub trait Disk: Debug + Send + Sync + 'static {
    /// Opens a file.
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>>;

    /// The names in a directory, in any order.
    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>>;

    /// Whether there is a file or directory of this name.
    fn exists(&self, path: &Path) -> bool;

    /// Makes a directory whose parent is there.
    fn create_directory(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;

    /// Gives a file another name, in place of a file that has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Who has it open reads on.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Takes a file for this process, making it if it is not there. Fails with [`io::ErrorKind::WouldBlock`] if another
    /// holds it. Given back when it is dropped, or when the process ends.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>>;

    /// The space of the file system that a path is on.
    fn space(&self, path: &Path) -> io::Result<Space>;

    /// Whether its calls take time: then they belong on threads that may wait.
    fn waits(&self) -> bool;

    /// How long the next write is held up. Only a disk whose calls take no time can say so: a simulated one that is slow.
    fn delay(&self) -> Duration {
        Duration::ZERO
    }

    /// Ends the process. What is on the disk is known again only to a process that reads it from the start.
    fn end_process(&self) -> !;
}

/// The space of a file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// What this process may still write.
    pub free: u64,
    /// All of it.
    pub total: u64,
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// To be read; it must be there.
    Read,
    /// To be read and written; it must be there.
    Write,
    /// To be read and written, made if it is not there, and emptied if it is.
    Create,
}

/// An open file.
pub trait File: Debug + Send + Sync {
    /// Its length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether it has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads at most as much as `buffer` takes, and says how much that was: 0 at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes`. After a failure any part of them may be there.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes its bytes durable, with what is needed to read them back.
    fn sync_data(&self) -> io::Result<()>;

    /// Makes its bytes durable, with all that is known about it.
    fn sync_all(&self) -> io::Result<()>;

    /// Cuts it off, or extends it with zeros.
    fn set_len(&self, bytes: u64) -> io::Result<()>;
}

/// A file that is held for this process.
pub trait Lock: Debug + Send + Sync {}

impl<L: Debug + Send + Sync> Lock for L {}

/// All bytes of a file.
pub fn read(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open(path, Mode::Read)?;
    let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(usize::MAX)];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Puts a file with these bytes in the place of the one in `path`, if there is one, durably: after a crash it is the old one or the
/// new one, whole. It is written beside it first, under the same name with `.new` behind it.
pub fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = Path::new(&new);
    let file = disk.open(new, Mode::Create)?;
    file.write_all_at(bytes, 0)?;
    file.sync_all()?;
    disk.rename(new, path)?;
    // Without it a loss of power could bring the old one back.
    path.parent().map_or(Ok(()), |parent| disk.sync_directory(parent))
}

/// Makes a directory with all that lead to it, durably. That holds for one that is found, too: who made it may have ended
/// before its name was safe.
pub fn make_directory(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    let path = std::path::absolute(path)?;
    let missing: Vec<_> = path.ancestors().take_while(|ancestor| !disk.exists(ancestor)).collect();
    if let Some(named_in) = path.ancestors().nth(missing.len()).and_then(Path::parent) {
        match disk.sync_directory(named_in) {
            // Who may not even list its names has not made this one.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
    }
    for directory in missing.into_iter().rev() {
        match disk.create_directory(directory) {
            // By another process, at the same time.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
        directory.parent().map_or(Ok(()), |parent| disk.sync_directory(parent))?;
    }
    Ok(())
}
