//! The rules of one merchant, at every version.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use jiff::tz::TimeZone;
use model::{Hour, Timestamp};
use rules::Compiled;

use crate::tally::Layout;

/// The rules of a merchant, by the version of its configuration since which they hold.
#[derive(Clone, Debug, Default)]
pub struct Rulebook(Vec<(u64, Arc<Versioned>)>);

/// Rules, and what else of the configuration the fold depends on, as the fold uses it.
#[derive(Debug)]
pub struct Versioned {
    /// The rules.
    pub rules: Compiled,
    /// Where the values of each cube's rows are.
    pub layouts: Vec<Layout>,
    /// Whose days are meant where a number is kept by day.
    zone: TimeZone,
    /// The quarter of an hour that a day was asked for last, and its day: nearly all ask for the same.
    last: AtomicU64,
}

static NONE: LazyLock<Versioned> = LazyLock::new(|| Versioned::new(Compiled::default(), TimeZone::UTC));

impl Rulebook {
    /// The rules at these versions.
    pub fn new(mut versions: Vec<(u64, Arc<Versioned>)>) -> Self {
        versions.sort_by_key(|(version, _)| *version);
        Self(versions)
    }

    /// The rules that hold at a version of the merchant's configuration, and since which version they do.
    pub fn at(&self, version: u64) -> (u64, &Versioned) {
        let after = self.0.partition_point(|(since, _)| *since <= version);
        match after.checked_sub(1) {
            Some(at) => (self.0[at].0, &self.0[at].1),
            None => (0, &NONE),
        }
    }
}

impl Versioned {
    /// These rules, with the days of a zone.
    pub fn new(rules: Compiled, zone: TimeZone) -> Self {
        let layouts = rules.cubes.iter().map(Layout::of).collect();
        Self { rules, layouts, zone, last: AtomicU64::new(u64::MAX) }
    }

    /// The day that an instant is in, as 2026-11-27.
    pub fn day(&self, at: Timestamp) -> [u8; 10] {
        let quarter = at.0.div_euclid(Hour::QUARTER_MILLIS) as u32;
        // One number holds both, so that whoever reads it has a pair that belongs together.
        let last = self.last.load(Ordering::Relaxed);
        let date = if (last >> 32) as u32 == quarter {
            last as u32
        } else {
            let date = self.date(at);
            self.last.store(u64::from(quarter) << 32 | u64::from(date), Ordering::Relaxed);
            date
        };
        let (year, month, day) = (date >> 16, date >> 8 & 0xff, date & 0xff);
        let digit = |number: u32, place: u32| b'0' + (number / 10u32.pow(place) % 10) as u8;
        [
            digit(year, 3),
            digit(year, 2),
            digit(year, 1),
            digit(year, 0),
            b'-',
            digit(month, 1),
            digit(month, 0),
            b'-',
            digit(day, 1),
            digit(day, 0),
        ]
    }

    /// Year, month and day of an instant, in one number. Every offset is a multiple of a quarter of an hour.
    fn date(&self, at: Timestamp) -> u32 {
        let Ok(instant) = jiff::Timestamp::from_millisecond(at.0) else { return 0 };
        let date = self.zone.to_datetime(instant).date();
        (date.year().max(0) as u32) << 16 | (date.month() as u32) << 8 | date.day() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_zone() {
        let kathmandu = Versioned::new(Compiled::default(), TimeZone::get("Asia/Kathmandu").unwrap());
        // 18:15 UTC is midnight at +05:45.
        for (at, day) in [("2026-03-01T18:14:59Z", "2026-03-01"), ("2026-03-01T18:15:00Z", "2026-03-02")] {
            let at: jiff::Timestamp = at.parse().unwrap();
            for _ in 0..2 {
                assert_eq!(str::from_utf8(&kathmandu.day(Timestamp(at.as_millisecond()))), Ok(day));
            }
        }
        assert_eq!(&NONE.day(Timestamp(0)), b"1970-01-01");
    }

    #[test]
    fn the_rules_are_those_since_the_last_version_before() {
        let book = Rulebook::new(vec![(5, Arc::new(Versioned::new(Compiled::default(), TimeZone::UTC)))]);
        assert_eq!([0, 4, 5, 9].map(|version| book.at(version).0), [0, 0, 5, 5]);
    }
}
