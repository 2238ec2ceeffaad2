//! What became of a merchant's hits, by the hour in which they were received.
//!
//! ```text
//! key    0x14 │ merchant u64 │ generation u32 │ hour u32 │ partition u16
//! value  version 2 │ fates: n, n × varint │ refusals: n, n × varint        in the order of the enums
//!                  │ filtered: n, n × (reason, varint)                     in the order of the reasons
//! ```

use std::collections::BTreeMap;
use std::ops::Range;

use aggregate::Merge;
use aggregate::codec::{Malformed, Reader, put_bytes, put_varint};
use bytes::Bytes;
use model::{Fate, Generation, Hour, MerchantId, Partition, Refusal};

use crate::key::{KeyBuilder, part};

pub(crate) const FAMILY: u8 = 0x14;
const VERSION: u8 = 2;

/// The key of an hour's fates in a partition.
pub fn key(merchant: MerchantId, generation: Generation, hour: Hour, partition: Partition) -> Bytes {
    prefix(merchant, generation).u32(hour.0).u16(partition.0).build()
}

/// The keys of all hours and partitions, in order of the hours.
pub fn range(merchant: MerchantId, generation: Generation) -> Range<Bytes> {
    prefix(merchant, generation).build()..prefix(merchant, generation).end()
}

/// The hour of a key.
pub fn hour_of(key: &[u8]) -> Option<Hour> {
    part(key, 13).map(|hour| Hour(u32::from_be_bytes(hour)))
}

fn prefix(merchant: MerchantId, generation: Generation) -> KeyBuilder {
    KeyBuilder::family(FAMILY).u64(merchant.0).u32(generation.0)
}

/// How many hits had each fate, and how many were refused, or filtered, for each reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fates {
    fates: [u64; Fate::ALL.len()],
    refusals: [u64; Refusal::ALL.len()],
    filtered: BTreeMap<Box<str>, u64>,
}

impl Merge for Fates {
    const IDENTITY: Self =
        Self { fates: [0; Fate::ALL.len()], refusals: [0; Refusal::ALL.len()], filtered: BTreeMap::new() };

    fn merge(&mut self, other: &Self) {
        self.fates.iter_mut().zip(other.fates).for_each(|(own, n)| *own += n);
        self.refusals.iter_mut().zip(other.refusals).for_each(|(own, n)| *own += n);
        for (reason, n) in &other.filtered {
            *self.filtered.entry(reason.clone()).or_insert(0) += n;
        }
    }
}

impl Fates {
    /// Counts accepted hits that ended this way.
    pub fn add(&mut self, fate: Fate, hits: u64) {
        self.fates[fate as usize] += hits;
    }

    /// Counts accepted hits that a rule keeps out of the cells.
    pub fn filter(&mut self, reason: &str, hits: u64) {
        self.add(Fate::Filtered, hits);
        match self.filtered.get_mut(reason) {
            Some(n) => *n += hits,
            None => {
                self.filtered.insert(reason.into(), hits);
            }
        }
    }

    /// Counts hits that were refused at admission.
    pub fn refuse(&mut self, reason: Refusal, hits: u64) {
        self.refusals[usize::from(reason.number()) - 1] += hits;
    }

    /// How many ended this way.
    pub fn of(&self, fate: Fate) -> u64 {
        self.fates[fate as usize]
    }

    /// How many were filtered for each reason, in the order of the reasons.
    pub fn filtered(&self) -> impl Iterator<Item = (&str, u64)> {
        self.filtered.iter().map(|(reason, n)| (&**reason, *n))
    }

    /// How many were refused for this reason.
    pub fn refused(&self, reason: Refusal) -> u64 {
        self.refusals[usize::from(reason.number()) - 1]
    }

    /// How many were accepted: the sum over all fates.
    pub fn accepted(&self) -> u64 {
        self.fates.iter().sum()
    }

    /// The persisted value.
    pub fn encode(&self) -> Bytes {
        let mut out = vec![VERSION];
        for counts in [&self.fates[..], &self.refusals[..]] {
            put_varint(&mut out, counts.len() as u64);
            counts.iter().for_each(|n| put_varint(&mut out, *n));
        }
        put_varint(&mut out, self.filtered.len() as u64);
        for (reason, n) in &self.filtered {
            put_bytes(&mut out, reason.as_bytes());
            put_varint(&mut out, *n);
        }
        out.into()
    }

    /// The inverse of [`Fates::encode`].
    pub fn decode(value: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(value);
        match reader.byte()? {
            VERSION => {}
            found => return Err(Malformed::Unknown { what: "version of fates", found: found.into() }),
        }
        let mut all = Self::default();
        for counts in [&mut all.fates[..], &mut all.refusals[..]] {
            let found = reader.count()?;
            // A value that was written before a reason was added has fewer; one with more is from a later version.
            if found > counts.len() {
                return Err(Malformed::Unknown { what: "a number of fates", found: found as u64 });
            }
            for n in &mut counts[..found] {
                *n = reader.varint()?;
            }
        }
        for _ in 0..reader.count()? {
            let reason = str::from_utf8(reader.bytes()?)
                .map_err(|_| Malformed::Impossible("a reason that is no text"))?;
            let n = reader.varint()?;
            *all.filtered.entry(reason.into()).or_insert(0) += n;
        }
        reader.end()?;
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fates_are_their_bytes_and_add_up() {
        let mut fates = Fates::default();
        fates.add(Fate::Counted, 70_000);
        fates.add(Fate::DeadLettered, 2);
        fates.refuse(Refusal::OverQuota, 9);
        fates.filter("bot", 3);
        let mut twice = Fates::decode(&fates.encode()).unwrap();
        assert_eq!(twice, fates);
        twice.merge(&fates);
        assert_eq!(
            (twice.accepted(), twice.of(Fate::DeadLettered), twice.refused(Refusal::OverQuota)),
            (140_010, 4, 18)
        );
        assert_eq!((twice.filtered().collect::<Vec<_>>(), twice.of(Fate::Filtered)), (vec![("bot", 6)], 6));
    }

    #[test]
    fn a_value_from_before_a_reason_was_added_still_reads() {
        let old = [VERSION, 4, 1, 0, 0, 0, 1, 5, 0];
        let fates = Fates::decode(&old).unwrap();
        assert_eq!((fates.of(Fate::Counted), fates.refused(Refusal::Malformed)), (1, 5));
    }
}
