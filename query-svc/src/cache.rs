//! The cells that were read, in chunks that many queries share.
//!
//! A chunk is a whole UTC day, or a single hour of the current day, which changes all the time. Its key holds the
//! *version* of its cells: the sum, over its hours and all partitions, of the numbers in the `touched` records. Those
//! numbers only rise, so every commit that changes a cell of the chunk makes the sum larger. A stale entry is
//! therefore never found again, nothing has to be invalidated, and it does not matter who heard of which change when;
//! what is no longer asked for is pushed out in time.

use std::ops::Range;
use std::sync::Arc;

use keyspace::cell::{self, Cell, CellKey};
use keyspace::touched::Day;
use metrics::{counter, gauge};
use model::{CubeId, Generation, Hour, MerchantId};
use store::Snapshot;

use crate::{Error, Result};

/// Cells read from the store at a time: each can be some MiB.
const PAGE: usize = 64;

/// Which cells, at which version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Whose.
    pub merchant: MerchantId,
    /// Of which set of cells.
    pub generation: Generation,
    /// Broken down by what.
    pub cube: CubeId,
    /// Of which hours.
    pub chunk: Chunk,
    /// Sum of the numbers of their last changes.
    pub version: u64,
}

/// Some hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Chunk {
    /// A day that is over.
    Day(Day),
    /// An hour of the current day, or a later one.
    Hour(Hour),
}

impl Chunk {
    /// Its hours.
    pub fn hours(self) -> Range<Hour> {
        match self {
            Self::Day(day) => day.hours(),
            Self::Hour(hour) => hour..Hour(hour.0 + 1),
        }
    }
}

/// The cells of a chunk, those of all partitions merged, in order of the hours.
pub type Cells = Arc<[(Hour, Cell)]>;

/// Cells in memory, weighed by bytes.
#[derive(Clone)]
pub struct Cache(moka::future::Cache<Key, Cells>);

impl Cache {
    /// A cache of about this many bytes.
    pub fn new(bytes: u64) -> Self {
        let weigh = |_: &Key, cells: &Cells| u32::try_from(weight(cells)).unwrap_or(u32::MAX);
        Self(moka::future::Cache::builder().max_capacity(bytes).weigher(weigh).build())
    }

    /// The cells of a chunk. `snapshot` is the one that the key's version was read from: what is put under a version
    /// is always of that version. Whoever asks for a chunk that is being read waits for that read.
    pub async fn get(&self, key: Key, snapshot: &dyn Snapshot) -> Result<Cells> {
        let mut read = false;
        let cells = self.0.try_get_with(key, async {
            read = true;
            read_cells(key, snapshot).await
        });
        let cells = cells.await.map_err(Error::Shared)?;
        let found = if read { "miss" } else { "hit" };
        counter!("hitmill_query_chunks_total", "cache" => found).increment(1);
        gauge!("hitmill_query_cache_bytes").set(self.0.weighted_size() as f64);
        Ok(cells)
    }
}

fn weight(cells: &Cells) -> usize {
    let fixed = size_of::<Key>() + 64;
    fixed + cells.iter().map(|(_, cell)| size_of::<(Hour, Cell)>() + cell.heap_bytes()).sum::<usize>()
}

async fn read_cells(key: Key, snapshot: &dyn Snapshot) -> Result<Cells> {
    let range = cell::range(key.merchant, key.generation, key.cube, key.chunk.hours());
    let mut cells: Vec<(Hour, Cell)> = Vec::new();
    let mut start = range.start;
    loop {
        let page = snapshot.scan(&start, &range.end, PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        start = keyspace::after(last);
        for (cell_key, value) in &page {
            let at = CellKey::decode(cell_key)
                .ok_or_else(|| Error::corrupt("the key of a cell", cell_key.escape_ascii()))?;
            let cell =
                Cell::decode(value).map_err(|why| Error::corrupt("a cell", format!("{at:?}: {why}")))?;
            match cells.last_mut() {
                Some((hour, merged)) if *hour == at.hour => merged.merge(&cell),
                _ => cells.push((at.hour, cell)),
            }
            // A large cell takes some ms to decode: others want the thread, too.
            tokio::task::yield_now().await;
        }
        if page.len() < PAGE {
            break;
        }
    }
    Ok(cells.into())
}
