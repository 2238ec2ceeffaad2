//! What goes wrong, and when.

use std::time::Duration;

use super::{STEP_MS, World};
use crate::dice::Dice;
use crate::plan::Plan;

/// The dice of misfortune, and what is wrong with the network now.
pub(super) struct Torment {
    dice: Dice,
    cuts: Vec<(String, String, u64, Cut)>,
}

#[derive(Clone, Copy, Debug)]
enum Cut {
    /// Nothing gets through, and nothing comes later.
    Parted,
    /// Everything comes later.
    Held,
}

impl Torment {
    pub(super) fn new(plan: &Plan) -> Self {
        Self { dice: Dice::new(plan.seed, "misfortune"), cuts: Vec::new() }
    }

    /// Whether it is a cut of the power that ends a process.
    pub(super) fn is_power_cut(&mut self, power_cuts: bool, kills: bool) -> bool {
        power_cuts && (!kills || self.dice.one_in(2))
    }

    /// How long a machine stands still.
    pub(super) fn pause_ms(&mut self) -> u64 {
        if self.dice.one_in(4) { self.dice.between(1_000, 8_000) } else { self.dice.between(10, 500) }
    }

    /// True once in about so many seconds.
    fn once_in(&mut self, seconds: u64) -> bool {
        self.dice.one_in(seconds * 1_000 / STEP_MS)
    }
}

impl World {
    /// What goes wrong in this step.
    pub(super) fn torment(&mut self) {
        self.end_processes();
        self.trouble_disks();
        self.trouble_network();
        let faults = self.plan.faults;
        if faults.clock_jumps && self.torment.once_in(10) {
            let by = self.torment.dice.below(1_200_000) as i64 - 600_000;
            let server = self.torment.dice.below(self.servers.len() as u64) as usize;
            self.servers[server].clock.advance(by);
            self.note(|| format!("the clock of server {server} jumps by {by} ms"));
        }
        if faults.zombies && self.torment.once_in(5) {
            let server = self.torment.dice.below(self.servers.len() as u64) as usize;
            let long = Duration::from_millis(self.torment.dice.between(2_000, 9_000));
            *self.servers[server].hangs.lock() = long;
            self.note(|| format!("server {server} hangs for {long:?}"));
        }
        if faults.rewinds && self.torment.once_in(15) {
            let server = self.torment.dice.below(self.servers.len() as u64) as usize;
            self.servers[server].rewind();
            self.note(|| "a rewind is ordered".into());
        }
    }

    fn end_processes(&mut self) {
        let faults = self.plan.faults;
        for server in self.servers.clone() {
            let Some(life) = server.life() else { continue };
            if (faults.kills || faults.power_cuts)
                && self.plan.crash_after.is_empty()
                && self.torment.once_in(5)
            {
                // In the middle of one of the next calls, whatever it is.
                life.ends_after(life.calls() + 1 + self.torment.dice.below(40));
            }
            if faults.drains && self.torment.once_in(12) {
                server.drain();
                self.note(|| "a server is told to drain".into());
            }
        }
        for machine in self.machines.clone() {
            let Some((life, ..)) = machine.look() else { continue };
            if (faults.client_kills || faults.client_power_cuts) && self.torment.once_in(8) {
                if self.torment.dice.one_in(2) {
                    life.end();
                } else {
                    life.ends_after(life.calls() + 1 + self.torment.dice.below(10));
                }
            }
        }
    }

    fn trouble_disks(&mut self) {
        let faults = self.plan.faults;
        if !self.torment.once_in(3) {
            return;
        }
        let dice = &mut self.torment.dice;
        let mut some = |wanted: bool, often: u64| if wanted && dice.one_in(2) { often } else { 0 };
        let (reads, syncs) = (some(faults.failing_reads, 50), some(faults.failing_syncs, 30));
        let (slow, full) = (some(faults.slow_disk, 500), some(faults.full_disk, 1) == 1);
        let (unavailable, unknown) = (some(faults.failing_store, 20), some(faults.failing_store, 20));
        let (far, failing) = (some(faults.slow_store, 30), some(faults.failing_log, 10));
        let seen = dice.one_in(2);
        for server in &self.servers {
            let troubles = &mut server.platter.lock().troubles;
            (troubles.failing_reads, troubles.failing_syncs) = (reads, syncs);
            (troubles.slow_ms, troubles.full, troubles.full_is_seen) = (slow, full, seen);
        }
        let shelf = &mut self.shared.shelf.lock().troubles;
        // One process with a store of its own cannot lose the answer of a commit.
        (shelf.unavailable, shelf.unknown) = (unavailable, if self.plan.many { unknown } else { 0 });
        shelf.slow_ms = far;
        let tape = &mut self.shared.tape.lock().troubles;
        (tape.failing, tape.slow_ms) = (failing, far);
        self.report.faults += u64::from(reads + syncs + slow + unavailable + far + failing > 0 || full);
    }

    fn trouble_network(&mut self) {
        let now = self.elapsed_ms;
        for (a, b, until, cut) in std::mem::take(&mut self.torment.cuts) {
            if until > now {
                self.torment.cuts.push((a, b, until, cut));
            } else {
                self.mend(&a, &b, cut);
            }
        }
        if !self.plan.faults.network || !self.torment.once_in(4) {
            return;
        }
        let dice = &mut self.torment.dice;
        let server = self.servers[dice.below(self.servers.len() as u64) as usize].name.clone();
        let peer = dice.below(self.machines.len() as u64 + 1) as usize;
        let reader = &self.readers[dice.below(self.readers.len() as u64) as usize].name;
        let peer = self.machines.get(peer).map_or(reader, |machine| &machine.name).clone();
        if self.torment.cuts.iter().any(|(a, b, ..)| (a, b) == (&server, &peer)) {
            return;
        }
        let until = now + dice.between(100, 6_000);
        let cut = if dice.one_in(2) { Cut::Parted } else { Cut::Held };
        match cut {
            Cut::Parted => self.sim.partition(server.as_str(), peer.as_str()),
            Cut::Held => self.sim.hold(server.as_str(), peer.as_str()),
        }
        self.note(|| format!("{server} and {peer} are {cut:?}"));
        self.torment.cuts.push((server, peer, until, cut));
    }

    fn mend(&mut self, a: &str, b: &str, cut: Cut) {
        match cut {
            Cut::Parted => self.sim.repair(a, b),
            Cut::Held => self.sim.release(a, b),
        }
    }

    /// Nothing goes wrong any more.
    pub(super) fn heal(&mut self) {
        for (a, b, _, cut) in std::mem::take(&mut self.torment.cuts) {
            self.mend(&a, &b, cut);
        }
        for server in &self.servers {
            server.platter.lock().troubles = Default::default();
            *server.hangs.lock() = Duration::ZERO;
            // A crash that was ordered comes, also now.
            if let Some(life) = server.life().filter(|_| self.plan.crash_after.is_empty()) {
                life.ends_after(u64::MAX);
            }
        }
        for machine in &self.machines {
            if let Some((life, ..)) = machine.look() {
                life.ends_after(u64::MAX);
            }
        }
        self.shared.shelf.lock().troubles = Default::default();
        self.shared.tape.lock().troubles = Default::default();
        self.note(|| "everything is mended".into());
    }

    fn note(&mut self, what: impl FnOnce() -> String) {
        self.report.faults += 1;
        let at = self.elapsed_ms;
        self.trace.add(|| format!("{at} ms: {}", what()));
    }
}
