//! The disk of this machine, which says how much of it is free, and notes what is synced.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use disk::{Disk, File, Lock, Mode, Space, System};
use parking_lot::Mutex;

#[derive(Debug)]
pub(crate) struct Watched {
    /// Of a million bytes.
    pub(crate) free: Arc<AtomicU64>,
    /// Files and directories, each time that they were.
    pub(crate) synced: Arc<Mutex<Vec<PathBuf>>>,
}

impl Default for Watched {
    fn default() -> Self {
        Self { free: Arc::new(AtomicU64::new(1_000_000)), synced: Arc::default() }
    }
}

#[derive(Debug)]
struct WatchedFile {
    file: Box<dyn File>,
    path: PathBuf,
    synced: Arc<Mutex<Vec<PathBuf>>>,
}

impl File for WatchedFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.synced.lock().push(self.path.clone());
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.synced.lock().push(self.path.clone());
        self.file.sync_all()
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }
}

impl Disk for Watched {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>> {
        let file = System.open(path, mode)?;
        Ok(Box::new(WatchedFile { file, path: path.to_owned(), synced: Arc::clone(&self.synced) }))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        System.list(directory)
    }

    fn exists(&self, path: &Path) -> bool {
        System.exists(path)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        System.create_directory(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.synced.lock().push(path.to_owned());
        System.sync_directory(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        System.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        System.remove(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        System.lock(path)
    }

    fn space(&self, _: &Path) -> io::Result<Space> {
        Ok(Space { free: self.free.load(Ordering::SeqCst), total: 1_000_000 })
    }

    fn waits(&self) -> bool {
        false
    }

    fn end_process(&self) -> ! {
        System.end_process()
    }
}
