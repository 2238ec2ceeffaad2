mod buckets;

use crate::Merge;
use crate::codec::{Malformed, Reader, put_signed, put_varint};

/// How far a quantile can be from the true one, relative to that.
pub const VALUE_ERROR: f64 = 0.01;

/// How values are distributed: a DDSketch (Masson, Rim and Lee 2019, "DDSketch: a fast and fully-mergeable quantile sketch
/// with relative-error guarantees"), which counts how many values there are in each of a fixed row of buckets.
///
/// Buckets are never joined. For that its authors bound how many there are, and lose the law by it: which buckets are
/// joined depends on what came first. Here the range of values is bounded instead. Magnitudes from 2^-30 (about
/// 9.3e-10) up to 2^50 (about 1.1e15) are told apart; smaller ones count as zero, larger ones as just below 2^50. That makes
/// 2,800 buckets of positive values, as many of negative ones, and one of zero.
///
/// It is linear: a value that is taken back is as if it had never been, and leaves nothing in the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quantiles(
    /// Buckets with how many values are in each, in order and never zero.
    Vec<(i16, i64)>,
);

impl Merge for Quantiles {
    const IDENTITY: Self = Self(Vec::new());

    fn merge(&mut self, other: &Self) {
        // A few buckets find their places sooner than all are copied.
        if other.0.len() <= self.0.len() / 8 {
            return other.0.iter().for_each(|(bucket, times)| self.add_to(*bucket, *times));
        }
        let mut merged = Vec::with_capacity(self.0.len() + other.0.len());
        let mut others = other.0.iter().copied().peekable();
        for (bucket, times) in std::mem::take(&mut self.0) {
            while let Some(before) = others.next_if(|(at, _)| *at < bucket) {
                merged.push(before);
            }
            let more = others.next_if(|(at, _)| *at == bucket).map_or(0, |(_, more)| more);
            let times = times.wrapping_add(more);
            if times != 0 {
                merged.push((bucket, times));
            }
        }
        merged.extend(others);
        merged.shrink_to_fit();
        self.0 = merged;
    }
}

impl Quantiles {
    /// Whether a value can be taken in: not if it is infinite or no number, which is for the caller to refuse.
    pub fn allowed(value: f64) -> bool {
        value.is_finite()
    }

    /// Takes in a value so many times, or takes it back if that is negative. A value that is not allowed changes nothing.
    pub fn add(&mut self, value: f64, times: i64) {
        if Self::allowed(value) {
            self.add_to(buckets::bucket(value), times);
        }
    }

    fn add_to(&mut self, bucket: i16, times: i64) {
        match self.0.binary_search_by_key(&bucket, |(at, _)| *at) {
            Ok(at) => {
                let sum = &mut self.0[at].1;
                // Wrapping keeps the law even where a sum leaves 64 bits; no real count comes near it.
                *sum = sum.wrapping_add(times);
                if *sum == 0 {
                    self.0.remove(at);
                }
            }
            Err(_) if times == 0 => {}
            Err(at) => {
                if self.0.len() == self.0.capacity() {
                    // Most have one value or two, and there are many of them: little room is made ahead.
                    self.0.reserve_exact(1 + self.0.len() / 4);
                }
                self.0.insert(at, (bucket, times));
            }
        }
    }

    /// How many values there are.
    pub fn count(&self) -> i64 {
        self.0.iter().fold(0, |sum, (_, times)| sum.wrapping_add(*times))
    }

    /// Whether there is no value, and none is owed.
    pub fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    /// The quantile by nearest rank: of n values in rising order the one at place ⌈q·n⌉, counted from 1; the first for a q
    /// of 0, the last for 1. It is told within [`VALUE_ERROR`] (within 2^-30 if it is below that) and is none if there are
    /// no values.
    ///
    /// `q` is read to the millionth, and then it is whole numbers: 0.07 of 100 values is the 7th, though 0.07 is a bit
    /// more than that as a float. Below 0 it is 0, above 1 it is 1. A bucket that owes values, because what was taken
    /// back from it is counted elsewhere, has none.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        const WHOLE: u32 = 1_000_000;
        let parts = (q.clamp(0.0, 1.0) * f64::from(WHOLE)).round() as u128;
        let held = || self.0.iter().map(|(bucket, times)| (*bucket, (*times).max(0) as u128));
        let count: u128 = held().map(|(_, times)| times).sum();
        let rank = (count * parts).div_ceil(WHOLE.into()).max(1);
        let mut through = 0;
        for (bucket, times) in held() {
            through += times;
            if through >= rank {
                return Some(buckets::middle(bucket));
            }
        }
        None
    }

    /// How many bytes it takes in memory beside itself.
    pub fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<(i16, i64)>()
    }

    /// Appends the number of buckets, then each: twice its count, plus one if buckets before it are left out; and if so
    /// how many, less one. Those before the first count from the lowest bucket that there is. In a dense row a bucket takes
    /// a byte up to a count of 31, and there is one way only to write a row down.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.0.len() as u64);
        let mut next = -buckets::LAST;
        for (bucket, times) in &self.0 {
            let left_out = bucket - next;
            put_signed(out, i128::from(*times) * 2 + i128::from(left_out > 0));
            if left_out > 0 {
                put_varint(out, left_out as u64 - 1);
            }
            next = bucket + 1;
        }
    }

    /// The inverse of [`Quantiles::encode`].
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let count = reader.count()?;
        if count > buckets::ALL {
            return Err(Malformed::Impossible("more buckets than there are"));
        }
        let mut found = Vec::with_capacity(count);
        let mut next = -buckets::LAST;
        for _ in 0..count {
            let times = reader.signed()?;
            let left_out = if times & 1 == 0 { 0 } else { reader.varint()?.saturating_add(1) };
            let times = match i64::try_from(times >> 1) {
                Ok(0) => return Err(Malformed::Impossible("a bucket without values")),
                Ok(times) => times,
                Err(_) => return Err(Malformed::Impossible("a count above 64 bits")),
            };
            let bucket = i16::try_from(left_out).ok().and_then(|left_out| next.checked_add(left_out));
            let bucket = bucket.filter(|bucket| *bucket <= buckets::LAST);
            let bucket = bucket.ok_or(Malformed::Impossible("a bucket above the last"))?;
            found.push((bucket, times));
            next = bucket + 1;
        }
        Ok(Self(found))
    }
}

#[cfg(test)]
mod tests;
