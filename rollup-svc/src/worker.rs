//! The worker of one partition: reads the next records, hands them to the fold, commits what it made, goes on.

mod commit;
mod load;

use std::time::{Duration, Instant};

use eventlog::Entry;
use host::Platform;
use keyspace::checkpoint::{self, Checkpoint};
use keyspace::record::{self, BatchEntry, Entry as Recorded};
use model::{Kind, Partition, Position, Timestamp};

use self::load::read;
use crate::error::{Error, Result};
use crate::fold::{Folder, Missing, Rules};
use crate::holding::Holding;
use crate::settings::Settings;

/// Bytes of the log that are read at once.
const READ_BYTES: usize = 4 * 1024 * 1024;
/// However long commits take, one is made this often.
const LONGEST_INTERVAL: Duration = Duration::from_secs(30);
/// With nothing to fold, the watermark goes on this often.
const WATERMARK_INTERVAL: Duration = Duration::from_millis(500);
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
    /// A record is folded in part.
    torn: bool,
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
    /// A worker that goes on where the last one of this partition ended.
    pub async fn begin(platform: Platform, settings: Settings, partition: Partition) -> Result<Self> {
        let mut worker = Self {
            platform,
            settings,
            folder: Folder::default(),
            holding: Holding::new(partition),
            next: Position::START,
            checkpoint: None,
            sampled: None,
            flushed_at: Instant::now(),
            flush_took: Duration::ZERO,
            released_at: Instant::now(),
            torn: false,
            many_cells: false,
        };
        worker.begin_again().await?;
        Ok(worker)
    }

    fn partition(&self) -> Partition {
        self.holding.partition
    }

    /// Forgets everything held and goes on from the checkpoint.
    pub async fn begin_again(&mut self) -> Result<()> {
        self.holding = Holding::new(self.partition());
        self.sampled = None;
        self.torn = false;
        self.many_cells = false;
        let key = checkpoint::key(self.partition());
        let found = self.platform.store.get(&key).await?;
        self.checkpoint =
            found.map(|value| read(Checkpoint::decode(&value), || "a checkpoint".into())).transpose()?;
        self.next = match self.checkpoint {
            Some(checkpoint) => checkpoint.read_from,
            None => self.platform.log.first(self.partition()).await?,
        };
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
        for entry in &chunk.entries {
            self.fold(entry).await?;
            self.next = entry.position.next();
            self.holding.read_bytes += entry.record.len() as u64;
            if self.flush_is_due() {
                self.flush(self.settings.replay_bytes).await?;
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

    async fn fold(&mut self, entry: &Entry) -> Result<()> {
        let place = || format!("record {} of partition {}", entry.position, self.holding.partition);
        let recorded: Vec<_> = read(record::read(&entry.record).and_then(Iterator::collect), place)?;
        // Until the last of them is folded, what is held is right for no position.
        self.torn = true;
        for recorded in &recorded {
            match recorded {
                Recorded::Batch(batch) => self.fold_batch(batch, entry.position).await?,
                Recorded::Refused(refused) => {
                    self.hold(refused.merchant).await?;
                    if let Some(state) = self.holding.merchants.get_mut(&refused.merchant) {
                        self.folder.refused(state, refused, entry.position);
                    }
                }
            }
        }
        self.torn = false;
        Ok(())
    }

    async fn fold_batch(&mut self, batch: &BatchEntry<'_>, position: Position) -> Result<()> {
        self.hold(batch.merchant).await?;
        loop {
            let Some(state) = self.holding.merchants.get_mut(&batch.merchant) else { return Ok(()) };
            match self.folder.batch(state, batch, position, self.holding.read_bytes, &Rules::default()) {
                Ok(()) => {
                    self.many_cells |= state.dirty_keys() >= COMMIT_CELLS;
                    return Ok(());
                }
                Err(Missing(buckets)) => self.load_buckets(batch.merchant, &buckets).await?,
            }
        }
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

    /// Folds until the drain begins and the log is at its end.
    pub async fn run(mut self, caught_up: impl FnOnce()) {
        let mut caught_up = Some(caught_up);
        loop {
            match self.turn().await {
                Ok(Turn::Folded) => continue,
                Ok(Turn::AtEnd) if self.platform.drain.is_cancelled() => break,
                Ok(Turn::AtEnd) => {
                    if let Some(caught_up) = caught_up.take() {
                        caught_up();
                    }
                    if let Err(error) = self.rest().await {
                        self.recover(error).await;
                    }
                }
                Err(error) if self.platform.drain.is_cancelled() => {
                    tracing::warn!(partition = %self.partition(), "the rest of the log is left for the next start: {error}");
                    return;
                }
                Err(error) => self.recover(error).await,
            }
        }
        // With the visitor state written, the next start reads nothing again.
        if let Err(error) = self.flush(0).await {
            tracing::warn!(partition = %self.partition(), "the last commit is left for the next start: {error}");
        }
    }

    /// At the end of the log: commits when it is due, else waits for more.
    async fn rest(&mut self) -> Result<()> {
        let dirty = self.holding.merchants.values().any(|state| state.dirty);
        // With nothing else to do a commit may take half of the time: what is folded should be seen.
        let least = Duration::from_millis(self.settings.flush_interval_ms);
        let due = if dirty { self.flush_took.max(least) } else { WATERMARK_INTERVAL };
        let left = due.saturating_sub(self.flushed_at.elapsed());
        if left.is_zero() {
            self.flush(self.settings.replay_bytes).await?;
            return self.release_if_due().await;
        }
        let Self { platform, holding, next, .. } = self;
        tokio::select! {
            more = platform.log.wait(holding.partition, *next) => more?,
            () = tokio::time::sleep(left) => {}
            () = platform.drain.cancelled() => {}
        }
        Ok(())
    }

    async fn recover(&mut self, error: Error) {
        const PAUSE: Duration = Duration::from_millis(500);
        tracing::warn!(partition = %self.partition(), kind = ?error.kind(), "the worker pauses: {error}");
        metrics::counter!("hitmill_rollup_failures_total").increment(1);
        // A conflict means that somebody else works here, or that an unknown commit was applied after all.
        let stale = self.torn || matches!(error.kind(), Kind::Conflict | Kind::Unknown);
        loop {
            let drain = self.platform.drain.clone();
            if drain.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
                return;
            }
            match if stale { self.begin_again().await } else { Ok(()) } {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(partition = %self.partition(), "the worker still pauses: {error}")
                }
            }
        }
    }
}
