//! Opening the directory: who owns it, and how fjall is set up.

use std::fs::{self, File, TryLockError};
use std::io;
use std::panic;
use std::path::Path;
use std::sync::Arc;

use disk::Reserve;
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions};

use super::engine::failed as fjall_failed;
use super::journals::{self, Journals};
use super::mark::{Mark, MarkFile};
use super::{Settings, swap, trees};
use crate::{Error, Result};

const FORMAT: &[u8] = b"1"; // of what we store, and how we use fjall; fjall has a version of its own
const MIN_JOURNAL_BYTES: u64 = 64 << 20; // fjall refuses less
const WRITE_BUFFER_BYTES: u64 = 16 << 20; // five of them at most are in memory
const MAX_OPEN_TABLES: usize = 256; // a process has 1,024 file descriptors by default, and clients need most of them

/// Makes the directory and takes it for this process, for as long as the file is open.
pub(super) fn take(dir: &Path) -> Result<File> {
    let failed = |error: io::Error| Error::Unavailable {
        doing: "open the store",
        what: format!("{}: {error}", dir.display()),
    };
    disk::make_directory(&disk::System, dir).map_err(failed)?;
    // fjall has a lock as well, but it cannot be held while what comes before fjall's own opening is put in order.
    let in_use = File::create(dir.join("in-use")).map_err(failed)?;
    in_use.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => Error::InUse { path: dir.display().to_string() },
        TryLockError::Error(error) => failed(error),
    })?;
    swap::finish(dir).map_err(failed)?;
    clear_unfinished(dir).map_err(failed)?;
    Ok(in_use)
}

/// The file that says how far the store is synced, and the mark of the last commit so far.
pub(super) fn marks(dir: &Path) -> Result<(MarkFile, Mark)> {
    let both = Mark::open(dir).and_then(|note| Ok((note, Mark::of(dir)?)));
    both.map_err(|error| Error::Unavailable {
        doing: "open the store",
        what: format!("{}: {error}", dir.display()),
    })
}

pub(super) fn open(dir: &Path, settings: Settings) -> Result<(Database, Keyspace)> {
    let failed = |error| fjall_failed(dir, "open the store", error);
    let journals = Journals::read(dir)?;
    journals.mend()?;
    trees::check(dir, &journals.keyspaces())?;
    // Where it finds a table damaged, it may panic.
    let opened = panic::catch_unwind(|| open_database(dir, settings));
    let panicked = |_| Error::Corrupt { path: dir.display().to_string(), what: "fjall panicked".to_owned() };
    let db = opened.map_err(panicked)?.map_err(failed)?;
    check_format(dir, &db)?;
    // fjall's defaults serve the rest: 4 KiB blocks for point reads, lz4 below the two upper levels, leveled compaction.
    // Values stay with their keys: apart from them, values of 10 KB were written 1.5 times in place of 2.7, no faster in
    // all, but read in 20 us in place of 7, and most cells are far smaller than that.
    let options = || KeyspaceCreateOptions::default().max_memtable_size(WRITE_BUFFER_BYTES);
    let cells = db.keyspace("cells", options).map_err(failed)?;
    Ok((db, cells))
}

/// What is kept free of the disk.
pub(super) fn reserve(dir: &Path, settings: Settings) -> Result<Reserve> {
    const MOST: u64 = 256 << 20;
    const SHARE: u64 = 20;
    Reserve::new(Arc::new(disk::System), dir, settings.reserve_bytes, MOST, SHARE).map_err(|error| {
        Error::Unavailable { doing: "open the store", what: format!("{}: {error}", dir.display()) }
    })
}

fn open_database(dir: &Path, settings: Settings) -> fjall::Result<Database> {
    Database::builder(dir)
        .cache_size(settings.cache_bytes)
        .max_journaling_size(settings.max_journal_bytes.max(MIN_JOURNAL_BYTES))
        .max_cached_files(Some(MAX_OPEN_TABLES))
        // The journal's checksum is over bytes that recovery compresses anew: a later lz4 that finds shorter ones would
        // make a good journal look damaged. Uncompressed, large values also cost the commit no time.
        .journal_compression(CompressionType::None)
        .open()
}

/// Checks the version of what we put into the store, and writes it into a new one.
///
/// The mark has a second use. A store without any write begins at sequence number 0 when it is opened again, and fjall 3.1
/// takes the 0 of an open snapshot for "none" when it looks for the oldest one: it then drops what other snapshots still
/// read, and panics when they do. With the mark no snapshot has the number 0.
fn check_format(dir: &Path, db: &Database) -> Result<()> {
    let failed = |error| fjall_failed(dir, "check the format", error);
    let about = db.keyspace("about", KeyspaceCreateOptions::default).map_err(failed)?;
    match about.get("format").map_err(failed)? {
        Some(format) if *format == *FORMAT => Ok(()),
        Some(format) => {
            let (found, known) = (format.escape_ascii(), FORMAT.escape_ascii());
            let what = format!(
                "the store at {} is of format {found}: this version reads format {known}",
                dir.display()
            );
            Err(Error::Mismatch { what })
        }
        None => {
            about.insert("format", FORMAT).map_err(failed)?;
            // To its table now: fjall keeps a journal for as long as one keyspace has something in it that is only there.
            about.rotate_memtable_and_wait().map_err(failed)
        }
    }
}

/// Removes what fjall left when it was killed while it made an empty database: it writes its version last, and without
/// it would trip over its own journal for ever. Nothing can have been stored yet.
fn clear_unfinished(dir: &Path) -> io::Result<()> {
    let version = dir.join("version");
    let finished = version.exists() && fs::metadata(&version)?.len() > 0;
    if finished || journals::has_data(dir)? {
        return Ok(());
    }
    for leftover in [version, dir.join("0.jnl")] {
        match fs::remove_file(leftover) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
