//! From cells to rows: sums over the parts of each bucket, in one pass over the hours in their order.

pub(crate) mod order;
mod sums;
mod values;

use std::collections::HashMap;

use aggregate::{RELATIVE_ERROR, VALUE_ERROR};
use keyspace::cell::Cell;
use model::{CubeId, Hour, Metric, Timestamp};
use proto::{v1, wire_time};

use self::order::sort;
use self::sums::Sums;
use self::values::Places;
use crate::Ask;
use crate::ask::Order;
use crate::picture::column;
use crate::plan::{Plan, quarters};

/// Makes the rows of one answer. Hours are added in rising order; a bucket's rows come out when its last hour is in.
///
/// Without `by` every bucket has a row, with zeros where nothing happened. With `by` there is a row for each value of
/// which at least one metric asked for is not zero.
pub struct Merger {
    ask: Ask,
    plan: Plan,
    names: Names,
    places: Places,
    /// The bucket that is being filled.
    bucket: usize,
    sums: HashMap<Box<[u8]>, Sums>,
    /// Whether a number that came out is an estimate.
    estimated: bool,
}

/// Stored values of a dimension that are shown as something else.
pub type Names = HashMap<Box<[u8]>, Box<[u8]>>;

impl Merger {
    /// A merger that has seen nothing yet.
    pub fn new(ask: Ask, plan: Plan, names: Names) -> Self {
        let places = Places::of(&ask, &plan);
        Self { ask, plan, names, places, bucket: 0, sums: HashMap::new(), estimated: false }
    }

    /// Takes in the cell of an hour, and appends the rows of the buckets that are complete now.
    pub fn add(&mut self, hour: Hour, cell: &Cell, rows: &mut Vec<v1::Row>) {
        let end = hour.start().plus_millis(Hour::MILLIS);
        while let Some(bucket) = self.plan.bucket(self.bucket) {
            if bucket.start >= end {
                return;
            }
            if bucket.end > hour.start() {
                self.take(&bucket, hour, cell);
            }
            if bucket.end > end {
                return;
            }
            self.close(bucket.start, rows);
        }
    }

    /// Appends the rows of the buckets that are left.
    pub fn finish(&mut self, rows: &mut Vec<v1::Row>) {
        while let Some(bucket) = self.plan.bucket(self.bucket) {
            self.close(bucket.start, rows);
        }
    }

    /// How each metric was counted in the rows that came out.
    pub fn methods(&self) -> Vec<v1::Method> {
        let method = |metric: &Metric| {
            let relative_error = match metric {
                Metric::Visitors if self.estimated => RELATIVE_ERROR,
                Metric::Percentile(..) => VALUE_ERROR,
                _ => 0.0,
            };
            let sketch = relative_error > 0.0;
            let kind = if sketch { v1::method::Kind::Sketch } else { v1::method::Kind::Exact };
            v1::Method { metric: metric.to_string(), kind: kind.into(), relative_error }
        };
        self.ask.metrics.iter().map(method).collect()
    }

    fn take(&mut self, bucket: &std::ops::Range<Timestamp>, hour: Hour, cell: &Cell) {
        let inside = quarters(bucket, hour);
        let with_visitors = self.ask.metrics.contains(&Metric::Visitors);
        let mut key = Vec::new();
        for (stored, row) in cell.rows() {
            let quarters = match self.plan.cube {
                // The minute says exactly whether the row is inside; its quarter adds nothing to that.
                CubeId::MINUTE if minute(hour, stored).is_some_and(|at| bucket.contains(&at)) => {
                    aggregate::Quarters::ALL
                }
                CubeId::MINUTE => continue,
                _ if inside.bits() == 0 => continue,
                _ => inside,
            };
            if !self.places.read(&self.ask, &self.names, stored, &mut key) {
                continue;
            }
            match self.sums.get_mut(&*key) {
                Some(sums) => sums.add(row, quarters, with_visitors),
                None => self.sums.entry(key.as_slice().into()).or_default().add(row, quarters, with_visitors),
            }
        }
    }

    fn close(&mut self, start: Timestamp, rows: &mut Vec<v1::Row>) {
        self.bucket += 1;
        if self.ask.by.is_empty() && self.sums.is_empty() {
            self.sums.insert(Box::default(), Sums::default());
        }
        let mut found = Vec::with_capacity(self.sums.len());
        for (value, sums) in self.sums.drain() {
            let visitors = sums.visitors.estimate();
            let numbers: Vec<_> =
                self.ask.metrics.iter().map(|metric| sums.number(*metric, visitors.count)).collect();
            if !self.ask.by.is_empty() && numbers.iter().all(is_zero) {
                continue;
            }
            let values = values::read(&value, self.ask.by.len());
            found.push((row(start, values, numbers), visitors.exact));
        }
        let Order { metric, ascending, currency } = self.ask.order;
        let column = metric.and_then(|metric| column(&self.ask.metrics, metric));
        sort(&mut found, column, ascending, currency, self.ask.limit);
        self.estimated |= found.iter().any(|(_, exact)| !exact);
        rows.extend(found.into_iter().map(|(row, _)| row));
    }
}

fn minute(hour: Hour, value: &[u8]) -> Option<Timestamp> {
    value.first().map(|minute| hour.start().plus_millis(i64::from(*minute) * 60_000))
}

fn row(start: Timestamp, dimensions: Vec<String>, numbers: Vec<v1::Number>) -> v1::Row {
    v1::Row { start: Some(wire_time(start)), dimensions, numbers }
}

fn is_zero(number: &v1::Number) -> bool {
    match &number.number {
        Some(v1::number::Number::Count(n)) => *n == 0,
        Some(v1::number::Number::Money(money)) => money.sums.is_empty(),
        Some(v1::number::Number::Ratio(ratio)) => *ratio == 0.0,
        None => true,
    }
}
