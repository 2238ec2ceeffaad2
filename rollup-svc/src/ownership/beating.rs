//! The beat of a member: its own task, so that nothing else that waits for the store holds it up.

use std::sync::Arc;
use std::time::Duration;

use keyspace::lease::{self, Member, MemberId};
use store::{Batch, Store};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How the beats of this member go.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pulse {
    /// Beats that were written.
    pub(super) beats: u64,
    /// When the last of them was begun.
    pub(super) at: Option<Instant>,
}

impl Pulse {
    /// Whether the others can be expected to have seen a beat within this time.
    pub(super) fn is_within(&self, time: Duration) -> bool {
        self.at.is_some_and(|at| at.elapsed() < time)
    }
}

/// Writes the beats.
pub(super) struct Beater {
    pub(super) store: Arc<dyn Store>,
    pub(super) me: MemberId,
    pub(super) every: Duration,
    pub(super) leaving: watch::Receiver<bool>,
    pub(super) pulse: watch::Sender<Pulse>,
    /// Told when there is something new to be seen.
    pub(super) look: Arc<Notify>,
}

impl Beater {
    /// Ends between two beats, when nobody holds the other end of `leaving` any more.
    pub(super) async fn run(mut self) {
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut beat = 0;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                told = self.leaving.changed() => if told.is_err() { return },
            }
            beat += 1;
            let began = Instant::now();
            let member = Member { beat, leaving: *self.leaving.borrow_and_update() };
            let mut batch = Batch::default();
            batch.put(lease::member_key(self.me), member.encode());
            match self.store.commit(batch).await {
                Ok(()) => self.written(began),
                Err(error) => tracing::debug!(member = %self.me, "a beat was not written: {error}"),
            }
        }
    }

    fn written(&self, began: Instant) {
        self.pulse.send_modify(|pulse| {
            pulse.beats += 1;
            pulse.at = Some(began);
        });
        if self.pulse.borrow().beats == 1 {
            self.look.notify_one();
        }
    }
}
