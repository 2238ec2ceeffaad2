use std::fmt;
use std::str::FromStr;

use crate::Invalid;

/// What hits can be broken down by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// Path of the page, without query and fragment; or the screen's name.
    Page,
    /// The hit's name: `page_view`, `purchase`, ...
    HitName,
    /// Where the visitor came from: utm_source, or the referrer's host, or `(direct)`.
    Source,
    /// How: utm_medium, or `referral`, or `(none)`.
    Medium,
    /// utm_campaign.
    Campaign,
    /// Host of the referrer.
    ReferrerHost,
    /// ISO 3166 country code, when given.
    Country,
    /// desktop, mobile, appliance, bot or other.
    DeviceClass,
    /// Family of the browser.
    Browser,
    /// Family of the operating system.
    Os,
    /// Language tag as the client gives it.
    Language,
    /// The data stream that the hit came in by.
    DataStream,
}

impl Dimension {
    /// Every dimension, in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::Page,
        Self::HitName,
        Self::Source,
        Self::Medium,
        Self::Campaign,
        Self::ReferrerHost,
        Self::Country,
        Self::DeviceClass,
        Self::Browser,
        Self::Os,
        Self::Language,
        Self::DataStream,
    ];

    /// The name in queries and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::HitName => "hit_name",
            Self::Source => "source",
            Self::Medium => "medium",
            Self::Campaign => "campaign",
            Self::ReferrerHost => "referrer_host",
            Self::Country => "country",
            Self::DeviceClass => "device_class",
            Self::Browser => "browser",
            Self::Os => "os",
            Self::Language => "language",
            Self::DataStream => "data_stream",
        }
    }

    /// Its place in [`Dimension::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

impl FromStr for Dimension {
    type Err = Invalid;

    fn from_str(s: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|d| d.name() == s).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|d| d.name()).collect();
            Invalid::new("dimension", s, format!("one of {}", names.join(", ")))
        })
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of dimensions that is rolled up together. Its number is part of every cell's key and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cube {
    /// No dimension: one row, with the empty value.
    Total,
    /// One row for each minute of the hour, whose value is the minute as one byte. Kept for two days.
    Minute,
    /// One row for each value of one dimension.
    By(Dimension),
}

impl Cube {
    /// Every cube.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Total, Self::Minute].into_iter().chain(Dimension::ALL.into_iter().map(Self::By))
    }

    /// The persisted number: 0 for total, 1 for minutes, from 16 on for the dimensions.
    pub fn number(self) -> u16 {
        match self {
            Self::Total => 0,
            Self::Minute => 1,
            Self::By(dimension) => 16 + dimension.index() as u16,
        }
    }

    /// The inverse of [`Cube::number`].
    pub fn from_number(number: u16) -> Option<Self> {
        Self::all().find(|cube| cube.number() == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_their_own_inverse() {
        for cube in Cube::all() {
            assert_eq!(Cube::from_number(cube.number()), Some(cube));
        }
        for dimension in Dimension::ALL {
            assert_eq!(dimension.name().parse(), Ok(dimension));
            assert_eq!(Dimension::ALL[dimension.index()], dimension);
        }
        assert_eq!(Cube::By(Dimension::DataStream).number(), 27, "numbers are persisted");
    }
}
