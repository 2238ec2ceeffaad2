//! The embedded store: a fjall LSM tree with its journal, in a directory that one process owns.
//!
//! All keys are in one keyspace of fjall, so that every batch is one entry of one journal. Its memory is bounded: the
//! block cache, and at most five write buffers (one that fills, four that wait for the disk before commits wait).

mod batch;
pub mod doctor;
mod engine;
mod journal;
mod journals;
mod later;
mod mark;
mod opening;
mod swap;
mod trees;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use fjall::Readable as _;

use self::engine::Engine;
use crate::{Batch, Error, Pair, Result, Snapshot, Store};

/// What an operator tunes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Settings {
    /// Bytes of memory for blocks that were read. 64 MiB by default: the cells of the last hours of a small machine.
    pub cache_bytes: u64,
    /// Bytes of journal on disk before data is moved to tables to make room: what is read again after a crash. 128 MiB by
    /// default, about a second; less than 64 MiB counts as 64 MiB.
    pub max_journal_bytes: u64,
    /// Bytes of the disk that are kept free: a commit that finds less is refused, while reads go on. Not set: 256 MiB, but no
    /// more than a twentieth of the disk. Tables that are being made anew need it.
    pub reserve_bytes: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { cache_bytes: 64 << 20, max_journal_bytes: 128 << 20, reserve_bytes: None }
    }
}

/// A store in a directory of this machine.
///
/// A failed write or fsync of the journal ends the process, since only reading it again tells what it holds. The directory
/// stays in use until the last snapshot is gone.
#[derive(Clone)]
pub struct EmbeddedStore {
    engine: Arc<Engine>,
}

impl EmbeddedStore {
    /// Opens the store in `dir`, and makes it if there is none. Reads the journal, which takes up to some seconds.
    pub fn open(dir: &Path, settings: Settings) -> Result<Self> {
        let engine = Engine::open(dir, settings)?;
        swap::clear_leftovers(dir);
        Ok(Self { engine: Arc::new(engine) })
    }
}

// Reads run where they are called: they are short (memory, or a few blocks of a file that the system mostly has in
// memory), and scans end at their limit. Handing each one to another thread would cost more than most of them take.
#[async_trait]
impl Store for EmbeddedStore {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        Ok(Box::new(View { view: self.engine.db.snapshot(), engine: Arc::clone(&self.engine) }))
    }

    async fn commit(&self, batch: Batch) -> Result<()> {
        let engine = Arc::clone(&self.engine);
        blocking(move || engine.commit(&batch)).await
    }

    async fn sync(&self) -> Result<()> {
        let engine = Arc::clone(&self.engine);
        blocking(move || {
            engine.sync();
            Ok(())
        })
        .await
    }

    // `get` stays as it is, through a snapshot: fjall's own get sees the keys of a batch while it is being applied, before
    // any snapshot does.
}

/// A snapshot. Old values are kept on disk for as long as it lives.
struct View {
    view: fjall::Snapshot,
    engine: Arc<Engine>,
}

impl View {
    fn read(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let value = self.view.get(&self.engine.cells, key);
        let value = value.map_err(|error| self.engine.failed("read a key", error))?;
        // A copy: fjall's value is a part of a whole block, which a cache of ours would keep in memory with it.
        Ok(value.as_deref().map(Bytes::copy_from_slice))
    }
}

#[async_trait]
impl Snapshot for View {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.read(key)
    }

    async fn get_many(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>> {
        keys.iter().map(|key| self.read(key)).collect()
    }

    async fn scan(&self, start: &[u8], end: &[u8], limit: usize) -> Result<Vec<Pair>> {
        if start >= end {
            return Ok(Vec::new());
        }
        let pairs = self.view.range(&self.engine.cells, start..end).take(limit);
        pairs
            .map(|pair| {
                let (key, value) = pair.into_inner().map_err(|error| self.engine.failed("scan", error))?;
                Ok((Bytes::copy_from_slice(&key), Bytes::copy_from_slice(&value)))
            })
            .collect()
    }
}

/// Runs work that may wait for the disk (an fsync; memory to be flushed, when writes outrun it) on a thread for it. Work
/// that was begun goes on when its caller goes away.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Error::Unknown { what: error.to_string() }))
}
