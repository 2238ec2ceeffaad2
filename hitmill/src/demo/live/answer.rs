use std::collections::BTreeMap;
use std::time::Instant;

use proto::v1;
use proto::v1::number::Number;

const CURRENCY: &str = "EUR";

/// An answer that messages of a subscription keep up to date.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    rows: BTreeMap<Id, Vec<v1::Number>>,
    live_id: String,
    number: u64,
    /// When the last message came.
    pub(crate) at: Option<Instant>,
    /// Why no messages come now.
    pub(crate) interrupted: Option<String>,
}

/// What identifies a row: its start in seconds and its dimensions.
type Id = (i64, Vec<String>);

impl Answer {
    /// Takes in a message.
    pub(crate) fn apply(&mut self, message: v1::SubscribeResponse, at: Instant) {
        if message.snapshot {
            self.rows.clear();
        }
        for row in &message.removed {
            self.rows.remove(&id(row));
        }
        self.rows.extend(message.rows.into_iter().map(|row| (id(&row), row.numbers)));
        (self.live_id, self.number) = (message.live_id, message.number);
        (self.at, self.interrupted) = (Some(at), None);
    }

    /// What was seen of it, to go on from.
    pub(crate) fn seen(&self) -> (String, u64) {
        (self.live_id.clone(), self.number)
    }

    /// A count of the latest bucket, where there is one row for each.
    pub(crate) fn count(&self, metric: usize) -> u64 {
        self.rows.values().next_back().map_or(0, |numbers| count(numbers, metric))
    }

    /// Money of the latest bucket, in millionths.
    pub(crate) fn micros(&self, metric: usize) -> i64 {
        match self.rows.values().next_back().and_then(|numbers| numbers.get(metric)?.number.as_ref()) {
            Some(Number::Money(money)) => {
                money.sums.iter().filter(|sum| sum.currency == CURRENCY).map(|sum| sum.micros).sum()
            }
            Some(Number::Count(_) | Number::Ratio(_)) | None => 0,
        }
    }

    /// The first metric of each bucket, in order of time.
    pub(crate) fn series(&self) -> Vec<u64> {
        self.rows.values().map(|numbers| count(numbers, 0)).collect()
    }

    /// The rows of the latest bucket, the largest first, as name and counts.
    pub(crate) fn ranking(&self) -> Vec<(String, Vec<u64>)> {
        // Around midnight the day before may still have its rows.
        let latest = self.rows.keys().next_back().map(|(start, _)| *start);
        let of_latest = self.rows.iter().filter(|((start, _), _)| Some(*start) == latest);
        let mut ranked: Vec<_> = of_latest
            .map(|((_, dimensions), numbers)| {
                let counts: Vec<u64> = (0..numbers.len()).map(|metric| count(numbers, metric)).collect();
                (dimensions.join(" "), counts)
            })
            .collect();
        // Stable: equal rows stay in the order of their names, as the server has them.
        ranked.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.first().copied()));
        ranked
    }
}

fn count(numbers: &[v1::Number], metric: usize) -> u64 {
    match numbers.get(metric).and_then(|number| number.number.as_ref()) {
        Some(Number::Count(count)) => *count,
        Some(Number::Money(_) | Number::Ratio(_)) | None => 0,
    }
}

fn id(row: &v1::Row) -> Id {
    (row.start.unwrap_or_default().seconds, row.dimensions.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(start: i64, name: &str, counts: &[u64]) -> v1::Row {
        let number = |count: &u64| v1::Number { number: Some(Number::Count(*count)) };
        v1::Row {
            start: Some(prost_types::Timestamp { seconds: start, nanos: 0 }),
            dimensions: vec![name.to_owned()],
            numbers: counts.iter().map(number).collect(),
        }
    }

    fn message(
        number: u64,
        snapshot: bool,
        rows: Vec<v1::Row>,
        removed: Vec<v1::Row>,
    ) -> v1::SubscribeResponse {
        v1::SubscribeResponse {
            live_id: "l".to_owned(),
            number,
            snapshot,
            rows,
            removed,
            ..Default::default()
        }
    }

    fn ranking(answer: &Answer) -> Vec<(String, Vec<u64>)> {
        answer.ranking()
    }

    #[test]
    fn messages_change_remove_and_replace_rows() {
        let (mut answer, now) = (Answer::default(), Instant::now());
        answer.interrupted = Some("no answer yet".to_owned());
        answer.apply(message(1, true, vec![row(0, "/a", &[5, 2]), row(0, "/b", &[3, 3])], vec![]), now);
        answer.apply(message(4, false, vec![row(0, "/b", &[9, 4])], vec![row(0, "/c", &[])]), now);
        assert_eq!(ranking(&answer), [("/b".into(), vec![9, 4]), ("/a".into(), vec![5, 2])]);
        assert_eq!((answer.seen(), &answer.interrupted), (("l".to_owned(), 4), &None));
        answer.apply(message(5, false, vec![], vec![row(0, "/b", &[])]), now);
        assert_eq!(ranking(&answer), [("/a".into(), vec![5, 2])]);
        answer.apply(message(6, true, vec![row(0, "/z", &[1, 1])], vec![]), now);
        assert_eq!(ranking(&answer), [("/z".into(), vec![1, 1])]);
    }

    #[test]
    fn only_the_latest_bucket_is_ranked_and_counted() {
        let mut answer = Answer::default();
        assert_eq!((answer.count(0), answer.micros(0), ranking(&answer)), (0, 0, vec![]));
        let rows = vec![row(86_400, "/b", &[2]), row(0, "/a", &[7]), row(86_400, "/c", &[2])];
        answer.apply(message(1, true, rows, vec![]), Instant::now());
        assert_eq!(ranking(&answer), [("/b".into(), vec![2]), ("/c".into(), vec![2])]);
        assert_eq!(answer.series(), [7, 2, 2]);
    }

    #[test]
    fn money_is_that_of_the_shops_currency() {
        let sum = |currency: &str, micros| v1::Money { currency: currency.to_owned(), micros };
        let sums = v1::MoneySums { sums: vec![sum("EUR", 12_340_000), sum("USD", 5)] };
        let numbers = vec![v1::Number { number: Some(Number::Money(sums)) }];
        let mut answer = Answer::default();
        let row = v1::Row { numbers, ..row(0, "", &[]) };
        answer.apply(message(1, true, vec![row], vec![]), Instant::now());
        assert_eq!((answer.micros(0), answer.count(0), answer.count(1)), (12_340_000, 0, 0));
    }
}
