//! The one writer: checks what a batch requires and writes it, in one step.

use std::collections::HashSet;
use std::fmt::Display;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use disk::Reserve;
use fjall::{Database, Keyspace, OwnedWriteBatch, PersistMode};
use parking_lot::Mutex;

use super::mark::{Mark, MarkFile};
use super::{Settings, opening};
use crate::{Batch, Error, Require, Result, Write};

pub(super) struct Engine {
    pub(super) cells: Keyspace,
    pub(super) db: Database,
    path: PathBuf,
    reserve: Reserve,
    /// Held over the check and the write of each commit.
    commits: Mutex<Commits>,
    /// How many of them are known to be safe; held over an fsync.
    synced: Mutex<u64>,
    /// Says what is safe to the one who opens the store next.
    marks: MarkFile,
    /// The last field: the directory is free when all else is closed.
    _in_use: File,
}

/// The commits since the store was opened.
struct Commits {
    count: u64,
    /// Where the last one is.
    last: Mark,
}

impl Engine {
    pub(super) fn open(dir: &Path, settings: Settings) -> Result<Self> {
        let in_use = opening::take(dir)?;
        let (db, cells) = opening::open(dir, settings)?;
        let (marks, last) = opening::marks(dir)?;
        Ok(Self {
            cells,
            db,
            path: dir.to_owned(),
            reserve: opening::reserve(dir, settings)?,
            commits: Mutex::new(Commits { count: 0, last }),
            synced: Mutex::default(),
            marks,
            _in_use: in_use,
        })
    }

    pub(super) fn commit(&self, batch: &Batch) -> Result<()> {
        batch.validate()?;
        // fjall cannot take back half of a write, nor go on after one that failed.
        self.reserve
            .check()
            .map_err(|error| Error::Unavailable { doing: "commit", what: error.to_string() })?;
        let prepared = self.prepare(&batch.writes);
        let number = {
            // All writes of the process pass here, so what was found is still so when the batch is written.
            let mut commits = self.commits.lock();
            self.check(&batch.requires)?;
            let mark = match batch.writes.is_empty() {
                // fjall takes a number for it and puts nothing into the journal.
                true => commits.last,
                false => commits.last.next(&self.path, self.db.seqno()),
            };
            if let Err(error) = prepared.commit() {
                die("write a commit to the journal", &error);
            }
            *commits = Commits { count: commits.count + 1, last: mark };
            commits.count
        };
        if batch.durable {
            self.sync_through(number);
        }
        Ok(())
    }

    pub(super) fn sync(&self) {
        let last = self.commits.lock().count;
        self.sync_through(last);
    }

    pub(super) fn failed(&self, doing: &'static str, error: fjall::Error) -> Error {
        failed(&self.path, doing, error)
    }

    /// Only the last write of each key goes into the batch: fjall gives all writes of a batch the same sequence number, and
    /// does not say which of two with the same key and number wins.
    fn prepare(&self, writes: &[Write]) -> OwnedWriteBatch {
        let mut seen = HashSet::with_capacity(writes.len());
        // The mode that a batch of `Database::batch` has by default, named since so much rests on it: when the commit
        // returns, its bytes are with the operating system, and survive the end of the process.
        let mut prepared = OwnedWriteBatch::with_capacity(self.db.clone(), writes.len())
            .durability(Some(PersistMode::Buffer));
        for write in writes.iter().rev().filter(|write| seen.insert(write.key())) {
            match write {
                Write::Put(key, value) => prepared.insert(&self.cells, &**key, &**value),
                Write::Delete(key) => prepared.remove(&self.cells, &**key),
            }
        }
        prepared
    }

    fn check(&self, requires: &[Require]) -> Result<()> {
        for Require { key, value } in requires {
            let found = self.cells.get(key).map_err(|error| self.failed("check a requirement", error))?;
            if found.as_deref() != value.as_deref() {
                return Err(Error::Conflict { key: key.clone() });
            }
        }
        Ok(())
    }

    /// Returns when the commits up to this one are safe. Those who wait here together are served by one fsync, since it
    /// covers everything that was written before it began.
    fn sync_through(&self, number: u64) {
        let mut synced = self.synced.lock();
        if *synced >= number {
            return;
        }
        let (written, mark) = {
            let commits = self.commits.lock();
            (commits.count, commits.last)
        };
        // fdatasync is enough: fjall syncs a new journal's size and directory when it makes it, and a size that grows
        // later is metadata that fdatasync does write.
        if let Err(error) = self.db.persist(PersistMode::SyncData) {
            die("sync the journal", &error);
        }
        *synced = written;
        // Without it less is known about damage, and nothing is lost.
        if let Err(error) = mark.write(&self.marks) {
            tracing::warn!(%error, "failed to note how far the journal is synced");
        }
    }
}

/// Maps what fjall says.
pub(super) fn failed(path: &Path, doing: &'static str, error: fjall::Error) -> Error {
    let shown = || path.display().to_string();
    match error {
        fjall::Error::Locked => Error::InUse { path: shown() },
        // A file that ends before it should, or an offset in it that makes no sense, is damage and not a disk that fails.
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error))
            if !matches!(
                error.kind(),
                ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput
            ) =>
        {
            Error::Unavailable { doing, what: error.to_string() }
        }
        fjall::Error::Poisoned | fjall::Error::KeyspaceDeleted => {
            Error::Unavailable { doing, what: error.to_string() }
        }
        fjall::Error::Storage(fjall::LsmError::ChecksumMismatch { .. }) => {
            Error::Corrupt { path: shown(), what: "the checksum of a block does not fit".to_owned() }
        }
        // Everything else that fjall knows, and whatever it adds, is about bytes that it cannot make sense of.
        error => {
            let what = error.to_string().trim_start_matches("FjallError: ").to_owned();
            Error::Corrupt { path: shown(), what: format!("its engine cannot read it: {what}") }
        }
    }
}

/// Ends the process. After a failed write or fsync nobody can say what is on disk: the system may have dropped the pages
/// that it could not write, and reports success the next time. What was written is known again when the journal is read
/// by a new process; until then every answer would be a guess. fjall takes no more writes in this state either.
fn die(doing: &'static str, error: &dyn Display) -> ! {
    tracing::error!(%error, "failed to {doing}: the process ends here, the journal is read when it starts again");
    std::process::abort()
}
