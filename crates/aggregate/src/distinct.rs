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

/// How many distinct things (by their stable hash) there were in each quarter of an hour: exact while there are few, a
/// HyperLogLog for each quarter above. Which of the two it is depends on the set alone, not on the order of arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distinct(Repr);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Repr {
    /// Sorted hashes, whose lowest four bits say in which quarters they were seen.
    Exact(Vec<u64>),
    Sketch(Box<[Option<Hll>; 4]>),
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
    const IDENTITY: Self = Self(Repr::Exact(Vec::new()));

    fn merge(&mut self, other: &Self) {
        match &other.0 {
            Repr::Exact(seen) => seen.iter().for_each(|entry| {
                self.insert_entry(*entry);
            }),
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
    /// Takes in a thing that was seen in a quarter (0 to 3); says whether that changed anything.
    pub fn insert(&mut self, hash: u64, quarter: usize) -> bool {
        self.insert_entry((hash & !QUARTER_BITS) | 1 << (quarter & 3))
    }

    fn insert_entry(&mut self, entry: u64) -> bool {
        match &mut self.0 {
            Repr::Exact(seen) => {
                match seen.binary_search_by_key(&(entry & !QUARTER_BITS), |e| e & !QUARTER_BITS) {
                    Ok(at) => {
                        let before = seen[at];
                        seen[at] |= entry;
                        seen[at] != before
                    }
                    Err(at) => {
                        seen.insert(at, entry);
                        if seen.len() > EXACT {
                            self.sketch();
                        }
                        true
                    }
                }
            }
            Repr::Sketch(quarters) => insert_sketched(quarters, entry),
        }
    }

    /// Turns to sketches, if it has not.
    fn sketch(&mut self) -> &mut [Option<Hll>; 4] {
        if let Repr::Exact(seen) = &self.0 {
            let mut quarters = Box::new([const { None }; 4]);
            for entry in seen {
                insert_sketched(&mut quarters, *entry);
            }
            self.0 = Repr::Sketch(quarters);
        }
        match &mut self.0 {
            Repr::Sketch(quarters) => quarters,
            Repr::Exact(_) => unreachable!("it was turned above"),
        }
    }

    /// Roughly how many bytes it takes in memory.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Exact(seen) => seen.capacity() * 8,
            Repr::Sketch(quarters) => quarters.iter().flatten().count() * REGISTERS,
        }
    }

    /// Appends the number of hashes plus one, then the hashes; or a zero, then which quarters have a sketch, then those.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Repr::Exact(seen) => {
                put_varint(out, seen.len() as u64 + 1);
                for entry in seen {
                    out.extend_from_slice(&entry.to_be_bytes());
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
                let entries = reader.take((n as usize - 1) * 8)?;
                let seen = entries.as_chunks().0.iter().map(|bytes| u64::from_be_bytes(*bytes));
                let seen: Vec<u64> = seen.collect();
                let rising = seen.is_sorted_by(|a, b| a & !QUARTER_BITS < b & !QUARTER_BITS);
                if !rising || seen.iter().any(|entry| entry & QUARTER_BITS == 0) {
                    return Err(Malformed::Impossible("hashes that are not in order, or of no quarter"));
                }
                Ok(Self(Repr::Exact(seen)))
            }
            _ => Err(Malformed::Impossible("more hashes than are kept")),
        }
    }
}

fn insert_sketched(quarters: &mut [Option<Hll>; 4], entry: u64) -> bool {
    let mut changed = false;
    for (bit, quarter) in quarters.iter_mut().enumerate() {
        if entry & 1 << bit != 0 {
            changed |= quarter.get_or_insert_with(Hll::new).insert(entry & !QUARTER_BITS);
        }
    }
    changed
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
                let wanted = u64::from(quarters.bits());
                self.exact.extend(
                    seen.iter().filter(|entry| **entry & wanted != 0).map(|entry| entry & !QUARTER_BITS),
                );
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
            distinct.insert(stable_hash(&n.to_be_bytes()), quarter);
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
                distinct.insert(stable_hash(&thing.to_be_bytes()), *quarter);
            }
            for quarters in (1..16).map(Quarters::from_bits) {
                let expected: HashSet<_> = seen.iter().filter(|(_, q)| quarters.has(*q)).map(|(thing, _)| thing).collect();
                prop_assert_eq!(count(&distinct, quarters), Estimate { count: expected.len() as u64, exact: true });
            }
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
            r"\x03\xc7{:\xbbo\x87\xac\xd8\xf3kJ\x1aD\xf7\x8b\xf8"
        );
        let large = encode(&of(0..100_000, 3));
        assert_eq!((large.len(), stable_hash(&large)), (3_075, 18_346_421_643_457_782_706));
    }
}
