/// How far apart the remembered places of a segment are. Records are 64 KiB to 1 MiB, so a reader walks over a few heads
/// at most; a terabyte of history costs 64 MiB of memory, and only once all of it was read.
const STRIDE_BYTES: u64 = 256 * 1024;

/// Where an entry starts in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) entry: u64,
    pub(super) offset: u64,
}

/// Some places of a segment, as far as it was ever walked.
#[derive(Debug)]
pub(super) struct Index {
    /// Rising, at least [`STRIDE_BYTES`] apart; the first is the segment's first record.
    places: Vec<Place>,
    /// Where the last reader stopped: a reader of history comes back for exactly that.
    resume: Place,
}

impl Index {
    /// Knows where the first record is and nothing else.
    pub(super) fn new(first: Place) -> Self {
        Self { places: vec![first], resume: first }
    }

    /// The nearest known place at or before an entry.
    pub(super) fn before(&self, entry: u64) -> Place {
        let after = self.places.partition_point(|place| place.entry <= entry);
        let known = self.places[after.saturating_sub(1)];
        if self.resume.entry <= entry && self.resume.entry > known.entry { self.resume } else { known }
    }

    /// Remembers a place if it is far enough behind the last one.
    pub(super) fn note(&mut self, place: Place) {
        if self.places.last().is_none_or(|last| place.offset >= last.offset + STRIDE_BYTES) {
            self.places.push(place);
        }
    }

    /// Remembers where a reader stopped.
    pub(super) fn stopped(&mut self, place: Place) {
        self.resume = place;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(entry: u64, offset: u64) -> Place {
        Place { entry, offset }
    }

    #[test]
    fn the_nearest_place_before_an_entry() {
        let mut index = Index::new(place(10, 40));
        index.note(place(11, 1_000));
        index.note(place(20, 300_000));
        index.note(place(30, 600_000));
        index.note(place(20, 300_000));
        assert_eq!(index.before(10), place(10, 40));
        assert_eq!(index.before(19), place(10, 40), "entry 11 is too near to be worth keeping");
        assert_eq!(index.before(20), place(20, 300_000));
        assert_eq!(index.before(99), place(30, 600_000));
        index.stopped(place(25, 400_000));
        assert_eq!(index.before(24), place(20, 300_000));
        assert_eq!(index.before(27), place(25, 400_000));
        assert_eq!(index.before(30), place(30, 600_000));
    }
}
