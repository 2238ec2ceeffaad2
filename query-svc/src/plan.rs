//! From a checked query and the time now to what has to be read: which cubes, which hours, which parts of them make
//! up which bucket. All borders are on quarters of UTC hours, because every zone's offset is (since 1972) a multiple
//! of 15 minutes, and cells keep quarters apart; ranges that need finer borders are read from the minutes of the last
//! two days.

mod calendar;
mod reports;

use std::ops::Range;

use aggregate::Quarters;
use model::{CubeId, Dimension, Hour, Invalid, Timestamp};
use smallvec::SmallVec;

use crate::ask::{Ask, Granularity, Span};

/// Buckets of one query.
pub const MAX_BUCKETS: usize = 100_000;
/// How far back minutes go.
pub const MINUTES_KEPT_MS: i64 = 48 * Hour::MILLIS;

const MINUTE: i64 = 60_000;
/// Years that a range can be in: hours are numbered from 1970.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=2199;

/// What to read, and into which buckets it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Which cells.
    pub cube: CubeId,
    /// The dimensions of their rows.
    pub dimensions: SmallVec<[Dimension; 3]>,
    /// When the same query has another plan: as soon as this is now. Never, if the range is fixed.
    pub valid_until: Option<Timestamp>,
    /// The start of each bucket, then the end of the last one.
    borders: Vec<Timestamp>,
}

impl Plan {
    /// The plan of a query at this time.
    pub fn new(ask: &Ask, now: Timestamp) -> Result<Self, Invalid> {
        let from = match ask.span {
            Span::Between(from, _) | Span::Since(from) => from,
            Span::Last(millis) => now.plus_millis(-millis),
        };
        let to = match ask.span {
            Span::Between(_, to) => Some(to),
            Span::Since(_) | Span::Last(_) => None,
        };
        in_years(ask, "from", from)?;
        in_years(ask, "to", to.unwrap_or(now))?;
        if from >= to.unwrap_or(now).plus_millis(1) {
            return Err(Invalid::new(
                "from",
                from.to_string(),
                format!("an instant up to now, which is {now}"),
            ));
        }
        let (cube, dimensions) = cube_of(ask, from, to, now)?;
        let grid = Grid { ask, cube };
        let borders = grid.borders(from, to, now)?;
        Ok(Self { cube, dimensions, valid_until: grid.valid_until(&borders, now), borders })
    }

    /// How many buckets there are.
    pub fn buckets(&self) -> usize {
        self.borders.len().saturating_sub(1)
    }

    /// Start and end of a bucket.
    pub fn bucket(&self, index: usize) -> Option<Range<Timestamp>> {
        Some(*self.borders.get(index)?..*self.borders.get(index + 1)?)
    }

    /// The hours whose cells are needed.
    pub fn hours(&self) -> Range<Hour> {
        match (self.borders.first(), self.borders.last()) {
            (Some(start), Some(end)) => start.hour()..Hour(end.plus_millis(-1).hour().0 + 1),
            _ => Hour(0)..Hour(0),
        }
    }
}

/// The quarters of an hour that lie in a bucket.
pub fn quarters(bucket: &Range<Timestamp>, hour: Hour) -> Quarters {
    let start = |quarter: i64| hour.start().plus_millis(quarter * Hour::QUARTER_MILLIS);
    let inside = (0..4).filter(|quarter| bucket.contains(&start(*quarter)));
    Quarters::from_bits(inside.fold(0, |bits, quarter| bits | 1 << quarter))
}

fn in_years(ask: &Ask, what: &'static str, at: Timestamp) -> Result<(), Invalid> {
    let year = calendar::date(ask.zone.rules(), at).map(|date| date.year());
    if year.is_some_and(|year| YEARS.contains(&year)) {
        return Ok(());
    }
    let allowed = format!("an instant in the years {} to {}", YEARS.start(), YEARS.end());
    Err(Invalid::new(what, at.to_string(), allowed))
}

fn cube_of(
    ask: &Ask,
    from: Timestamp,
    to: Option<Timestamp>,
    now: Timestamp,
) -> Result<(CubeId, SmallVec<[Dimension; 3]>), Invalid> {
    if ask.dimensions().is_empty() {
        let cube = total_or_minute(ask, from, to, now)?;
        reports::check_metrics(ask, &rules::cube::built_in()[usize::from(cube.0)])?;
        return Ok((cube, SmallVec::new()));
    }
    let report = reports::find(ask, rules::cube::built_in())?;
    Ok((report.id, report.dimensions.clone()))
}

fn total_or_minute(
    ask: &Ask,
    from: Timestamp,
    to: Option<Timestamp>,
    now: Timestamp,
) -> Result<CubeId, Invalid> {
    let kept = match ask.span {
        // By its length: what moves with the time must not be read in another way every other moment.
        Span::Last(millis) => millis <= MINUTES_KEPT_MS,
        // In whole minutes, as borders are.
        _ => down(from, MINUTE) >= down(now.plus_millis(-MINUTES_KEPT_MS), MINUTE),
    };
    let on_quarter = |at| down(at, Hour::QUARTER_MILLIS) == at;
    match ask.granularity {
        Granularity::Minute if kept => Ok(CubeId::MINUTE),
        Granularity::Minute => {
            Err(Invalid::new("from", from.to_string(), "an instant of the last two days, for minutes"))
        }
        // In quarters, what moves with the time would be right only once in a quarter of an hour.
        Granularity::Total if kept && matches!(ask.span, Span::Last(_)) => Ok(CubeId::MINUTE),
        Granularity::Total if kept && !(on_quarter(from) && to.is_none_or(on_quarter)) => Ok(CubeId::MINUTE),
        _ => Ok(CubeId::TOTAL),
    }
}

/// Where borders can be.
struct Grid<'a> {
    ask: &'a Ask,
    cube: CubeId,
}

impl Grid<'_> {
    /// Width of what cells can tell apart.
    fn unit(&self) -> i64 {
        if self.cube == CubeId::MINUTE { MINUTE } else { Hour::QUARTER_MILLIS }
    }

    /// The last border at or before an instant.
    fn floor(&self, at: Timestamp) -> Option<Timestamp> {
        match self.ask.granularity {
            Granularity::Total | Granularity::Minute => Some(down(at, self.unit())),
            granularity => calendar::floor(granularity, self.ask.zone.rules(), at),
        }
    }

    /// The border after a border.
    fn next(&self, border: Timestamp) -> Option<Timestamp> {
        match self.ask.granularity {
            Granularity::Total | Granularity::Minute => Some(border.plus_millis(self.unit())),
            granularity => calendar::next(granularity, self.ask.zone.rules(), border),
        }
    }

    fn borders(
        &self,
        from: Timestamp,
        to: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<Timestamp>, Invalid> {
        // Without an end the bucket that now is in is the last one, even where now is its first instant.
        let end = to.unwrap_or(now.plus_millis(1));
        let outside = || Invalid::new("range", format!("{from} to {end}"), "a range that the calendar has");
        let start = self.floor(from).ok_or_else(outside)?;
        if self.ask.granularity == Granularity::Total {
            let last = down(end.plus_millis(self.unit() - 1), self.unit());
            return Ok(vec![start, last]);
        }
        let mut borders = vec![start];
        let mut last = start;
        while last < end {
            if borders.len() > MAX_BUCKETS {
                let given = format!("{from} to {end}");
                let allowed = format!("at most {MAX_BUCKETS} buckets: a shorter one, or wider buckets");
                return Err(Invalid::new("range", given, allowed));
            }
            last = self.next(last).ok_or_else(outside)?;
            borders.push(last);
        }
        Ok(borders)
    }

    fn valid_until(&self, borders: &[Timestamp], now: Timestamp) -> Option<Timestamp> {
        let start = *borders.first()?;
        let minutes_end = start.plus_millis(MINUTES_KEPT_MS + MINUTE);
        let too_old = (self.cube == CubeId::MINUTE).then_some(minutes_end);
        match self.ask.span {
            Span::Between(..) => too_old,
            Span::Since(_) => too_old.into_iter().chain(self.next(self.floor(now)?)).min(),
            Span::Last(millis) => {
                let leaves = self.next(start)?.plus_millis(millis);
                self.next(self.floor(now)?).into_iter().chain([leaves]).min()
            }
        }
    }
}

/// The last multiple of `width` at or before an instant.
fn down(at: Timestamp, width: i64) -> Timestamp {
    Timestamp(at.0 - at.0.rem_euclid(width))
}

#[cfg(test)]
mod tests;
