//! From cells to rows: sums over the parts of each bucket, in one pass over the hours in their order.

pub(crate) mod order;

use std::collections::HashMap;

use aggregate::{Counts, Merge, MoneySums, RELATIVE_ERROR, Row, Union};
use keyspace::cell::{self, Cell};
use model::{Count, CubeId, Hour, Metric, MoneyKind, Timestamp};
use proto::{v1, wire_time};

use self::order::sort;
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
    /// The bucket that is being filled.
    bucket: usize,
    sums: HashMap<Box<[u8]>, Sums>,
    /// Whether a number that came out is an estimate.
    estimated: bool,
}

/// Stored values of a dimension that are shown as something else.
pub type Names = HashMap<Box<[u8]>, Box<[u8]>>;

/// What one row is made of.
#[derive(Default)]
struct Sums {
    counts: Counts,
    money: MoneySums,
    visitors: Union,
}

impl Merger {
    /// A merger that has seen nothing yet.
    pub fn new(ask: Ask, plan: Plan, names: Names) -> Self {
        Self { ask, plan, names, bucket: 0, sums: HashMap::new(), estimated: false }
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
            let sketch = self.estimated && *metric == Metric::Visitors;
            let kind = if sketch { v1::method::Kind::Sketch } else { v1::method::Kind::Exact };
            v1::Method {
                metric: metric.to_string(),
                kind: kind.into(),
                relative_error: if sketch { RELATIVE_ERROR } else { 0.0 },
            }
        };
        self.ask.metrics.iter().map(method).collect()
    }

    fn take(&mut self, bucket: &std::ops::Range<Timestamp>, hour: Hour, cell: &Cell) {
        let inside = quarters(bucket, hour);
        let with_visitors = self.ask.metrics.contains(&Metric::Visitors);
        for (stored, row) in cell.rows() {
            let (dimensions, place) = self.plan.place;
            let stored = match cell::values(stored, dimensions) {
                Some(values) if dimensions > 1 => values[place],
                _ => stored,
            };
            let value = self.names.get(stored).map_or(stored, |name| &**name);
            let quarters = match self.plan.cube {
                // The minute says exactly whether the row is inside; its quarter adds nothing to that.
                CubeId::MINUTE if minute(hour, value).is_some_and(|at| bucket.contains(&at)) => {
                    aggregate::Quarters::ALL
                }
                CubeId::MINUTE => continue,
                _ if inside.bits() == 0 || !self.passes(value) => continue,
                _ => inside,
            };
            let value = if self.ask.by.is_some() { value } else { b"" };
            match self.sums.get_mut(value) {
                Some(sums) => sums.add(row, quarters, with_visitors),
                None => self.sums.entry(value.into()).or_default().add(row, quarters, with_visitors),
            }
        }
    }

    fn passes(&self, value: &[u8]) -> bool {
        let Some((_, filters)) = &self.ask.filters else { return true };
        let value = String::from_utf8_lossy(value);
        filters.iter().all(|filter| filter.passes(&value))
    }

    fn close(&mut self, start: Timestamp, rows: &mut Vec<v1::Row>) {
        self.bucket += 1;
        if self.ask.by.is_none() && self.sums.is_empty() {
            self.sums.insert(Box::default(), Sums::default());
        }
        let mut found = Vec::with_capacity(self.sums.len());
        for (value, sums) in self.sums.drain() {
            let visitors = sums.visitors.estimate();
            let numbers: Vec<_> =
                self.ask.metrics.iter().map(|metric| sums.number(*metric, visitors.count)).collect();
            if self.ask.by.is_some() && numbers.iter().all(is_zero) {
                continue;
            }
            let value = self.ask.by.map(|_| String::from_utf8_lossy(&value).into_owned());
            found.push((row(start, value, numbers), visitors.exact));
        }
        let Order { metric, ascending, currency } = self.ask.order;
        let column = metric.and_then(|metric| column(&self.ask.metrics, metric));
        sort(&mut found, column, ascending, currency, self.ask.limit);
        self.estimated |= found.iter().any(|(_, exact)| !exact);
        rows.extend(found.into_iter().map(|(row, _)| row));
    }
}

impl Sums {
    fn add(&mut self, row: &Row, quarters: aggregate::Quarters, with_visitors: bool) {
        for (_, slot) in row.slots().filter(|(quarter, _)| quarters.has(*quarter)) {
            self.counts.merge(&slot.counts);
            self.money.merge(&slot.money);
        }
        // A union is by far the largest part of the work: only where somebody wants to know.
        if with_visitors {
            self.visitors.add(&row.visitors, quarters);
        }
    }

    fn number(&self, metric: Metric, visitors: u64) -> v1::Number {
        // Counts are signed to be taken back; the sum of what happened is never below zero.
        let count = |count: Count| v1::number::Number::Count(self.counts.get(count).max(0) as u64);
        let money = |kind: MoneyKind| {
            let sums = self.money.of(kind).map(|(currency, micros)| v1::Money {
                currency: currency.to_string(),
                micros: micros.clamp(i64::MIN.into(), i64::MAX.into()) as i64,
            });
            v1::number::Number::Money(v1::MoneySums { sums: sums.collect() })
        };
        let number = match metric {
            Metric::Count(kind) => count(kind),
            Metric::Visitors => v1::number::Number::Count(visitors),
            Metric::Money(kind) => money(kind),
            _ => return v1::Number { number: None },
        };
        v1::Number { number: Some(number) }
    }
}

fn minute(hour: Hour, value: &[u8]) -> Option<Timestamp> {
    value.first().map(|minute| hour.start().plus_millis(i64::from(*minute) * 60_000))
}

fn row(start: Timestamp, value: Option<String>, numbers: Vec<v1::Number>) -> v1::Row {
    v1::Row { start: Some(wire_time(start)), dimensions: value.into_iter().collect(), numbers }
}

fn is_zero(number: &v1::Number) -> bool {
    match &number.number {
        Some(v1::number::Number::Count(n)) => *n == 0,
        Some(v1::number::Number::Money(money)) => money.sums.is_empty(),
        None => true,
    }
}
