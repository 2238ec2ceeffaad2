//! From what is held of a merchant to one atomic commit: absolute values of the cells that changed, with the progress
//! record that they are right for, on condition that the record is still the one that was built upon.

use std::collections::BTreeSet;
use std::ops::Range;

use aggregate::Merge;
use bytes::Bytes;
use hashbrown::HashMap;
use keyspace::cell::{Cell, CellKey};
use keyspace::fate::{self, Fates};
use keyspace::progress::{self, Progress};
use keyspace::touched::{self, Day, Touched};
use keyspace::visitor::{Slot, Slots};
use keyspace::{Malformed, visitor};
use model::{CubeId, Generation, Hour, MerchantId, Partition};
use store::Batch;

use crate::fold::MINUTES_KEPT_MS;
use crate::staging::Encoded;
use crate::state::MerchantState;

/// Which merchant of which partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The merchant.
    pub merchant: MerchantId,
    /// The set of cells.
    pub generation: Generation,
    /// The partition.
    pub partition: Partition,
}

impl Owner {
    /// The key of its progress record.
    pub fn progress_key(&self) -> Bytes {
        progress::key(self.merchant, self.generation, self.partition)
    }

    /// The key of a bucket of its visitor state.
    pub fn bucket_key(&self, bucket: u8, slot: Slot) -> Bytes {
        visitor::key(self.partition, self.merchant, self.generation, bucket, slot)
    }

    fn cell_key(&self, cube: CubeId, hour: Hour) -> Bytes {
        let Self { merchant, generation, partition } = *self;
        CellKey { merchant, generation, cube, hour, partition }.encode()
    }

    fn fates_key(&self, hour: Hour) -> Bytes {
        fate::key(self.merchant, self.generation, hour, self.partition)
    }

    fn touched_key(&self, day: Day) -> Bytes {
        touched::key(self.merchant, self.generation, day, self.partition)
    }
}

/// Keys whose values must be merged in before the merchant can be committed.
pub fn wanted(owner: &Owner, state: &MerchantState) -> Vec<Bytes> {
    let mut keys = Vec::new();
    if state.committed.is_none() {
        // Whoever has no progress record has nothing else: they are written together.
        return keys;
    }
    for (hour, held) in &state.hours {
        let unknown = held.cells.iter().filter(|(_, cell)| cell.dirty && !cell.whole);
        keys.extend(unknown.map(|(cube, _)| owner.cell_key(*cube, *hour)));
    }
    keys.extend(state.fates.iter().filter(|(_, fates)| !fates.whole).map(|(hour, _)| owner.fates_key(*hour)));
    keys.extend(unknown_days(state).into_iter().map(|day| owner.touched_key(day)));
    keys
}

/// Days of which it matters which hours were ever changed, and is not known: those with hits, and at first those whose minute
/// cells are swept.
fn unknown_days(state: &MerchantState) -> BTreeSet<Day> {
    let swept = old_minutes(state).filter(|_| state.minutes_from.is_none());
    let days = state.hours.keys().copied().chain(swept.map(Hour)).map(Day::of);
    days.filter(|day| !state.touched.contains_key(day)).collect()
}

/// Merges in what the store has, so that everything held is whole.
pub fn complete(
    owner: &Owner,
    state: &mut MerchantState,
    found: &HashMap<Bytes, Bytes>,
) -> Result<(), Malformed> {
    for (hour, of_hour) in &mut state.hours {
        for (cube, held) in of_hour.cells.iter_mut().filter(|(_, cell)| cell.dirty && !cell.whole) {
            if let Some(value) = found.get(&owner.cell_key(*cube, *hour)) {
                let mut whole = Cell::decode(value)?;
                whole.merge(&held.value);
                held.value = whole;
            }
            held.whole = true;
        }
    }
    for day in unknown_days(state) {
        let value = found.get(&owner.touched_key(day));
        let touched = value.map(|value| Touched::decode(value)).transpose()?;
        state.touched.insert(day, touched.unwrap_or_default());
    }
    for (hour, held) in state.fates.iter_mut().filter(|(_, fates)| !fates.whole) {
        if let Some(value) = found.get(&owner.fates_key(*hour)) {
            held.value.merge(&Fates::decode(value)?);
        }
        held.whole = true;
    }
    Ok(())
}

/// What a commit of a merchant will have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committing {
    /// The progress record that it writes.
    pub progress: Progress,
    /// Whether it writes the visitor state.
    pub with_state: bool,
    /// Hours whose cells it changes.
    pub hours: Vec<Hour>,
    /// Minute cells before this hour are deleted.
    minutes_from: Hour,
}

/// Adds the merchant to a batch, with its visitor state if that is given. Everything held must be whole.
pub fn write(
    owner: &Owner,
    state: &mut MerchantState,
    visitors: Option<Encoded>,
    batch: &mut Batch,
) -> Committing {
    let before = state.committed;
    let commit = before.map_or(0, |progress| progress.commits) + 1;
    batch.require(owner.progress_key(), before.map(|progress| progress.encode()));

    let mut hours = Vec::new();
    for (hour, of_hour) in &state.hours {
        for (cube, held) in of_hour.cells.iter().filter(|(_, cell)| cell.dirty) {
            batch.put(owner.cell_key(*cube, *hour), held.value.encode());
        }
        if of_hour.cells.iter().any(|(_, cell)| cell.dirty) {
            hours.push(*hour);
            state.touched.entry(Day::of(*hour)).or_default().touch(*hour, commit);
        }
    }
    hours.sort_unstable();
    let mut days: Vec<_> = hours.iter().map(|hour| Day::of(*hour)).collect();
    days.dedup();
    for day in days {
        batch.put(owner.touched_key(day), state.touched[&day].encode());
    }
    for (hour, fates) in state.fates.iter().filter(|(_, fates)| fates.dirty) {
        batch.put(owner.fates_key(*hour), fates.value.encode());
    }
    let minutes_from = delete_old_minutes(owner, state, batch);
    let with_state = visitors.is_some();
    let mut slots = before.map_or(Slots::default(), |progress| progress.slots);
    if let Some(visitors) = visitors {
        slots = visitors.write(owner, slots, batch);
    }
    let applied_through =
        before.map_or(state.folded_through, |p| p.applied_through.max(state.folded_through));
    // While a worker that took over is still behind `applied_through`, so is the state that it holds.
    let state_through =
        if with_state { Some(state.folded_through) } else { before.and_then(|p| p.state_through) };
    let progress = Progress { applied_through, commits: commit, state_through, slots };
    batch.put(owner.progress_key(), progress.encode());
    Committing { progress, with_state, hours, minutes_from }
}

/// Minute cells are for the last two days; older ones go, hour by hour. Says up to which hour they are gone.
fn delete_old_minutes(owner: &Owner, state: &MerchantState, batch: &mut Batch) -> Hour {
    let swept = old_minutes(state);
    let end = Hour(swept.end);
    if state.committed.is_some() {
        // An hour that was never changed has no minutes. A delete costs as much as a write, and most hours of most merchants
        // are such.
        let changed = |hour: &Hour| state.touched.get(&Day::of(*hour)).is_none_or(|day| day.of(*hour) > 0);
        swept.map(Hour).filter(changed).for_each(|hour| {
            batch.delete(owner.cell_key(CubeId::MINUTE, hour));
        });
    }
    end
}

/// Hours whose minute cells are too old and may be there still. After a start two more days back are swept.
fn old_minutes(state: &MerchantState) -> Range<u32> {
    let kept = (MINUTES_KEPT_MS / Hour::MILLIS) as u32;
    let keep_from = state.latest.0.saturating_sub(kept);
    let from = state.minutes_from.map_or(keep_from.saturating_sub(kept), |hour| hour.0);
    from..keep_from.max(from)
}

/// Takes note that the commit was applied.
pub fn committed(state: &mut MerchantState, committing: &Committing) {
    state.committed = Some(committing.progress);
    state.dirty = false;
    state.minutes_from = Some(committing.minutes_from);
    state.hours.values_mut().flat_map(|held| &mut held.cells).for_each(|(_, cell)| cell.dirty = false);
    state.fates.values_mut().for_each(|fates| fates.dirty = false);
    if committing.with_state {
        state.state_dirty_since = None;
        state.buckets.values_mut().for_each(|held| held.dirty = false);
    }
    state.forget_idle();
}

#[cfg(test)]
mod tests {
    use model::Position;
    use store::Write;

    use super::*;

    const NOON: u32 = 397_740; // 2015-05-17T12:00:00Z, in hours since 1970
    const OWNER: Owner =
        Owner { merchant: MerchantId(7), generation: Generation::FIRST, partition: Partition(0) };

    /// What a commit at noon deletes of a merchant whose cells of some hours were changed before.
    fn deleted(state: &mut MerchantState, changed: &[u32]) -> Vec<Bytes> {
        state.latest = Hour(NOON);
        let asked = wanted(&OWNER, state);
        let mut days = HashMap::new();
        for hour in changed.iter().map(|hour| Hour(*hour)) {
            days.entry(Day::of(hour)).or_insert_with(Touched::default).touch(hour, 1);
        }
        let stored = days.into_iter().map(|(day, touched)| (OWNER.touched_key(day), touched.encode()));
        let found = stored.filter(|(key, _)| asked.contains(key)).collect();
        complete(&OWNER, state, &found).unwrap();
        let mut batch = Batch::default();
        let committing = write(&OWNER, state, None, &mut batch);
        super::committed(state, &committing);
        let deletes = batch.writes.into_iter().filter(|write| matches!(write, Write::Delete(_)));
        deletes.map(|write| write.key().clone()).collect()
    }

    #[test]
    fn only_minutes_that_can_be_there_are_deleted() {
        let progress = Progress {
            applied_through: Position::START,
            commits: 1,
            state_through: None,
            slots: Slots::default(),
        };
        let minutes = |hour: u32| OWNER.cell_key(CubeId::MINUTE, Hour(hour));

        // Nothing is in the store of who has no progress record.
        let mut new = MerchantState::new(None);
        assert!(wanted(&OWNER, &new).is_empty());
        assert!(deleted(&mut new, &[NOON - 60]).is_empty());

        // 49 hours are kept: 50 hours ago is too old, 48 is not, and 99 was swept by the worker before.
        let mut known = MerchantState::new(Some(progress));
        assert_eq!(
            deleted(&mut known, &[NOON - 48, NOON - 50, NOON - 98, NOON - 99]),
            [minutes(NOON - 98), minutes(NOON - 50)]
        );
        assert!(deleted(&mut known, &[NOON - 50]).is_empty(), "they are gone");
        // An hour later one more is too old, and nobody looks whether there is anything.
        known.minutes_from = Some(Hour(NOON - 50));
        assert_eq!(deleted(&mut known, &[]), [minutes(NOON - 50)]);
    }
}
