use jiff::civil::{Date, Weekday};
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, ToSpan};
use model::{Hour, Timestamp};

use super::down;
use crate::ask::Granularity;

/// The zone's date at an instant.
pub(super) fn date(zone: &TimeZone, at: Timestamp) -> Option<Date> {
    Some(zone.to_datetime(instant(at)?).date())
}

/// Start of the bucket that an instant is in.
pub(super) fn floor(granularity: Granularity, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
    let mut border = match granularity {
        Granularity::Hour => floor(Granularity::Day, zone, at)?,
        _ => midnight(zone, first_day(granularity, date(zone, at)?)?)?,
    };
    loop {
        let after = next(granularity, zone, border)?;
        if after > at {
            return Some(border);
        }
        border = after;
    }
}

/// Start of the bucket after the one that starts at `border`.
pub(super) fn next(granularity: Granularity, zone: &TimeZone, border: Timestamp) -> Option<Timestamp> {
    if granularity == Granularity::Hour {
        return next_hour(zone, border);
    }
    let mut day = first_day(granularity, date(zone, border)?)?;
    loop {
        day = day.checked_add(width(granularity)).ok()?;
        let start = midnight(zone, day)?;
        // A day can be missing from a zone's calendar (2011-12-30 in Samoa): its midnight is the next day's.
        if start > border {
            return Some(start);
        }
    }
}

fn first_day(granularity: Granularity, date: Date) -> Option<Date> {
    match granularity {
        Granularity::Week => {
            let since_monday = i64::from(date.weekday().since(Weekday::Monday));
            date.checked_sub(since_monday.days()).ok()
        }
        Granularity::Month => Some(date.first_of_month()),
        Granularity::Year => Some(date.first_of_year()),
        _ => Some(date),
    }
}

fn width(granularity: Granularity) -> Span {
    match granularity {
        Granularity::Week => 1.week(),
        Granularity::Month => 1.month(),
        Granularity::Year => 1.year(),
        _ => 1.day(),
    }
}

/// The first instant of a day: later than midnight where clocks jump over it, the earlier one where there are two.
fn midnight(zone: &TimeZone, date: Date) -> Option<Timestamp> {
    let start = zone.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    Some(down(Timestamp(start.as_millisecond()), Hour::QUARTER_MILLIS))
}

/// The next full hour of the zone's clocks; or where they are changed, if that comes first: a change by half an hour
/// makes one hour half as long, and a repeated hour is two.
fn next_hour(zone: &TimeZone, border: Timestamp) -> Option<Timestamp> {
    let offset = offset_at(zone, border)?;
    let local = border.plus_millis(i64::from(offset.seconds()) * 1_000);
    let full =
        down(border.plus_millis(Hour::MILLIS - local.0.rem_euclid(Hour::MILLIS)), Hour::QUARTER_MILLIS);
    let full = if full > border { full } else { full.plus_millis(Hour::MILLIS) };
    let mut quarter = border.plus_millis(Hour::QUARTER_MILLIS);
    while quarter < full {
        if offset_at(zone, quarter)? != offset {
            return Some(quarter);
        }
        quarter = quarter.plus_millis(Hour::QUARTER_MILLIS);
    }
    Some(full)
}

fn offset_at(zone: &TimeZone, at: Timestamp) -> Option<Offset> {
    Some(zone.to_offset(instant(at)?))
}

fn instant(at: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(at.0).ok()
}
