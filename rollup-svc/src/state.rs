//! What a worker holds of one merchant in one partition: visitor state, and cells that changed since the last commit.

use aggregate::Merge;
use hashbrown::HashMap;
use keyspace::cell::Cell;
use keyspace::fate::Fates;
use keyspace::progress::Progress;
use keyspace::touched::{Day, Touched};
use keyspace::visitor::{Bucket, Hit};
use model::{CubeId, Hour, Position};

/// A value that is being changed. Until what the store has is merged in, it is only what came on top.
#[derive(Clone, Debug, Default)]
pub struct Held<T> {
    /// The value, or what came on top of it.
    pub value: T,
    /// Whether what the store has is in it.
    pub whole: bool,
    /// Whether it differs from what the store has.
    pub dirty: bool,
}

impl<T> Held<T> {
    /// The value, to be changed.
    pub fn change(&mut self) -> &mut T {
        self.dirty = true;
        &mut self.value
    }
}

/// The cells of one hour.
#[derive(Clone, Debug, Default)]
pub struct HourCells {
    /// The cells, in order of their cubes.
    pub cells: Vec<(CubeId, Held<Cell>)>,
    /// Commits since a hit came.
    idle: u8,
}

impl HourCells {
    /// The cell of a cube, made if it is not held.
    pub fn cell(&mut self, cube: CubeId) -> &mut Held<Cell> {
        let at = match self.cells.binary_search_by_key(&cube, |(known, _)| *known) {
            Ok(at) => at,
            Err(at) => {
                self.cells.insert(at, (cube, Held::default()));
                at
            }
        };
        &mut self.cells[at].1
    }
}

/// Cells of an hour that no hit came to are held for this many commits more, and then read again when one comes.
const IDLE_COMMITS: u8 = 8;

/// A bucket of visitor state.
#[derive(Clone, Debug, Default)]
pub struct HeldBucket {
    /// The state.
    pub bucket: Bucket,
    /// Whether it differs from what the store has.
    pub dirty: bool,
}

/// What a worker holds of one merchant in one partition.
#[derive(Clone, Debug, Default)]
pub struct MerchantState {
    /// The progress record as the store has it.
    pub committed: Option<Progress>,
    /// The last record that was folded into what is held here.
    pub folded_through: Position,
    /// Whether anything was folded that is not committed.
    pub dirty: bool,
    /// Visitor state, as far as it was needed.
    pub buckets: HashMap<u8, HeldBucket>,
    /// The first record whose visitor state is not in the store, and how many bytes of the log were read before it.
    pub state_dirty_since: Option<(Position, u64)>,
    /// Cells, by hour of event time.
    pub hours: HashMap<Hour, HourCells>,
    /// Fates, by hour of receipt.
    pub fates: HashMap<Hour, Held<Fates>>,
    /// When the hours of a day changed, for the days that are held.
    pub touched: HashMap<Day, Touched>,
    /// The latest hour of receipt.
    pub latest: Hour,
    /// Minute cells before this hour were deleted.
    pub minutes_from: Option<Hour>,
    /// Hits that were folded.
    pub folded_hits: u64,
    /// As many of them as there were when the weight was taken.
    weighed_hits: u64,
    /// Roughly how many bytes this takes.
    pub weight: usize,
}

/// How a record at some position is folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its visitor state and its cells are in the store.
    Done,
    /// Its cells are in the store, its visitor state is not.
    StateOnly,
    /// Nothing of it is in the store.
    Fresh,
}

impl MerchantState {
    /// What is held of a merchant whose progress record is this.
    pub fn new(committed: Option<Progress>) -> Self {
        Self { committed, ..Self::default() }
    }

    /// Whether the store may have visitor state that is not held.
    pub fn has_more_buckets(&self) -> bool {
        const BUCKETS: usize = 256;
        let written = self.committed.is_some_and(|progress| progress.state_through.is_some());
        written && self.buckets.len() < BUCKETS
    }

    /// How a record at `position` is to be folded.
    pub fn stage(&self, position: Position) -> Stage {
        match self.committed {
            Some(progress) if progress.state_through.is_some_and(|through| position <= through) => {
                Stage::Done
            }
            Some(progress) if position <= progress.applied_through => Stage::StateOnly,
            _ => Stage::Fresh,
        }
    }

    /// The cells of an hour, to be changed.
    pub fn hour(&mut self, hour: Hour) -> &mut HourCells {
        let held = self.hours.entry(hour).or_default();
        held.idle = 0;
        held
    }

    /// The fates of an hour of receipt.
    pub fn fates(&mut self, hour: Hour) -> &mut Fates {
        self.fates
            .entry(hour)
            .or_insert_with(|| Held { value: Fates::IDENTITY, whole: false, dirty: false })
            .change()
    }

    /// How many keys a commit of it would write, roughly.
    pub fn dirty_keys(&self) -> usize {
        let changed = self.hours.values().filter(|held| held.idle == 0);
        changed.map(|held| held.cells.len()).sum()
    }

    /// Whether dropping it loses nothing: everything in it is in the store.
    pub fn is_clean(&self) -> bool {
        !self.dirty && self.state_dirty_since.is_none()
    }

    /// Forgets cells and books that are committed and that nothing came to for some commits.
    pub fn forget_idle(&mut self) {
        for held in self.hours.values_mut() {
            held.idle = held.idle.saturating_add(1);
        }
        self.hours.retain(|_, held| held.idle <= IDLE_COMMITS);
        self.fates.retain(|hour, _| *hour == self.latest);
        self.touched.retain(|day, _| self.hours.keys().any(|hour| Day::of(*hour) == *day));
        self.weigh();
    }

    /// Walking over everything costs as much as folding it did, so it is done when a quarter has been added.
    fn weigh(&mut self) {
        if self.folded_hits < self.weighed_hits + self.weighed_hits / 4 {
            return;
        }
        self.weighed_hits = self.folded_hits;
        const ACTOR: usize = 192;
        const HIT: usize = size_of::<Hit>() + 16;
        let state = |held: &HeldBucket| held.bucket.len() * ACTOR + held.bucket.hits() * HIT;
        let cells = self.hours.values().flat_map(|held| &held.cells).map(|(_, cell)| cell.value.heap_bytes());
        self.weight =
            size_of::<Self>() + cells.sum::<usize>() + self.buckets.values().map(state).sum::<usize>();
    }
}
