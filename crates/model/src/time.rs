use std::fmt;

use crate::limits;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The hour it is in.
    pub fn hour(self) -> Hour {
        Hour(self.0.div_euclid(Hour::MILLIS).clamp(0, i64::from(u32::MAX)) as u32)
    }

    /// Which quarter of its hour it is in, 0 to 3.
    pub fn quarter(self) -> usize {
        (self.0.rem_euclid(Hour::MILLIS) / Hour::QUARTER_MILLIS) as usize
    }

    /// Which minute of its hour it is in, 0 to 59.
    pub fn minute(self) -> u8 {
        (self.0.rem_euclid(Hour::MILLIS) / 60_000) as u8
    }

    /// This much later (or earlier, if negative).
    pub fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this.
    pub fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// A time of a client's clock on the server's: both were read at the moment of sending, so their difference is the
    /// error of the client's clock and how long the hit travelled. `received − (sent − original)`, as Segment's
    /// specification has it; below [`limits::SKEW_TOLERANCE_MS`] the difference is taken for the travel and left.
    pub fn corrected(self, sent_at: Self, received_at: Self) -> Self {
        if sent_at.0 == 0 {
            return self;
        }
        let skew = received_at.millis_since(sent_at);
        if skew.abs() < limits::SKEW_TOLERANCE_MS { self } else { self.plus_millis(skew) }
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with milliseconds only where there are some.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(t) => t.fmt(f),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

/// Whole hours since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(pub u32);

impl Hour {
    /// Milliseconds of an hour.
    pub const MILLIS: i64 = 3_600_000;
    /// Milliseconds of a quarter of an hour.
    pub const QUARTER_MILLIS: i64 = Self::MILLIS / 4;

    /// Its first instant.
    pub fn start(self) -> Timestamp {
        Timestamp(i64::from(self.0) * Self::MILLIS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_hour() {
        // 2015-05-17T10:47:03.5Z
        let t = Timestamp(1_431_859_623_500);
        assert_eq!(t.to_string(), "2015-05-17T10:47:03.5Z");
        assert_eq!((t.quarter(), t.minute()), (3, 47));
        assert_eq!(t.hour().start().to_string(), "2015-05-17T10:00:00Z");
    }

    #[test]
    fn a_wrong_clock_is_corrected_and_a_slow_network_is_not() {
        let received = Timestamp(10_000_000);
        let hit = Timestamp(1_000);
        assert_eq!(hit.corrected(Timestamp(9_970_000), received), hit, "30 s of network");
        assert_eq!(hit.corrected(Timestamp(6_400_000), received), Timestamp(3_601_000), "an hour behind");
        assert_eq!(hit.corrected(Timestamp(0), received), hit, "no sent_at");
    }
}
