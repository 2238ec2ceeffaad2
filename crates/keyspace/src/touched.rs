//! Which hours of a day changed, and when: what lets a cache know that its copy of an hour is still right.
//!
//! ```text
//! key    0x11 │ merchant u64 │ generation u32 │ day u32 │ partition u16
//! value  version 1 │ 24 × varint: number of the merchant's last commit in this partition that changed a cell of the hour
//! ```

use std::ops::RangeInclusive;

use aggregate::codec::{Malformed, Reader, put_varint};
use bytes::Bytes;
use model::{Generation, Hour, MerchantId, Partition};

use crate::key::{KeyBuilder, part};

pub(crate) const FAMILY: u8 = 0x11;
const VERSION: u8 = 1;
const HOURS: u32 = 24;

/// Whole UTC days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub u32);

impl Day {
    /// The day that an hour is in.
    pub fn of(hour: Hour) -> Self {
        Self(hour.0 / HOURS)
    }

    /// Its hours.
    pub fn hours(self) -> std::ops::Range<Hour> {
        Hour(self.0 * HOURS)..Hour((self.0 + 1) * HOURS)
    }
}

/// The key of a day in a partition.
pub fn key(merchant: MerchantId, generation: Generation, day: Day, partition: Partition) -> Bytes {
    prefix(merchant, generation, day).u16(partition.0).build()
}

/// The keys of these days in all partitions, in order of the days.
pub fn range(
    merchant: MerchantId,
    generation: Generation,
    days: RangeInclusive<Day>,
) -> std::ops::Range<Bytes> {
    prefix(merchant, generation, *days.start()).build()..prefix(merchant, generation, *days.end()).end()
}

/// The day of a key.
pub fn day_of(key: &[u8]) -> Option<Day> {
    part(key, 13).map(|day| Day(u32::from_be_bytes(day)))
}

fn prefix(merchant: MerchantId, generation: Generation, day: Day) -> KeyBuilder {
    KeyBuilder::family(FAMILY).u64(merchant.0).u32(generation.0).u32(day.0)
}

/// Number of the last commit that changed each hour of a day; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touched(pub [u64; HOURS as usize]);

impl Touched {
    /// Notes that `commit` changed a cell of `hour`.
    pub fn touch(&mut self, hour: Hour, commit: u64) {
        self.0[(hour.0 % HOURS) as usize] = commit;
    }

    /// The last commit that changed `hour`.
    pub fn of(&self, hour: Hour) -> u64 {
        self.0[(hour.0 % HOURS) as usize]
    }

    /// The persisted value.
    pub fn encode(&self) -> Bytes {
        let mut out = vec![VERSION];
        self.0.iter().for_each(|commit| put_varint(&mut out, *commit));
        out.into()
    }

    /// The inverse of [`Touched::encode`].
    pub fn decode(value: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(value);
        match reader.byte()? {
            VERSION => {}
            found => {
                return Err(Malformed::Unknown { what: "version of a day's hours", found: found.into() });
            }
        }
        let mut touched = Self::default();
        for commit in &mut touched.0 {
            *commit = reader.varint()?;
        }
        reader.end()?;
        Ok(touched)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_range_has_its_days_and_no_others(m in 1u64.., g in 1u32.., p: u16, from in 0u32..6, to in 0u32..6, at in 0u32..6) {
            let days = range(MerchantId(m), Generation(g), Day(from)..=Day(to));
            let at_key = key(MerchantId(m), Generation(g), Day(at), Partition(p));
            prop_assert_eq!(days.contains(&at_key), (from..=to).contains(&at));
            prop_assert_eq!(day_of(&at_key), Some(Day(at)));
        }

        #[test]
        fn a_value_is_its_bytes(commits: [u64; 24]) {
            prop_assert_eq!(Touched::decode(&Touched(commits).encode()), Ok(Touched(commits)));
        }
    }

    #[test]
    fn hours_know_their_day() {
        // 2015-05-17 is day 16,572; its last hour is 397,751.
        assert_eq!(Day::of(Hour(397_751)), Day(16_572));
        assert_eq!(Day(16_572).hours(), Hour(397_728)..Hour(397_752));
    }
}
