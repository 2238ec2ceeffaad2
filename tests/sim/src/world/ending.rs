//! How a run ends: everything comes through, and all of it is right.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;

use super::World;
use crate::checker::check;
use crate::ledger::MERCHANTS;

/// Once nothing goes wrong any more, everything must be well within this time.
const RECOVERY_MS: u64 = 300_000;

impl World {
    /// Waits until all clients have flushed and all is folded, asks for everything, and checks it.
    pub(super) fn settle(&mut self) -> Result<(), Vec<String>> {
        self.common.healed.store(true, Ordering::SeqCst);
        let flushed = self.until(RECOVERY_MS, |world| {
            let ledger = world.common.ledger.lock();
            let unruly = (0..MERCHANTS).filter(|_| world.plan.faults.unruly).map(|merchant| 10 + merchant);
            (0..world.machines.len()).chain(unruly).all(|number| {
                let lives = ledger.lives.range((number, 0)..(number + 1, 0));
                lives.last().is_some_and(|(_, life)| life.flushed)
            })
        });
        if !flushed {
            return Err(vec![format!("clients have not come through: {:?}", self.look_at_clients())]);
        }
        (0..MERCHANTS).try_for_each(|merchant| self.ask_until_right(merchant))
    }

    /// Asks for everything of a merchant until all of it is right, or until it never will be.
    fn ask_until_right(&mut self, merchant: usize) -> Result<(), Vec<String>> {
        let mut wrong = vec!["nothing could be asked".to_owned()];
        let end = self.elapsed_ms + RECOVERY_MS;
        while self.elapsed_ms < end && !wrong.is_empty() {
            // A subscriber hears within a second; a difference that stays is one.
            self.until(2_000, |_| false);
            self.readers[merchant].want();
            let found = Mutex::new(None);
            self.until(20_000, |world| {
                *found.lock() = world.readers[merchant].take_answers();
                found.lock().is_some()
            });
            if let Some(answers) = found.into_inner() {
                wrong = check(&self.common.ledger.lock(), merchant, &answers, &self.plan.faults);
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// Flips a bit of a sealed segment and folds the log again. What can be read is counted; what cannot must be missed: no
    /// answer may say that it is complete without it, which the readers check.
    pub(super) fn flip_a_bit(&mut self) {
        let server = Arc::clone(&self.servers[0]);
        if let Some(life) = server.life() {
            life.end();
        }
        self.step();
        let flipped = server.platter.lock().flip_sealed(".log");
        self.trace.add(|| format!("flipped {flipped:?}"));
        self.until(10_000, |world| world.servers[0].life().is_some());
        server.rewind();
        self.until(20_000, |_| false);
    }

    fn look_at_clients(&self) -> Vec<String> {
        self.machines
            .iter()
            .map(|machine| format!("{:?}", machine.look().map(|(_, stats, _)| stats)))
            .collect()
    }
}
