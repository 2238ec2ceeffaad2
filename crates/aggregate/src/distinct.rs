use std::collections::HashSet;

use crate::codec::{Malformed, Reader, put_varint};
use crate::hll::{Hll, REGISTERS};
use crate::{Merge, Quarters};

/// One standard error of a sketched count, relative: 1.04 / √4096 (Flajolet et al. 2007).
pub const RELATIVE_ERROR: f64 = 1.04 / 64.0;
const _: () = assert!(REGISTERS == 64 * 64, "RELATIVE_ERROR is of this many registers");

/// Up to this many distinct things are counted one by one.
const EXACT: usize = 512;
/// A union over many cells stays exact up to this many.
const EXACT_UNION: usize = 100_000;

const QUARTER_BITS: u64 = 0xf;

/// How many distinct things (by their stable hash) there were in each quarter of an hour, and while they are few, how often
/// each was seen: so that what was seen can be taken back. Above that it is a HyperLogLog for each quarter, which
/// forgets nothing. Which of the two it is depends on what was seen alone, not on the order of arrival, as long as nothing is
/// taken back from more things than are counted one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distinct(Repr);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Repr {
    Exact(Seen),
    Sketch(Box<[Option<Hll>; 4]>),
}

/// How often each thing was seen in each quarter, by hash and quarter. What is taken back before it is merged in is below zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    entries: Vec<Entry>,
    /// How many different hashes there are.
    things: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// The hash, whose lowest four bits are the quarter.
    key: u64,
    times: i32,
}

/// A count of distinct things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// How many.
    pub count: u64,
    /// Whether that is exact; else it is within [`RELATIVE_ERROR`], one standard error.
    pub exact: bool,
}

impl Merge for Distinct {
    const IDENTITY: Self = Self(Repr::Exact(Seen { entries: Vec::new(), things: 0 }));

    fn merge(&mut self, other: &Self) {
        match &other.0 {
            Repr::Exact(seen) => seen.entries.iter().for_each(|entry| self.add_entry(*entry)),
            Repr::Sketch(theirs) => {
                let own = self.sketch();
                for (own, theirs) in own.iter_mut().zip(theirs.iter()) {
                    if let Some(theirs) = theirs {
                        own.get_or_insert_with(Hll::new).merge(theirs);
                    }
                }
            }
        }
    }
}

impl Default for Distinct {
    fn default() -> Self {
        Self::IDENTITY
    }
}

impl Distinct {
    /// A thing was seen so many times in a quarter (0 to 3); or that is taken back, if it is below zero.
    pub fn add(&mut self, hash: u64, quarter: usize, times: i32) {
        self.add_entry(Entry { key: (hash & !QUARTER_BITS) | (quarter as u64 & 3), times });
    }

    fn add_entry(&mut self, entry: Entry) {
        match &mut self.0 {
            Repr::Exact(seen) => {
                seen.add(entry);
                if seen.things as usize > EXACT {
                    self.sketch();
                }
            }
            Repr::Sketch(quarters) => insert_sketched(quarters, entry),
        }
    }

    /// Turns to sketches, if it has not.
    fn sketch(&mut self) -> &mut [Option<Hll>; 4] {
        if let Repr::Exact(seen) = &self.0 {
            let mut quarters = Box::new([const { None }; 4]);
            for entry in &seen.entries {
                insert_sketched(&mut quarters, *entry);
            }
            self.0 = Repr::Sketch(quarters);
        }
        match &mut self.0 {
            Repr::Sketch(quarters) => quarters,
            Repr::Exact(_) => unreachable!("it was turned above"),
        }
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, Repr::Exact(seen) if seen.entries.is_empty())
    }

    /// Roughly how many bytes it takes in memory.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Exact(seen) => seen.entries.capacity() * size_of::<Entry>(),
            Repr::Sketch(quarters) => quarters.iter().flatten().count() * REGISTERS,
        }
    }

    /// Appends the number of things plus one, then each, of which nothing may be missing that was taken back: its hash, whose lowest four bits say in which quarters it was seen, and
    /// how often in each. Or a zero, then which quarters have a sketch, then those.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Repr::Exact(seen) => {
                put_varint(out, u64::from(seen.things) + 1);
                for thing in seen.entries.chunk_by(|a, b| a.hash() == b.hash()) {
                    let quarters = thing.iter().fold(0, |bits, entry| bits | 1 << entry.quarter());
                    out.extend_from_slice(&(thing[0].hash() | quarters).to_be_bytes());
                    thing.iter().for_each(|entry| put_varint(out, entry.times.max(0) as u64));
                }
            }
            Repr::Sketch(quarters) => {
                put_varint(out, 0);
                let present = (0..4).filter(|q| quarters[*q].is_some()).fold(0, |bits, q| bits | 1 << q);
                out.push(present);
                quarters.iter().flatten().for_each(|hll| hll.encode(out));
            }
        }
    }

    /// The inverse of [`Distinct::encode`].
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        match reader.varint()? {
            0 => {
                let present = reader.byte()?;
                let mut quarters = Box::new([const { None }; 4]);
                for (bit, quarter) in quarters.iter_mut().enumerate() {
                    if present & 1 << bit != 0 {
                        *quarter = Some(Hll::decode(reader)?);
                    }
                }
                Ok(Self(Repr::Sketch(quarters)))
            }
            n if n <= EXACT as u64 + 1 => {
                Seen::decode(n as u32 - 1, reader).map(|seen| Self(Repr::Exact(seen)))
            }
            _ => Err(Malformed::Impossible("more hashes than are kept")),
        }
    }
}

impl Seen {
    fn add(&mut self, entry: Entry) {
        match self.entries.binary_search_by_key(&entry.key, |known| known.key) {
            Ok(at) => {
                self.entries[at].times = self.entries[at].times.saturating_add(entry.times);
                if self.entries[at].times == 0 {
                    self.entries.remove(at);
                    self.things -= u32::from(!self.knows(at, entry.hash()));
                }
            }
            Err(_) if entry.times == 0 => {}
            Err(at) => {
                self.things += u32::from(!self.knows(at, entry.hash()));
                if self.entries.is_empty() {
                    // Most rows have one visitor, and there are millions of rows.
                    self.entries.reserve_exact(1);
                }
                self.entries.insert(at, entry);
            }
        }
    }

    /// Whether an entry beside this place is of the same thing.
    fn knows(&self, at: usize, hash: u64) -> bool {
        let is_same = |at: usize| self.entries.get(at).is_some_and(|entry| entry.hash() == hash);
        is_same(at) || at.checked_sub(1).is_some_and(is_same)
    }

    fn decode(things: u32, reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut seen = Self { entries: Vec::with_capacity(things as usize), things };
        let mut last = None;
        for _ in 0..things {
            let read = u64::from_be_bytes(reader.array()?);
            let (hash, quarters) = (read & !QUARTER_BITS, read & QUARTER_BITS);
            if last >= Some(hash) || quarters == 0 {
                return Err(Malformed::Impossible("hashes that are not in order, or of no quarter"));
            }
            last = Some(hash);
            for quarter in (0..4).filter(|quarter| quarters & 1 << quarter != 0) {
                let times = i32::try_from(reader.varint()?).ok().filter(|times| *times > 0);
                let times = times.ok_or(Malformed::Impossible("a thing that was never seen"))?;
                seen.entries.push(Entry { key: hash | quarter, times });
            }
        }
        Ok(seen)
    }
}

impl Entry {
    fn hash(self) -> u64 {
        self.key & !QUARTER_BITS
    }

    fn quarter(self) -> usize {
        (self.key & QUARTER_BITS) as usize
    }
}

/// A sketch cannot forget: what is taken back stays in it.
fn insert_sketched(quarters: &mut [Option<Hll>; 4], entry: Entry) {
    if entry.times > 0 {
        quarters[entry.quarter()].get_or_insert_with(Hll::new).insert(entry.hash());
    }
}

/// The distinct things of many cells together: what a query counts.
#[derive(Clone, Debug, Default)]
pub struct Union {
    exact: HashSet<u64, Unhashed>,
    sketch: Option<Hll>,
}

impl Union {
    /// Takes in what was seen in some quarters of a cell.
    pub fn add(&mut self, distinct: &Distinct, quarters: Quarters) {
        match &distinct.0 {
            Repr::Exact(seen) => {
                let wanted =
                    seen.entries.iter().filter(|entry| entry.times > 0 && quarters.has(entry.quarter()));
                self.exact.extend(wanted.map(|entry| entry.hash()));
                if self.exact.len() > EXACT_UNION {
                    self.spill();
                }
            }
            Repr::Sketch(sketches) => {
                for (quarter, hll) in sketches.iter().enumerate() {
                    if let Some(hll) = hll.as_ref().filter(|_| quarters.has(quarter)) {
                        self.sketch.get_or_insert_with(Hll::new).merge(hll);
                    }
                }
            }
        }
    }

    fn spill(&mut self) {
        let sketch = self.sketch.get_or_insert_with(Hll::new);
        for hash in self.exact.drain() {
            sketch.insert(hash);
        }
    }

    /// How many distinct things there were.
    pub fn estimate(&self) -> Estimate {
        match &self.sketch {
            None => Estimate { count: self.exact.len() as u64, exact: true },
            Some(sketch) => {
                let mut sketch = sketch.clone();
                for hash in &self.exact {
                    sketch.insert(*hash);
                }
                Estimate { count: sketch.estimate().round() as u64, exact: false }
            }
        }
    }
}

/// The elements are hashes already.
#[derive(Clone, Copy, Debug, Default)]
struct Unhashed(u64);

impl std::hash::BuildHasher for Unhashed {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self(0)
    }
}

impl std::hash::Hasher for Unhashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        // The table takes its control bits from the top and its index from the bottom; the bottom four are cleared.
        self.0 = hash.rotate_right(4);
    }
}

#[cfg(test)]
mod tests {
    use model::stable_hash;
    use proptest::prelude::*;

    use super::*;
    use crate::merge::law;

    fn encode(distinct: &Distinct) -> Vec<u8> {
        let mut out = Vec::new();
        distinct.encode(&mut out);
        assert_eq!(Distinct::decode(&mut Reader::new(&out)).as_ref(), Ok(distinct));
        out
    }

    fn of(things: std::ops::Range<u64>, quarter: usize) -> Distinct {
        let mut distinct = Distinct::IDENTITY;
        things.for_each(|n| {
            distinct.add(stable_hash(&n.to_be_bytes()), quarter, 1);
        });
        distinct
    }

    fn count(distinct: &Distinct, quarters: Quarters) -> Estimate {
        let mut union = Union::default();
        union.add(distinct, quarters);
        union.estimate()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn merging_keeps_the_law(
            a in (0u64..900, 0u64..700, 0usize..4), b in (0u64..900, 0u64..700, 0usize..4), c in (0u64..900, 0u64..700, 0usize..4)
        ) {
            let [a, b, c] = [a, b, c].map(|(from, len, quarter)| of(from..from + len, quarter));
            law::check([&a, &b, &c], encode);
        }

        #[test]
        fn few_things_are_counted_exactly_in_any_quarters(seen in prop::collection::vec((0u64..200, 0usize..4), 0..400)) {
            let mut distinct = Distinct::IDENTITY;
            for (thing, quarter) in &seen {
                distinct.add(stable_hash(&thing.to_be_bytes()), *quarter, 1);
            }
            for quarters in (1..16).map(Quarters::from_bits) {
                let expected: HashSet<_> = seen.iter().filter(|(_, q)| quarters.has(*q)).map(|(thing, _)| thing).collect();
                prop_assert_eq!(count(&distinct, quarters), Estimate { count: expected.len() as u64, exact: true });
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_back_leaves_no_trace_whenever_that_is(
            seen in prop::collection::vec((0u64..20, 0usize..4, 1i32..4), 0..60), rotate: prop::sample::Index
        ) {
            // Some are seen and taken back again, in any order.
            let mut moves: Vec<_> = seen.iter().flat_map(|(thing, quarter, times)| {
                [(*thing, *quarter, *times), (*thing + 7, *quarter, 1), (*thing + 7, *quarter, -1)]
            }).collect();
            if !moves.is_empty() {
                let at = rotate.index(moves.len());
                moves.rotate_left(at);
            }
            let fold = |moves: &[(u64, usize, i32)]| {
                let mut distinct = Distinct::IDENTITY;
                for (thing, quarter, times) in moves {
                    distinct.add(stable_hash(&thing.to_be_bytes()), *quarter, *times);
                }
                distinct
            };
            prop_assert_eq!(encode(&fold(&moves)), encode(&fold(&seen)));
            // The same in two parts, of which one may be below zero.
            let (a, b) = moves.split_at(moves.len() / 2);
            let mut merged = fold(a);
            merged.merge(&fold(b));
            prop_assert_eq!(encode(&merged), encode(&fold(&seen)));
        }
    }

    #[test]
    fn many_things_are_counted_within_the_stated_error() {
        for n in [600, 3_000, 20_000, 200_000, 1_000_000] {
            let estimate = count(&of(0..n, 1), Quarters::ALL);
            assert!(!estimate.exact);
            let error = (estimate.count as f64 - n as f64).abs() / n as f64;
            assert!(error < 3.0 * RELATIVE_ERROR, "{n} was counted as {}", estimate.count);
        }
    }

    #[test]
    fn a_union_of_small_sets_is_exact_and_one_with_a_sketch_is_not() {
        let mut union = Union::default();
        for from in (0..5_000).step_by(100) {
            union.add(&of(from..from + 150, 0), Quarters::ALL);
        }
        assert_eq!(union.estimate(), Estimate { count: 5_050, exact: true });
        union.add(&of(0..2_000, 3), Quarters::ALL);
        let mixed = union.estimate();
        assert!(!mixed.exact && mixed.count.abs_diff(5_050) < 250, "{mixed:?}");
    }

    #[test]
    fn nothing_counts_as_nothing() {
        assert_eq!(Union::default().estimate(), Estimate { count: 0, exact: true });
        assert_eq!(count(&of(0..600, 2), Quarters::from_bits(0b1011)), Estimate { count: 0, exact: true });
    }

    #[test]
    fn bytes_are_frozen() {
        assert_eq!(
            encode(&of(0..2, 3)).escape_ascii().to_string(),
            r"\x03\xc7{:\xbbo\x87\xac\xd8\x01\xf3kJ\x1aD\xf7\x8b\xf8\x01"
        );
        let large = encode(&of(0..100_000, 3));
        assert_eq!((large.len(), stable_hash(&large)), (3_075, 18_346_421_643_457_782_706));
    }
}
