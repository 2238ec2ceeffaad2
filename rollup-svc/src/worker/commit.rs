//! What the fold made, into the store.

use std::sync::atomic::Ordering;
use std::time::Duration;

use hashbrown::HashMap;
use host::{Change, FeedEvent};
use keyspace::checkpoint::{self, Checkpoint};
use model::{Fate, MerchantId};
use tokio::time::Instant;

use super::Worker;
use super::load::read;
use crate::error::Result;
use crate::flush;
use crate::holding::Commit;

/// Each release costs a flush of the store to the disk.
const RELEASE_INTERVAL: Duration = Duration::from_secs(30);

impl Worker {
    /// Commits everything that is due, and says how far the partition is. Visitor state is written if more than
    /// `replay_bytes` of the log would be read again for it.
    pub async fn flush(&mut self, replay_bytes: u64) -> Result<()> {
        let began = Instant::now();
        let due = self.holding.due(replay_bytes);
        self.complete(&due).await?;
        let visitors = self.encode(&due).await?;
        let mut commits = self.holding.commits(&due, visitors, self.settings.commit_bytes as usize);
        if commits.is_empty() {
            commits.push(Commit::default());
        }
        let last = commits.len() - 1;
        for (number, commit) in commits.into_iter().enumerate() {
            self.commit(commit, number == last).await?;
        }
        self.many_cells = false;
        self.flushed_at = Instant::now();
        self.flush_took = self.flushed_at - began;
        metrics::histogram!("hitmill_rollup_flush_seconds").record(self.flush_took.as_secs_f64());
        let share = self.settings.memory_bytes as usize / self.sharing.load(Ordering::Relaxed).max(1);
        if !self.holding.put_away(share) && replay_bytes > 0 {
            // Only merchants whose visitor state is in the store can be put away: the next commit writes it for all.
            Box::pin(self.flush(0)).await?;
        }
        Ok(())
    }

    /// Merges what the store has into everything that is about to be committed.
    async fn complete(&mut self, due: &[(MerchantId, bool)]) -> Result<()> {
        let mut keys = Vec::new();
        for (merchant, _) in due {
            keys.extend(flush::wanted(&self.holding.owner(*merchant), &self.holding.merchants[merchant]));
        }
        let mut found = HashMap::new();
        if !keys.is_empty() {
            let values = self.platform.store.snapshot().await?.get_many(&keys).await?;
            found.extend(keys.into_iter().zip(values).filter_map(|(key, value)| Some((key, value?))));
        }
        for (merchant, _) in due {
            let owner = self.holding.owner(*merchant);
            if let Some(state) = self.holding.merchants.get_mut(merchant) {
                read(flush::complete(&owner, state, &found), || format!("a cell of merchant {merchant}"))?;
            }
        }
        Ok(())
    }

    pub(super) async fn commit(&mut self, mut commit: Commit, last: bool) -> Result<()> {
        // While one of several commits is missing, the store must not say that the partition is folded to here.
        let checkpoint = if last { self.advanced_checkpoint(&commit) } else { None };
        if last {
            // Also when it stays as it is: whoever begins a new generation changes it, and this worker has to hear of that.
            let key = checkpoint::key(self.partition());
            commit.batch.require(key.clone(), self.checkpoint.map(|before| before.encode()));
            if let Some(checkpoint) = checkpoint {
                commit.batch.put(key, checkpoint.encode());
            }
        }
        if last {
            // Whether it said something new or not: the next look at the clock may.
            self.sampled = None;
        }
        if commit.batch.is_empty() {
            return if last { self.is_in_force().await } else { Ok(()) };
        }
        metrics::counter!("hitmill_rollup_keys_written_total").increment(commit.batch.writes.len() as u64);
        self.platform.store.commit(commit.batch).await?;
        if let Some(checkpoint) = checkpoint {
            self.checkpoint = Some(checkpoint);
            self.tell_how_far(Some(checkpoint));
        }
        self.publish(&commit.merchants);
        let fates = self.folder.take_fates();
        for fate in Fate::ALL {
            metrics::counter!("hitmill_rollup_hits_total", "fate" => fate.name()).increment(fates.of(fate));
        }
        for (merchant, committing) in &commit.merchants {
            if let Some(state) = self.holding.merchants.get_mut(merchant) {
                flush::committed(state, committing);
            }
        }
        Ok(())
    }

    /// Fails with a conflict if somebody else has changed the checkpoint: what a commit requires, where there is nothing to
    /// be committed.
    async fn is_in_force(&self) -> Result<()> {
        let key = checkpoint::key(self.partition());
        let found = self.platform.store.get(&key).await?;
        if found != self.checkpoint.map(|checkpoint| checkpoint.encode()) {
            return Err(store::Error::Conflict { key }.into());
        }
        Ok(())
    }

    /// A time and not a distance from now: it stays true while nothing is committed, when the distance is what grows. Zero
    /// where nothing is complete, as after a rewind: a partition of which nothing is told would be late unseen.
    pub(super) fn tell_how_far(&self, checkpoint: Option<Checkpoint>) {
        const NAME: &str = "hitmill_rollup_complete_until_timestamp_seconds";
        let ms = checkpoint.map_or(0, |checkpoint| checkpoint.complete_until.0);
        metrics::gauge!(NAME, "partition" => self.partition().to_string()).set(ms as f64 / 1000.0);
    }

    /// The checkpoint that holds once this commit is applied, if it says more than the one before.
    fn advanced_checkpoint(&self, commit: &Commit) -> Option<Checkpoint> {
        let before = self.checkpoint.unwrap_or_default();
        let written = commit.merchants.iter().filter(|(_, c)| c.with_state).map(|(m, _)| *m).collect();
        let complete_until = match self.sampled {
            Some((at, end)) if self.next >= end => at.max(before.complete_until),
            _ => before.complete_until,
        };
        let read_from = self.holding.read_from(self.next, &written).max(before.read_from);
        let checkpoint = Checkpoint { read_from, complete_until, generation: self.holding.generation };
        (Some(checkpoint) != self.checkpoint).then_some(checkpoint)
    }

    fn publish(&self, merchants: &[(MerchantId, flush::Committing)]) {
        let changes: Vec<_> = merchants
            .iter()
            .filter(|(_, committing)| !committing.hours.is_empty())
            .map(|(merchant, committing)| Change {
                merchant: *merchant,
                generation: self.holding.generation,
                hours: committing.hours.clone(),
            })
            .collect();
        let event =
            if changes.is_empty() { FeedEvent::Watermark } else { FeedEvent::Changed(changes.into()) };
        self.platform.feed.publish(event);
    }

    /// Lets the log forget what nobody needs any more, now and then: what lies before a checkpoint that survives the machine.
    pub(super) async fn release_if_due(&mut self) -> Result<()> {
        if self.released_at.elapsed() < RELEASE_INTERVAL {
            return Ok(());
        }
        if let Some(checkpoint) = self.checkpoint {
            self.platform.store.sync().await?;
            self.platform.log.release(self.partition(), checkpoint.read_from).await?;
        }
        self.released_at = Instant::now();
        Ok(())
    }
}
