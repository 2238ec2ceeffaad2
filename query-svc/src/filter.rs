use model::{Dimension, Invalid};
use proto::v1;
use proto::v1::filter::Operator;

/// Values in one filter.
const MAX_VALUES: usize = 1_000;

/// Keeps rows by the value of one of their dimensions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Filter {
    compare: Compare,
    negated: bool,
    values: Vec<Box<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Compare {
    Is,
    Contains,
    StartsWith,
}

impl Filter {
    /// Checks a filter of a request; gives the dimension that it is about, too.
    pub fn read(filter: &v1::Filter) -> Result<(Dimension, Self), Invalid> {
        let operator = Operator::try_from(filter.operator).map_err(|_| {
            Invalid::new(
                "filter operator",
                filter.operator.to_string(),
                "a number of Filter.Operator, 0 to 6",
            )
        })?;
        let (compare, negated) = match operator {
            Operator::Unspecified | Operator::Is => (Compare::Is, false),
            Operator::IsNot => (Compare::Is, true),
            Operator::Contains => (Compare::Contains, false),
            Operator::ContainsNot => (Compare::Contains, true),
            Operator::StartsWith => (Compare::StartsWith, false),
            Operator::StartsWithNot => (Compare::StartsWith, true),
        };
        if filter.values.is_empty() || filter.values.len() > MAX_VALUES {
            let given = format!("{} with {} values", filter.dimension, filter.values.len());
            return Err(Invalid::new("filter", given, format!("1 to {MAX_VALUES} values")));
        }
        let values = filter.values.iter().map(|value| value.as_str().into()).collect();
        Ok((filter.dimension.parse()?, Self { compare, negated, values }))
    }

    /// Whether only rows of one value stay.
    pub fn is_one_value(&self) -> bool {
        self.compare == Compare::Is && !self.negated && self.values.len() == 1
    }

    /// Whether a row with this value stays.
    pub fn passes(&self, value: &str) -> bool {
        let any = self.values.iter().any(|wanted| match self.compare {
            Compare::Is => value == &**wanted,
            Compare::Contains => value.contains(&**wanted),
            Compare::StartsWith => value.starts_with(&**wanted),
        });
        any != self.negated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passing(operator: Operator, wanted: &[&str]) -> Vec<&'static str> {
        let filter = v1::Filter {
            dimension: "page".to_owned(),
            operator: operator.into(),
            values: wanted.iter().map(|v| (*v).to_owned()).collect(),
        };
        let (dimension, filter) = Filter::read(&filter).unwrap();
        assert_eq!(dimension, Dimension::Page);
        ["/a", "/ab", "/b", "/b/a", ""].into_iter().filter(|value| filter.passes(value)).collect()
    }

    #[test]
    fn each_operator_keeps_what_it_says() {
        assert_eq!(passing(Operator::Is, &["/a", "/b"]), ["/a", "/b"]);
        assert_eq!(passing(Operator::Unspecified, &[""]), [""]);
        assert_eq!(passing(Operator::IsNot, &["/a", "/b"]), ["/ab", "/b/a", ""]);
        assert_eq!(passing(Operator::Contains, &["a"]), ["/a", "/ab", "/b/a"]);
        assert_eq!(passing(Operator::ContainsNot, &["b", "/a"]), [""]);
        assert_eq!(passing(Operator::StartsWith, &["/b", "/ab"]), ["/ab", "/b", "/b/a"]);
        assert_eq!(passing(Operator::StartsWithNot, &["/a"]), ["/b", "/b/a", ""]);
    }

    #[test]
    fn a_filter_without_values_or_of_no_dimension_is_refused() {
        let filter = |dimension: &str, values: &[&str]| {
            let values = values.iter().map(|v| (*v).to_owned()).collect();
            Filter::read(&v1::Filter { dimension: dimension.to_owned(), operator: 1, values })
                .unwrap_err()
                .to_string()
        };
        assert_eq!(filter("page", &[]), "filter \"page with 0 values\" is not allowed: 1 to 1000 values");
        assert!(filter("colour", &["red"]).starts_with("dimension \"colour\" is not allowed: one of page, "));
    }
}
