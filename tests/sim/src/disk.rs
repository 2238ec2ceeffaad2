//! The disk of a simulated machine, as one life of a process sees it.

use std::ffi::OsString;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::disk::{Disk, File, Lock, Mode, Space};
use parking_lot::Mutex;

use crate::dice::hash;
use crate::life::Life;
use crate::platter::Platter;

/// A disk in the hands of one life of a process.
#[derive(Clone, Debug)]
pub(crate) struct SimDisk {
    pub(crate) platter: Arc<Mutex<Platter>>,
    pub(crate) life: Arc<Life>,
}

impl SimDisk {
    /// One call: the dead make none, and it may be the last.
    fn call<T>(&self, what: &str, path: &Path, action: impl FnOnce(&mut Platter) -> Result<T>) -> Result<T> {
        self.life.check()?;
        let result = action(&mut self.platter.lock());
        self.life.done(|| format!("{what} {} {:?}", path.display(), result.as_ref().err()));
        self.life.check()?;
        result
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: Mode) -> Result<Box<dyn File>> {
        let id = self.call("open", path, |platter| match mode {
            Mode::Read | Mode::Write => platter.file(path),
            Mode::Create => {
                let id = platter.file_or_new(path)?;
                if !platter.node(id).bytes.is_empty() {
                    platter.node(id).resize(0);
                }
                Ok(id)
            }
        })?;
        Ok(Box::new(SimFile { disk: self.clone(), path: path.to_owned(), id }))
    }

    fn list(&self, directory: &Path) -> Result<Vec<OsString>> {
        self.call("list", directory, |platter| platter.list(directory))
    }

    fn exists(&self, path: &Path) -> bool {
        self.platter.lock().exists(path)
    }

    fn create_directory(&self, path: &Path) -> Result<()> {
        self.call("make", path, |platter| platter.create_directory(path))
    }

    fn sync_directory(&self, path: &Path) -> Result<()> {
        self.call("sync directory", path, |platter| platter.sync_directory(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.call("rename", to, |platter| platter.rename(from, to))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.call("remove", path, |platter| platter.remove(path))
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>> {
        self.call("lock", path, |platter| {
            platter.file_or_new(path)?;
            if platter.lock(path, &self.life) { Ok(()) } else { Err(ErrorKind::WouldBlock.into()) }
        })?;
        Ok(Box::new(Held { disk: self.clone(), path: path.to_owned() }))
    }

    fn space(&self, _: &Path) -> Result<Space> {
        const TOTAL: u64 = 1 << 40;
        let platter = self.platter.lock();
        let seen = platter.troubles.full && platter.troubles.full_is_seen;
        Ok(Space { free: if seen { 0 } else { TOTAL }, total: TOTAL })
    }

    fn waits(&self) -> bool {
        false
    }

    fn delay(&self) -> Duration {
        let mut platter = self.platter.lock();
        let slow = platter.troubles.slow_ms;
        Duration::from_millis(if slow == 0 { 0 } else { platter.dice.below(slow) })
    }

    fn end_process(&self) -> ! {
        self.life.trace.add(|| "the process ends itself".into());
        self.life.die()
    }
}

#[derive(Debug)]
struct Held {
    disk: SimDisk,
    path: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        // The locks of the dead are gone without it.
        if !self.disk.life.is_over() {
            self.disk.platter.lock().unlock(&self.path);
        }
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    path: PathBuf,
    id: u64,
}

impl SimFile {
    fn sync(&self) -> Result<()> {
        self.disk.call("sync", &self.path, |platter| {
            let failing = platter.troubles.failing_syncs;
            if platter.dice.one_in(failing) {
                let mut dice = platter.dice.clone();
                platter.node(self.id).fail_to_sync(&mut dice);
                return Err(Error::other("the disk failed to sync"));
            }
            platter.node(self.id).sync();
            Ok(())
        })
    }
}

impl File for SimFile {
    fn len(&self) -> Result<u64> {
        self.disk.life.check()?;
        Ok(self.disk.platter.lock().node(self.id).bytes.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.disk.life.check()?;
        let mut platter = self.disk.platter.lock();
        let failing = platter.troubles.failing_reads;
        if platter.dice.one_in(failing) {
            return Err(Error::other("the disk failed to read"));
        }
        let bytes = &platter.node(self.id).bytes;
        let there = bytes.get(offset as usize..).unwrap_or_default();
        let read = there.len().min(buffer.len());
        buffer[..read].copy_from_slice(&there[..read]);
        Ok(read)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let what = format!("write {} at {offset}, {:x}, to", bytes.len(), hash(bytes));
        self.disk.call(&what, &self.path, |platter| {
            let full = platter.troubles.full;
            let node = platter.node(self.id);
            let room = node.bytes.len().saturating_sub(offset as usize);
            if full && bytes.len() > room {
                // What fits is written: the kernel does not take it back.
                node.write(offset as usize, &bytes[..room]);
                return Err(ErrorKind::StorageFull.into());
            }
            node.write(offset as usize, bytes);
            Ok(())
        })
    }

    fn sync_data(&self) -> Result<()> {
        self.sync()
    }

    fn sync_all(&self) -> Result<()> {
        self.sync()
    }

    fn set_len(&self, bytes: u64) -> Result<()> {
        self.disk.call("cut", &self.path, |platter| {
            platter.node(self.id).resize(bytes as usize);
            Ok(())
        })
    }
}
