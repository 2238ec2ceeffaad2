//! All that a worker holds of its partition, and the plan of its commits. No I/O: the worker loads and commits.

use hashbrown::{HashMap, HashSet};
use model::{Generation, MerchantId, Partition, Position};
use store::Batch;

use crate::flush::{self, Committing, Owner};
use crate::staging::Encoded;
use crate::state::MerchantState;

/// A commit has about this many keys at most, unless one merchant alone has more.
const COMMIT_KEYS: usize = 1_000;

/// All merchants of a partition that a worker holds.
#[derive(Debug)]
pub struct Holding {
    /// The partition.
    pub partition: Partition,
    /// The set of cells that is folded.
    pub generation: Generation,
    /// The merchants.
    pub merchants: HashMap<MerchantId, MerchantState>,
    /// Bytes of the log that were read.
    pub read_bytes: u64,
}

/// One commit: some merchants, as a whole.
#[derive(Debug, Default)]
pub struct Commit {
    /// What is written.
    pub batch: Batch,
    /// What it means for each merchant.
    pub merchants: Vec<(MerchantId, Committing)>,
}

impl Holding {
    /// Nothing held yet.
    pub fn new(partition: Partition, generation: Generation) -> Self {
        Self { partition, generation, merchants: HashMap::new(), read_bytes: 0 }
    }

    /// The merchant in this partition.
    pub fn owner(&self, merchant: MerchantId) -> Owner {
        Owner { merchant, generation: self.generation, partition: self.partition }
    }

    /// Merchants whose commit is due, in order. Visitor state is written when more than `replay_bytes` of the log would be
    /// read again for it.
    pub fn due(&self, replay_bytes: u64) -> Vec<(MerchantId, bool)> {
        let state_is_due = |state: &MerchantState| {
            state.state_dirty_since.is_some_and(|(_, before)| self.read_bytes - before >= replay_bytes)
        };
        let mut due: Vec<_> = self
            .merchants
            .iter()
            .map(|(merchant, state)| (*merchant, state.dirty, state_is_due(state)))
            .filter(|(_, cells, state)| *cells || *state)
            .map(|(merchant, _, state)| (merchant, state))
            .collect();
        due.sort_unstable();
        due
    }

    /// Packs the merchants, which must be whole, into as few commits as their size allows: about `most_bytes` each.
    /// `visitors` is the state of those whose state is due.
    pub fn commits(
        &mut self,
        due: &[(MerchantId, bool)],
        mut visitors: HashMap<MerchantId, Encoded>,
        most_bytes: usize,
    ) -> Vec<Commit> {
        let mut commits = vec![Commit::default()];
        for (merchant, _) in due {
            let owner = self.owner(*merchant);
            let Some(state) = self.merchants.get_mut(merchant) else { continue };
            let mut own = Batch::default();
            let committing = flush::write(&owner, state, visitors.remove(merchant), &mut own);
            let fits = commits.last().is_some_and(|last| {
                last.batch.writes.len() + own.writes.len() <= COMMIT_KEYS
                    && size(&last.batch) + size(&own) <= most_bytes
            });
            if !fits {
                commits.push(Commit::default());
            }
            if let Some(last) = commits.last_mut() {
                last.batch.requires.append(&mut own.requires);
                last.batch.writes.append(&mut own.writes);
                last.merchants.push((*merchant, committing));
            }
        }
        commits.retain(|commit| !commit.batch.is_empty());
        commits
    }

    /// Where a worker that takes over must begin to read, if this one has read up to `next`: at the first record whose
    /// visitor state is not in the store, nor about to be, as that of the `written`.
    pub fn read_from(&self, next: Position, written: &HashSet<MerchantId>) -> Position {
        let dirty = self.merchants.iter().filter(|(merchant, _)| !written.contains(*merchant));
        let since = dirty.filter_map(|(_, state)| state.state_dirty_since);
        since.map(|(position, _)| position).min().map_or(next, |first| first.min(next))
    }

    /// Puts away merchants that rest, longest first, until all take no more than `memory_bytes`. Says whether that
    /// was enough; if not, writing out visitor state lets more go.
    pub fn put_away(&mut self, memory_bytes: usize) -> bool {
        let mut held: usize = self.merchants.values().map(|state| state.weight).sum();
        if held <= memory_bytes {
            return true;
        }
        let mut resting: Vec<_> = self.merchants.iter().filter(|(_, state)| state.is_clean()).collect();
        resting.sort_unstable_by_key(|(merchant, state)| (state.folded_through, **merchant));
        let mut gone = Vec::new();
        for (merchant, state) in resting {
            if held <= memory_bytes {
                break;
            }
            held -= state.weight;
            gone.push(*merchant);
        }
        for merchant in gone {
            self.merchants.remove(&merchant);
        }
        held <= memory_bytes
    }
}

fn size(batch: &Batch) -> usize {
    batch.writes.iter().map(|write| write.key().len() + write.value().map_or(0, |value| value.len())).sum()
}
