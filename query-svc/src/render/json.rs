//! Fields come in a fixed order, metrics and dimensions in the order asked for: a map of serde_json would sort them.

use proto::v1;
use proto::v1::method::Kind;
use proto::v1::number::Number;
use serde::Serialize;
use serde::ser::{SerializeMap, SerializeStruct, Serializer};

use super::{amount, instant, metrics, number};
use crate::Zone;

/// An answer as JSON on one line: `{"rows":[{"start":…,"dimensions":{…},"metrics":{…}}],"complete_until":…,…}`. Starts have
/// the offset of the zone; money is an object of decimal texts by currency.
pub fn json(answer: &v1::QueryResponse, zone: &Zone) -> serde_json::Result<String> {
    let rows = Table { rows: &answer.rows, by: &answer.by, methods: &answer.methods, zone };
    serde_json::to_string(&Answer { rows, finality: Finality::from(answer.finality) })
}

/// A message of a subscription as JSON on one line: an answer's, with what a subscription knows before it.
pub fn update(message: &v1::SubscribeResponse, zone: &Zone) -> serde_json::Result<String> {
    let table = |rows| Table { rows, by: &message.by, methods: &message.methods, zone };
    serde_json::to_string(&Update {
        live_id: &message.live_id,
        number: message.number,
        snapshot: message.snapshot,
        removed: table(&message.removed).without_numbers(),
        answer: Answer { rows: table(&message.rows), finality: Finality::from(message.finality) },
    })
}

#[derive(Serialize)]
struct Update<'a> {
    live_id: &'a str,
    number: u64,
    snapshot: bool,
    removed: Vec<Gone<'a>>,
    #[serde(flatten)]
    answer: Answer<'a>,
}

struct Answer<'a> {
    rows: Table<'a>,
    finality: Finality,
}

struct Finality {
    complete_until: String,
    wire: v1::Finality,
}

impl From<Option<v1::Finality>> for Finality {
    fn from(wire: Option<v1::Finality>) -> Self {
        let wire = wire.unwrap_or_default();
        Self { complete_until: instant(wire.complete_until.as_ref()).to_string(), wire }
    }
}

impl Serialize for Answer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Answer", 6)?;
        out.serialize_field("rows", &self.rows)?;
        out.serialize_field("complete_until", &self.finality.complete_until)?;
        out.serialize_field("generation", &self.finality.wire.generation)?;
        out.serialize_field("rules_version", &self.finality.wire.rules_version)?;
        out.serialize_field("revision", &self.finality.wire.revision)?;
        out.serialize_field("methods", &Methods(self.rows.methods))?;
        out.end()
    }
}

/// Rows with what it takes to name their parts.
#[derive(Clone, Copy)]
struct Table<'a> {
    rows: &'a [v1::Row],
    by: &'a [String],
    methods: &'a [v1::Method],
    zone: &'a Zone,
}

impl<'a> Table<'a> {
    fn without_numbers(self) -> Vec<Gone<'a>> {
        self.rows.iter().map(|row| Gone { of: self, row }).collect()
    }

    fn start(&self, row: &v1::Row) -> String {
        self.zone.rfc_3339(instant(row.start.as_ref()))
    }
}

impl Serialize for Table<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.iter().map(|row| Row { of: self, row }))
    }
}

struct Row<'a> {
    of: &'a Table<'a>,
    row: &'a v1::Row,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Row", 3)?;
        out.serialize_field("start", &self.of.start(self.row))?;
        out.serialize_field("dimensions", &Map(self.of.by.iter().zip(&self.row.dimensions)))?;
        let numbers = metrics(self.of.methods).enumerate();
        let numbers = numbers.map(|(column, name)| (name, number(self.row, column).map(Value)));
        out.serialize_field("metrics", &Map(numbers))?;
        out.end()
    }
}

/// A row that is gone.
struct Gone<'a> {
    of: Table<'a>,
    row: &'a v1::Row,
}

impl Serialize for Gone<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Gone", 2)?;
        out.serialize_field("start", &self.of.start(self.row))?;
        out.serialize_field("dimensions", &Map(self.of.by.iter().zip(&self.row.dimensions)))?;
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
            Number::Ratio(ratio) => serializer.serialize_f64(*ratio),
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

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_message_is_an_answer_with_what_is_gone() {
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let row = |seconds, page: &str, hits: &[u64]| v1::Row {
            start: at(seconds),
            dimensions: vec![page.to_owned()],
            numbers: hits.iter().map(|n| v1::Number { number: Some(Number::Count(*n)) }).collect(),
        };
        let message = v1::SubscribeResponse {
            live_id: "a1".to_owned(),
            number: 9,
            snapshot: false,
            rows: vec![row(1_431_864_000, "/a", &[7])],
            removed: vec![row(1_431_860_400, "/b", &[])],
            finality: Some(v1::Finality {
                complete_until: at(1_431_864_001),
                generation: 1,
                rules_version: 2,
                revision: 3,
            }),
            methods: vec![v1::Method {
                metric: "visitors".to_owned(),
                kind: Kind::Sketch.into(),
                relative_error: 0.01625,
            }],
            by: vec!["page".to_owned()],
        };
        expect![[r#"{"live_id":"a1","number":9,"snapshot":false,"removed":[{"start":"2015-05-17T13:00:00+02:00","dimensions":{"page":"/b"}}],"rows":[{"start":"2015-05-17T14:00:00+02:00","dimensions":{"page":"/a"},"metrics":{"visitors":7}}],"complete_until":"2015-05-17T12:00:01Z","generation":1,"rules_version":2,"revision":3,"methods":{"visitors":{"kind":"sketch","relative_error":0.01625}}}"#]]
            .assert_eq(&update(&message, &Zone::named("Europe/Berlin").unwrap()).unwrap());
    }
}
