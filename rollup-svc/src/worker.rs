//! The worker of one partition: reads the next records, hands them to the fold, commits what it made, goes on.

mod commit;
mod load;
mod reins;
mod run;
mod stage;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use eventlog::Entry;
use hashbrown::HashSet;
use host::Platform;
use keyspace::checkpoint::{self, Checkpoint};
use keyspace::record::{self, Entry as Recorded};
use model::{Generation, MerchantId, Partition, Position, Timestamp};
use tokio::time::Instant;

use self::load::read;
pub use self::reins::{Order, Reins};
use crate::error::{Error, Result};
use crate::fold::{Folder, Missing};
use crate::holding::Holding;
use crate::rulebook::Rulebook;
use crate::settings::Settings;

/// Bytes of the log that are read at once.
const READ_BYTES: usize = 4 * 1024 * 1024;
/// However long commits take, one is made this often.
const LONGEST_INTERVAL: Duration = Duration::from_secs(30);
/// A merchant with this many changed cells is committed without waiting.
const COMMIT_CELLS: usize = 1_000;

/// The worker of one partition. It can be dropped at any moment: another one goes on from the store.
pub struct Worker {
    platform: Platform,
    settings: Settings,
    folder: Folder,
    holding: Holding,
    next: Position,
    checkpoint: Option<Checkpoint>,
    /// The log's end at some instant: once the fold has passed it, it is complete up to that instant.
    sampled: Option<(Timestamp, Position)>,
    flushed_at: Instant,
    flush_took: Duration,
    released_at: Instant,
    /// How many workers share the memory.
    sharing: Arc<AtomicUsize>,
    /// What is held is right for no position, or for one that the store has left behind: it must begin again.
    unsound: bool,
    /// Some merchant has so many changed cells that its commit should not wait.
    many_cells: bool,
}

/// What a turn found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Records were folded.
    Folded,
    /// The end of the log was reached.
    AtEnd,
}

impl Worker {
    /// A worker that will go on where the last one of this partition ended. `sharing` says how many workers there are, this
    /// one included.
    pub fn new(
        platform: Platform,
        settings: Settings,
        partition: Partition,
        sharing: Arc<AtomicUsize>,
    ) -> Self {
        Self {
            platform,
            settings,
            folder: Folder::default(),
            holding: Holding::new(partition, Generation::FIRST),
            next: Position::START,
            checkpoint: None,
            sampled: None,
            flushed_at: Instant::now(),
            flush_took: Duration::ZERO,
            released_at: Instant::now(),
            sharing,
            unsound: true,
            many_cells: false,
        }
    }

    /// A worker that has all memory to itself, and knows where to go on.
    pub async fn begin(platform: Platform, settings: Settings, partition: Partition) -> Result<Self> {
        let mut worker = Self::new(platform, settings, partition, Arc::new(AtomicUsize::new(1)));
        worker.begin_again().await?;
        Ok(worker)
    }

    fn partition(&self) -> Partition {
        self.holding.partition
    }

    /// Forgets everything held and goes on from the checkpoint.
    pub async fn begin_again(&mut self) -> Result<()> {
        self.unsound = true;
        self.holding = Holding::new(self.partition(), self.holding.generation);
        self.sampled = None;
        self.many_cells = false;
        let key = checkpoint::key(self.partition());
        let found = self.platform.store.get(&key).await?;
        self.checkpoint =
            found.map(|value| read(Checkpoint::decode(&value), || "a checkpoint".into())).transpose()?;
        self.next = match self.checkpoint {
            Some(checkpoint) => checkpoint.read_from,
            None => self.platform.log.first(self.partition()).await?,
        };
        // A log that was made anew would look like one that is folded to its end: its hits would never be counted.
        let end = self.platform.log.end(self.partition()).await?;
        if self.next > end {
            return Err(Error::AnotherLog { partition: self.partition(), folded: self.next, end });
        }
        self.holding.generation = self.checkpoint.unwrap_or_default().generation;
        self.tell_how_far(self.checkpoint);
        self.unsound = false;
        Ok(())
    }

    /// Folds the next records, and commits if that is due.
    pub async fn turn(&mut self) -> Result<Turn> {
        self.turn_of(READ_BYTES).await
    }

    /// The same, with about so many bytes of records.
    pub async fn turn_of(&mut self, read_bytes: usize) -> Result<Turn> {
        if self.sampled.is_none() {
            // The clock first: whatever was acknowledged before it was read is in the log before its end is.
            let now = self.platform.clock.now();
            self.sampled = Some((now, self.platform.log.end(self.partition()).await?));
        }
        let chunk = self.platform.log.read(self.partition(), self.next, read_bytes).await?;
        let records = self.recorded(&chunk.entries)?;
        self.read_ahead(&records).await?;
        for (entry, (position, recorded)) in chunk.entries.iter().zip(&records) {
            self.fold(recorded, *position).await?;
            self.next = entry.position.next();
            self.holding.read_bytes += entry.record.len() as u64;
            if self.flush_is_due() {
                self.flush(self.settings.replay(self.platform.shared)).await?;
                self.release_if_due().await?;
            }
            tokio::task::yield_now().await;
        }
        if chunk.entries.is_empty() {
            self.next = self.next.max(chunk.next);
            return Ok(Turn::AtEnd);
        }
        Ok(Turn::Folded)
    }

    /// What each record holds. Those before one that cannot be read are folded first, so that it alone stands in the way.
    fn recorded<'a>(&self, entries: &'a [Entry]) -> Result<Vec<(Position, Vec<Recorded<'a>>)>> {
        let mut records = Vec::with_capacity(entries.len());
        for entry in entries {
            let place = || format!("record {} of partition {}", entry.position, self.holding.partition);
            match read(record::read(&entry.record).and_then(Iterator::collect), place) {
                Ok(recorded) => records.push((entry.position, recorded)),
                Err(error) if records.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        Ok(records)
    }

    async fn fold(&mut self, recorded: &[Recorded<'_>], position: Position) -> Result<()> {
        self.hold(recorded.iter().map(Recorded::merchant)).await?;
        // Until the last of them is folded, what is held is right for no position.
        self.unsound = true;
        let mut left: Vec<_> = recorded.iter().collect();
        loop {
            let missing;
            (left, missing) = self.fold_what_is_held(left, position);
            if left.is_empty() {
                break;
            }
            self.load_buckets(&missing).await?;
        }
        self.unsound = false;
        Ok(())
    }

    /// Folds the entries whose visitor state is held, each merchant's in their order; gives the others, and the buckets that
    /// they miss. Merchants do not depend on each other, so those that miss something are asked for together: where the store
    /// is far, one question costs as much as a thousand.
    fn fold_what_is_held<'a>(
        &mut self,
        entries: Vec<&'a Recorded<'a>>,
        position: Position,
    ) -> (Vec<&'a Recorded<'a>>, Vec<(MerchantId, u8)>) {
        let (mut left, mut missing, mut behind) = (Vec::new(), Vec::new(), HashSet::new());
        let read_before = self.holding.read_bytes;
        for entry in entries {
            let merchant = entry.merchant();
            if behind.contains(&merchant) {
                left.push(entry);
                continue;
            }
            let Some(state) = self.holding.merchants.get_mut(&merchant) else { continue };
            match entry {
                Recorded::Refused(refused) => self.folder.refused(state, refused, position),
                Recorded::Batch(batch) => {
                    match self.folder.batch(state, batch, position, read_before, &Rulebook::default()) {
                        Ok(()) => self.many_cells |= state.dirty_keys() >= COMMIT_CELLS,
                        Err(Missing(buckets)) => {
                            missing.extend(buckets.into_iter().map(|bucket| (merchant, bucket)));
                            behind.insert(merchant);
                            left.push(entry);
                        }
                    }
                }
            }
        }
        (left, missing)
    }

    fn flush_is_due(&self) -> bool {
        let since = self.flushed_at.elapsed();
        since >= self.flush_interval() || (self.many_cells && since >= self.flush_took)
    }

    /// Time between two commits: the longer they take, the longer, so that they take a fixed share of the whole.
    fn flush_interval(&self) -> Duration {
        let least = Duration::from_millis(self.settings.flush_interval_ms);
        (self.flush_took * self.settings.flush_share).clamp(least, LONGEST_INTERVAL.max(least))
    }
}
