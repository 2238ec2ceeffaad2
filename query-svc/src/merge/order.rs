use model::Currency;
use proto::v1;
use proto::v1::number::Number;

/// Orders the rows of a bucket by a column, or without one by the value of the dimension, and keeps the first `limit`.
/// Rows that are equal in it are ordered by the value, so that the order is always the same.
pub(crate) fn sort<T>(
    rows: &mut Vec<(v1::Row, T)>,
    column: Option<usize>,
    ascending: bool,
    currency: Currency,
    limit: usize,
) {
    let compare = |(a, _): &(v1::Row, T), (b, _): &(v1::Row, T)| {
        let values = a.dimensions.cmp(&b.dimensions);
        let by_column = match column {
            Some(column) => {
                let [a, b] = [a, b].map(|row| size(row, column, currency));
                match (a, b) {
                    // What has no value is the last one either way.
                    (Some(a), Some(b)) if ascending => a.cmp(&b),
                    (Some(a), Some(b)) => b.cmp(&a),
                    (a, b) => a.is_none().cmp(&b.is_none()),
                }
            }
            None if ascending => values,
            None => values.reverse(),
        };
        by_column.then(values)
    };
    // Most limits are a handful of thousands of rows: those that will be cut off need no order among themselves.
    if limit < rows.len() {
        if limit > 0 {
            rows.select_nth_unstable_by(limit - 1, compare);
        }
        rows.truncate(limit);
    }
    rows.sort_unstable_by(compare);
}

/// What a number is compared by: money by the sum in one currency, ratios by billionths.
fn size(row: &v1::Row, column: usize, currency: Currency) -> Option<i128> {
    Some(match row.numbers.get(column)?.number.as_ref()? {
        Number::Count(n) => i128::from(*n),
        Number::Money(money) => {
            let sums = money.sums.iter().filter(|sum| sum.currency == currency.as_str());
            sums.map(|sum| i128::from(sum.micros)).sum()
        }
        Number::Ratio(ratio) => (ratio * 1e9) as i128,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(sums: &[(&str, i64)]) -> Number {
        let sums = sums
            .iter()
            .map(|(currency, micros)| v1::Money { currency: (*currency).to_owned(), micros: *micros });
        Number::Money(v1::MoneySums { sums: sums.collect() })
    }

    fn sorted(column: Option<usize>, ascending: bool, limit: usize) -> Vec<String> {
        let row = |value: &str, count, sums: &[(&str, i64)]| v1::Row {
            start: None,
            dimensions: vec![value.to_owned()],
            numbers: [Number::Count(count), money(sums)].map(|n| v1::Number { number: Some(n) }).to_vec(),
        };
        let mut rows: Vec<_> = [
            row("b", 5, &[("EUR", 1), ("USD", 900)]),
            row("a", 5, &[("EUR", 7)]),
            row("d", 9, &[]),
            row("c", 1, &[("EUR", 3)]),
        ]
        .map(|row| (row, ()))
        .to_vec();
        sort(&mut rows, column, ascending, "EUR".parse().unwrap(), limit);
        rows.into_iter().flat_map(|(row, ())| row.dimensions).collect()
    }

    #[test]
    fn rows_are_ordered_and_equals_are_ordered_by_value() {
        assert_eq!(sorted(Some(0), false, usize::MAX), ["d", "a", "b", "c"]);
        assert_eq!(sorted(Some(0), true, usize::MAX), ["c", "a", "b", "d"]);
        assert_eq!(sorted(None, true, usize::MAX), ["a", "b", "c", "d"]);
        assert_eq!(sorted(None, false, 2), ["d", "c"]);
    }

    #[test]
    fn what_has_no_value_is_last_either_way() {
        for ascending in [true, false] {
            let row = |value: &str, number| v1::Row {
                start: None,
                dimensions: vec![value.to_owned()],
                numbers: vec![v1::Number { number }],
            };
            let ratio = |ratio| Some(Number::Ratio(ratio));
            let mut rows =
                vec![(row("none", None), ()), (row("a", ratio(0.5)), ()), (row("b", ratio(0.25)), ())];
            sort(&mut rows, Some(0), ascending, Currency::NONE, usize::MAX);
            let order: Vec<_> = rows.into_iter().flat_map(|(row, ())| row.dimensions).collect();
            assert_eq!(order, if ascending { ["b", "a", "none"] } else { ["a", "b", "none"] });
        }
    }

    #[test]
    fn money_is_ordered_by_the_main_currency_alone() {
        assert_eq!(sorted(Some(1), false, usize::MAX), ["a", "c", "b", "d"]);
    }

    #[test]
    fn a_limit_keeps_the_first_of_the_whole_order() {
        assert_eq!(sorted(Some(0), false, 2), ["d", "a"]);
        assert_eq!(sorted(Some(0), true, 3), ["c", "a", "b"]);
        assert_eq!(sorted(Some(0), true, 0), [""; 0]);
    }
}
