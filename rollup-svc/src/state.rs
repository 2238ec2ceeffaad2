//! What a worker holds of one merchant in one partition: visitor state, and cells that changed since the last commit.

use aggregate::Merge;
use hashbrown::HashMap;
use keyspace::cell::Cell;
use keyspace::fate::Fates;
use keyspace::progress::Progress;
use keyspace::touched::{Day, Touched};
use keyspace::visitor::Bucket;
use model::{Cube, Dimension, Hour, Position};

/// Cubes, in the order in which an hour holds them.
pub const CUBES: usize = 2 + Dimension::ALL.len();
/// Place of the cube without a dimension.
pub const TOTAL: usize = 0;
/// Place of the cube of minutes.
pub const MINUTE: usize = 1;
/// Place of the cube of the first dimension; the others follow.
pub const FIRST_DIMENSION: usize = 2;

/// The cube at a place.
pub fn cube_at(place: usize) -> Cube {
    match place {
        TOTAL => Cube::Total,
        MINUTE => Cube::Minute,
        place => Cube::By(Dimension::ALL[place - FIRST_DIMENSION]),
    }
}

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
pub type HourCells = [Held<Cell>; CUBES];

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
    /// Roughly how many bytes this takes, as of the last commit.
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

    /// The cells of an hour.
    pub fn hour(&mut self, hour: Hour) -> &mut HourCells {
        self.hours.entry(hour).or_default()
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
        self.hours.len() * CUBES
    }

    /// Whether dropping it loses nothing: everything in it is in the store.
    pub fn is_clean(&self) -> bool {
        !self.dirty && self.state_dirty_since.is_none()
    }

    /// Forgets cells that are committed and will hardly change again; the latest hours are kept.
    pub fn forget_old(&mut self) {
        let keep_from = Hour(self.latest.0.saturating_sub(1));
        self.hours.retain(|hour, cells| *hour >= keep_from || cells.iter().any(|cell| cell.dirty));
        self.fates.retain(|hour, fates| *hour >= keep_from || fates.dirty);
        self.touched.retain(|day, _| *day >= Day::of(keep_from));
        self.weight = self.weigh();
    }

    fn weigh(&self) -> usize {
        const CLIENT: usize = 96;
        const SESSION: usize = 240;
        let state = |held: &HeldBucket| {
            let sessions: usize = held.bucket.visitors.values().map(|visitor| visitor.sessions.len()).sum();
            held.bucket.clients.len() * CLIENT + sessions * SESSION
        };
        let cells = self.hours.values().flatten().map(|cell| cell.value.heap_bytes()).sum::<usize>();
        size_of::<Self>() + cells + self.buckets.values().map(state).sum::<usize>()
    }
}
