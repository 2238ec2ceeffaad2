use std::fmt;

use model::{Count, Parts};

use crate::Merge;
use crate::codec::{Malformed, Reader, put_signed, put_varint};

/// Counts that add up. Signed, because a session that a late hit joins to another is taken back; a count that is back at
/// zero is as if it had never been.
///
/// There are millions of these, and nearly all count few things, and not many of each: up to eight counts of 32 bits are
/// kept in place. What outgrows that takes an array of all counts, where adding is quick. Which of the two it is shows
/// neither in comparisons nor in the bytes.
#[derive(Clone)]
pub struct Counts(Repr);

#[derive(Clone)]
enum Repr {
    /// The counts that are not zero, in the order of their numbers, and zeros behind them. `present` has their bits.
    Few { present: u32, counts: [i32; FEW] },
    /// A count for each number.
    Many(Box<[i64; ALL]>),
}

const ALL: usize = Count::ALL.len();
const FEW: usize = 8;
const _: () = assert!(ALL <= 32, "a set of counts is 32 bits");
const _: () = assert!(size_of::<Counts>() == 40, "a slot of a row is no larger than it has to be");

impl Merge for Counts {
    const IDENTITY: Self = Self(Repr::Few { present: 0, counts: [0; FEW] });

    fn merge(&mut self, other: &Self) {
        match (&mut self.0, &other.0) {
            (Repr::Many(own), Repr::Many(other)) => {
                for (own, more) in own.iter_mut().zip(other.iter()) {
                    *own = own.wrapping_add(*more);
                }
            }
            _ => other.iter().for_each(|(count, n)| self.add(count, n)),
        }
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self::IDENTITY
    }
}

impl Counts {
    /// Adds to a count, or takes back from it.
    pub fn add(&mut self, count: Count, n: i64) {
        if !self.add_in_place(count, n) {
            let sum = &mut self.spread()[usize::from(count.number())];
            // Wrapping keeps the law even where a sum leaves 64 bits; no real count comes near it.
            *sum = sum.wrapping_add(n);
        }
    }

    /// Adds those counts of `other` that are among `parts`, so many times.
    pub fn add_some(&mut self, other: &Self, parts: &Parts, times: i64) {
        let some = other.iter().filter(|(count, _)| parts.has(*count));
        some.for_each(|(count, n)| self.add(count, n.wrapping_mul(times)));
    }

    /// Whether any of the counts is among these parts.
    pub fn has_some(&self, parts: &Parts) -> bool {
        parts.has_any(self.present().into())
    }

    /// How many there are.
    pub fn get(&self, count: Count) -> i64 {
        match &self.0 {
            Repr::Few { present, .. } if present & bit(count) == 0 => 0,
            Repr::Few { present, counts } => counts.get(place(*present, count)).map_or(0, |n| i64::from(*n)),
            Repr::Many(counts) => counts[usize::from(count.number())],
        }
    }

    /// The counts that are not zero, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (Count, i64)> {
        members(self.present()).map(|count| (count, self.get(count)))
    }

    /// Whether every count is zero.
    pub fn is_zero(&self) -> bool {
        self.present() == 0
    }

    /// How many bytes it takes in memory beside itself.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Few { .. } => 0,
            Repr::Many(counts) => size_of_val(&**counts),
        }
    }

    /// Appends a varint whose bits say which counts are not zero, then those. One byte says it of the counts that nearly
    /// every row has: their numbers are below seven.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.present().into());
        self.iter().for_each(|(_, n)| put_signed(out, n.into()));
    }

    /// The inverse of [`Counts::encode`].
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let found = reader.varint()?;
        if found >> ALL != 0 {
            return Err(Malformed::Unknown { what: "a set of counts", found });
        }
        let mut counts = Self::IDENTITY;
        for count in members(found as u32) {
            match i64::try_from(reader.signed()?) {
                Ok(0) => return Err(Malformed::Impossible("a count of zero")),
                Ok(n) => counts.add(count, n),
                Err(_) => return Err(Malformed::Impossible("a count above 64 bits")),
            }
        }
        Ok(counts)
    }

    /// Adds where that is possible without an array of all counts.
    fn add_in_place(&mut self, count: Count, n: i64) -> bool {
        let Repr::Few { present, counts } = &mut self.0 else { return false };
        let at = place(*present, count);
        let was = if *present & bit(count) == 0 { 0 } else { counts[at] };
        let Ok(now) = i32::try_from(i64::from(was).wrapping_add(n)) else { return false };
        match (was, now) {
            (0, 0) => {}
            (0, _) if present.count_ones() as usize == FEW => return false,
            (0, _) => {
                counts.copy_within(at..FEW - 1, at + 1);
                counts[at] = now;
                *present |= bit(count);
            }
            (_, 0) => {
                counts.copy_within(at + 1.., at);
                counts[FEW - 1] = 0;
                *present &= !bit(count);
            }
            (..) => counts[at] = now,
        }
        true
    }

    /// Turns to an array of all counts, if it has not.
    fn spread(&mut self) -> &mut [i64; ALL] {
        if let Repr::Few { .. } = self.0 {
            let mut all = Box::new([0; ALL]);
            self.iter().for_each(|(count, n)| all[usize::from(count.number())] = n);
            self.0 = Repr::Many(all);
        }
        match &mut self.0 {
            Repr::Many(counts) => counts,
            Repr::Few { .. } => unreachable!("it was turned above"),
        }
    }

    /// A bit for each count that is not zero.
    fn present(&self) -> u32 {
        match &self.0 {
            Repr::Few { present, .. } => *present,
            Repr::Many(counts) => {
                counts.iter().enumerate().fold(0, |set, (number, n)| set | u32::from(*n != 0) << number)
            }
        }
    }
}

impl FromIterator<(Count, i64)> for Counts {
    fn from_iter<T: IntoIterator<Item = (Count, i64)>>(all: T) -> Self {
        let mut counts = Self::IDENTITY;
        all.into_iter().for_each(|(count, n)| counts.add(count, n));
        counts
    }
}

impl PartialEq for Counts {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Counts {}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

fn bit(count: Count) -> u32 {
    1 << count.number()
}

/// How many of a set are before this one.
fn place(present: u32, count: Count) -> usize {
    (present & (bit(count) - 1)).count_ones() as usize
}

/// The counts of a set, in the order of their numbers.
fn members(mut present: u32) -> impl Iterator<Item = Count> {
    std::iter::from_fn(move || {
        let count = Count::from_number(present.trailing_zeros() as u8)?;
        present &= present - 1;
        Some(count)
    })
}

#[cfg(test)]
mod tests;
