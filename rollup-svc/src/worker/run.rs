//! The life of a worker: it folds as long as it is told to, and begins again when something failed.

use std::time::Duration;

use model::Kind;

use super::reins::{Order, Reins};
use super::{Turn, Worker};
use crate::error::{Error, Result};

/// With nothing to fold, the watermark goes on this often.
const WATERMARK_INTERVAL: Duration = Duration::from_millis(500);

impl Worker {
    /// Folds until it is told to end.
    pub async fn run(mut self, mut reins: Reins) {
        loop {
            let order = reins.order();
            match order {
                Order::Work | Order::Finish => {}
                Order::Pause => {
                    reins.changed().await;
                    continue;
                }
                Order::HandOver => break,
            }
            match self.go_on().await {
                Ok(Turn::Folded) => {}
                Ok(Turn::AtEnd) if order == Order::Finish => break,
                Ok(Turn::AtEnd) => {
                    if let Err(error) = self.rest(&mut reins).await {
                        self.recover(error, &mut reins).await;
                    }
                }
                Err(error) if order == Order::Finish => {
                    tracing::warn!(partition = %self.partition(), "the rest of the log is left for the next start: {error}");
                    return;
                }
                Err(error) => self.recover(error, &mut reins).await,
            }
        }
        if self.unsound {
            return;
        }
        // With the visitor state written, whoever goes on reads nothing again.
        if let Err(error) = self.flush(0).await {
            tracing::warn!(partition = %self.partition(), "the last commit is left for the next start: {error}");
        }
    }

    async fn go_on(&mut self) -> Result<Turn> {
        if self.unsound {
            self.begin_again().await?;
        }
        self.turn().await
    }

    /// At the end of the log: commits when it is due, else waits for more. It has caught up when what was folded is in the store:
    /// readers find it there.
    async fn rest(&mut self, reins: &mut Reins) -> Result<()> {
        let dirty = self.holding.merchants.values().any(|state| state.dirty);
        // With nothing else to do a commit may take half of the time: what is folded should be seen.
        let least = Duration::from_millis(self.settings.flush_interval_ms);
        let due = if dirty { self.flush_took.max(least) } else { WATERMARK_INTERVAL };
        let left = due.saturating_sub(self.flushed_at.elapsed());
        if left.is_zero() {
            self.flush(self.settings.replay(self.platform.shared)).await?;
            reins.caught_up();
            return self.release_if_due().await;
        }
        if !dirty {
            reins.caught_up();
        }
        let Self { platform, holding, next, .. } = self;
        tokio::select! {
            more = platform.log.wait(holding.partition, *next) => more?,
            () = tokio::time::sleep(left) => {}
            () = reins.changed() => {}
        }
        Ok(())
    }

    async fn recover(&mut self, error: Error, reins: &mut Reins) {
        const PAUSE: Duration = Duration::from_millis(500);
        const DAMAGED: Duration = Duration::from_secs(10);
        let (partition, kind) = (self.partition(), error.kind());
        match kind {
            // It stays so until somebody repairs it.
            Kind::Corrupt => tracing::error!(%partition, "the fold stands still: {error} (`hitmill doctor`)"),
            _ => tracing::warn!(%partition, ?kind, "the worker pauses: {error}"),
        }
        metrics::counter!("hitmill_rollup_failures_total").increment(1);
        // A conflict means that somebody else works here, or that an unknown commit was applied after all.
        self.unsound |= matches!(error.kind(), Kind::Conflict | Kind::Unknown);
        if error.kind() == Kind::Conflict {
            reins.doubt();
        }
        // An order ends the pause; that it did not is all right too.
        let pause = if kind == Kind::Corrupt { DAMAGED } else { PAUSE };
        let _ = tokio::time::timeout(pause, reins.changed()).await;
    }
}
