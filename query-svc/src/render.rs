//! Answers as text that scripts rely on: the one form of JSON and of CSV, over HTTP and on the command line.

mod csv;
mod json;

use model::{Currency, Money, Timestamp};
use proto::v1;
use proto::v1::number::Number;

pub use self::csv::csv;
pub use self::json::{json, update};

/// A sum of money as a decimal number, without its currency: `12.34`.
pub fn amount(money: &v1::Money) -> String {
    Money { currency: Currency::NONE, micros: money.micros }.amount()
}

/// An instant from the wire.
pub fn instant(at: Option<&prost_types::Timestamp>) -> Timestamp {
    at.map_or(Timestamp(0), |at| Timestamp(at.seconds * 1_000 + i64::from(at.nanos) / 1_000_000))
}

/// The names of the metrics, in the order of each row's numbers.
pub fn metrics(methods: &[v1::Method]) -> impl Iterator<Item = &str> + Clone {
    methods.iter().map(|method| method.metric.as_str())
}

fn number(row: &v1::Row, column: usize) -> Option<&Number> {
    row.numbers.get(column)?.number.as_ref()
}
