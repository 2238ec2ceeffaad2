//! What rows say.

use std::collections::BTreeSet;

use proto::v1::Row;
use proto::v1::number::Number as Kind;

/// Start and dimensions: what identifies a row.
pub(super) type Key = (i64, Vec<String>);
/// Dimensions and numbers of a row of the subscription.
pub(crate) type Content = (Vec<String>, u64, i64, u64);

/// A count of a row.
pub(crate) fn count(row: &Row, number: usize) -> u64 {
    match row.numbers.get(number).and_then(|number| number.number.as_ref()) {
        Some(Kind::Count(count)) => *count,
        _ => 0,
    }
}

/// Millionths of a euro of a row.
pub(crate) fn micros(row: &Row, number: usize) -> i64 {
    match row.numbers.get(number).and_then(|number| number.number.as_ref()) {
        Some(Kind::Money(sums)) => sums.sums.iter().map(|sum| sum.micros).sum(),
        _ => 0,
    }
}

/// What rows of the subscription say.
pub(crate) fn content(rows: &[Row]) -> BTreeSet<Content> {
    rows.iter().map(|row| (row.dimensions.clone(), count(row, 0), micros(row, 1), count(row, 2))).collect()
}

pub(super) fn key(row: &Row) -> Key {
    (row.start.as_ref().map_or(0, |start| start.seconds), row.dimensions.clone())
}
