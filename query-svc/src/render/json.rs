use proto::v1;
use proto::v1::method::Kind;
use proto::v1::number::Number;
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

use super::{amount, instant, metrics, number};
use crate::Zone;

/// An answer as JSON on one line: `{"rows":[{"start":…,"dimensions":{…},"metrics":{…}}],"complete_until":…,…}`.
/// Starts have the offset of the zone; money is an object of decimal texts by currency.
pub fn json(answer: &v1::QueryResponse, zone: &Zone) -> serde_json::Result<String> {
    serde_json::to_string(&Answer { answer, zone })
}

/// Fields come in this order, and metrics and dimensions in the order asked for: a map of serde_json would sort them.
struct Answer<'a> {
    answer: &'a v1::QueryResponse,
    zone: &'a Zone,
}

impl Serialize for Answer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let finality = self.answer.finality.unwrap_or_default();
        let complete_until = instant(finality.complete_until.as_ref()).to_string();
        let rows: Vec<_> = self.answer.rows.iter().map(|row| Row { of: self, row }).collect();
        let mut out = serializer.serialize_struct("Answer", 6)?;
        out.serialize_field("rows", &rows)?;
        out.serialize_field("complete_until", &complete_until)?;
        out.serialize_field("generation", &finality.generation)?;
        out.serialize_field("rules_version", &finality.rules_version)?;
        out.serialize_field("revision", &finality.revision)?;
        out.serialize_field("methods", &Methods(&self.answer.methods))?;
        out.end()
    }
}

struct Row<'a> {
    of: &'a Answer<'a>,
    row: &'a v1::Row,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Row", 3)?;
        out.serialize_field("start", &self.of.zone.rfc_3339(instant(self.row.start.as_ref())))?;
        out.serialize_field("dimensions", &Map(self.of.answer.by.iter().zip(&self.row.dimensions)))?;
        let numbers = metrics(self.of.answer).enumerate();
        let numbers = numbers.filter_map(|(column, name)| Some((name, Value(number(self.row, column)?))));
        out.serialize_field("metrics", &Map(numbers))?;
        out.end()
    }
}

struct Value<'a>(&'a Number);

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Number::Count(n) => serializer.serialize_u64(*n),
            Number::Money(money) => {
                serializer.collect_map(money.sums.iter().map(|sum| (&sum.currency, amount(sum))))
            }
        }
    }
}

struct Methods<'a>(&'a [v1::Method]);

impl Serialize for Methods<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_map(Some(self.0.len()))?;
        for method in self.0 {
            out.serialize_entry(&method.metric, &Method(method))?;
        }
        out.end()
    }
}

struct Method<'a>(&'a v1::Method);

impl Serialize for Method<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kind = if self.0.kind() == Kind::Sketch { "sketch" } else { "exact" };
        let mut out = serializer.serialize_struct("Method", 2)?;
        out.serialize_field("kind", kind)?;
        out.serialize_field("relative_error", &self.0.relative_error)?;
        out.end()
    }
}

/// A map in the order of its iterator.
struct Map<I>(I);

impl<K: Serialize, V: Serialize, I: Iterator<Item = (K, V)> + Clone> Serialize for Map<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.clone())
    }
}
