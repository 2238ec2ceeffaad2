//! A request that was checked: everything that decides the answer, beside the time and what is stored.

use model::{Currency, Dimension, Invalid, MerchantId, Metric, Timestamp};
use proto::v1;

use rules::Expr;
use rules::expr::Field;

use crate::{Filter, Zone};

/// Without a range, this much is read.
pub const DEFAULT_LAST_MS: i64 = 24 * 3_600_000;
/// Filters of one query.
const MAX_FILTERS: usize = 20;
/// Dimensions of one query.
const MAX_BY: usize = 3;

/// A checked query. Equal ones have equal answers, so they share one live answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ask {
    /// Whose numbers.
    pub merchant: MerchantId,
    /// At least one, each once.
    pub metrics: Vec<Metric>,
    /// Broken down by these.
    pub by: Vec<Dimension>,
    /// Width of the buckets.
    pub granularity: Granularity,
    /// Which time.
    pub span: Span,
    /// Whose days are meant.
    pub zone: Zone,
    /// Only rows that pass all of these, each with its dimension.
    pub filters: Vec<(Dimension, Filter)>,
    /// Only rows for which this holds.
    pub condition: Expr,
    /// Order of the rows in each bucket.
    pub order: Order,
    /// At most this many rows in each bucket.
    pub limit: usize,
}

/// Width of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Granularity {
    /// One for the whole range.
    Total,
    /// Minutes.
    Minute,
    /// Hours of the zone's clocks.
    Hour,
    /// Days of the zone.
    Day,
    /// Weeks from Monday.
    Week,
    /// Calendar months.
    Month,
    /// Calendar years.
    Year,
}

/// The range as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Span {
    /// From here to there.
    Between(Timestamp, Timestamp),
    /// From here to now.
    Since(Timestamp),
    /// This many milliseconds back from now.
    Last(i64),
}

/// What rows are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    /// The metric, or `None` for the value of the dimension.
    pub metric: Option<Metric>,
    /// Smallest first.
    pub ascending: bool,
    /// The currency by whose sums money is ordered: sums of different ones cannot be compared.
    pub currency: Currency,
}

impl Ask {
    /// Checks a request for a merchant with these defaults.
    pub fn read(request: &v1::QueryRequest, zone: &str, currency: Currency) -> Result<Self, Invalid> {
        let metrics = metrics(&request.metrics)?;
        let by = by(&request.by)?;
        let filters = filters(&request.filters)?;
        let condition = condition(&request.r#where)?;
        let granularity = granularity(request.granularity)?;
        let dimensions = dimensions(&by, &filters, &condition);
        if let Some(dimension) = dimensions.first().filter(|_| granularity == Granularity::Minute) {
            let given = format!("minute by {dimension}");
            return Err(Invalid::new(
                "granularity",
                given,
                "minutes without by and filters, or hours and wider",
            ));
        }
        let zone = if request.time_zone.is_empty() { zone } else { &request.time_zone };
        Ok(Self {
            merchant: MerchantId(request.merchant_id),
            order: order(request.order.as_ref(), &metrics, &by, currency)?,
            metrics,
            by,
            granularity,
            span: span(request)?,
            zone: Zone::named(zone)?,
            filters,
            condition,
            limit: if request.limit == 0 { usize::MAX } else { request.limit as usize },
        })
    }

    /// The dimensions that rows must have, each once: those asked by, then those of filters.
    pub fn dimensions(&self) -> Vec<Dimension> {
        dimensions(&self.by, &self.filters, &self.condition)
    }

    /// Whether only rows of one value of a dimension are asked for.
    pub fn pins(&self, dimension: &Dimension) -> bool {
        self.filters.iter().any(|(of, filter)| of == dimension && filter.is_one_value())
    }

    /// The names of the dimensions of each row.
    pub fn by_names(&self) -> Vec<String> {
        self.by.iter().map(ToString::to_string).collect()
    }
}

fn metrics(names: &[String]) -> Result<Vec<Metric>, Invalid> {
    let mut metrics = Vec::with_capacity(names.len());
    for name in names {
        let metric = name.parse()?;
        if metrics.contains(&metric) {
            return Err(Invalid::new("metrics", names.join(","), "each metric once"));
        }
        metrics.push(metric);
    }
    if metrics.is_empty() {
        let all: Vec<_> = Metric::all().map(|metric| metric.name()).collect();
        return Err(Invalid::new("metrics", "", format!("at least one of {}", all.join(", "))));
    }
    Ok(metrics)
}

fn by(names: &[String]) -> Result<Vec<Dimension>, Invalid> {
    if names.len() > MAX_BY {
        return Err(Invalid::new("by", names.join(","), format!("at most {MAX_BY} dimensions")));
    }
    let mut by = Vec::with_capacity(names.len());
    for name in names {
        let dimension = name.parse()?;
        if by.contains(&dimension) {
            return Err(Invalid::new("by", names.join(","), "each dimension once"));
        }
        by.push(dimension);
    }
    Ok(by)
}

fn filters(asked: &[v1::Filter]) -> Result<Vec<(Dimension, Filter)>, Invalid> {
    if asked.len() > MAX_FILTERS {
        return Err(Invalid::new(
            "number of filters",
            asked.len().to_string(),
            format!("at most {MAX_FILTERS}"),
        ));
    }
    asked.iter().map(Filter::read).collect()
}

fn condition(text: &str) -> Result<Expr, Invalid> {
    let expr: Expr = text.parse()?;
    let mut of_value = false;
    expr.fields(&mut |field| of_value |= field == Field::Value);
    if of_value {
        return Err(Invalid::new(
            "where",
            text,
            "comparisons of dimensions: rows do not know the values of single hits",
        ));
    }
    Ok(expr)
}

fn dimensions(by: &[Dimension], filters: &[(Dimension, Filter)], condition: &Expr) -> Vec<Dimension> {
    let mut all = by.to_vec();
    all.extend(filters.iter().map(|(dimension, _)| *dimension));
    condition.fields(&mut |field| {
        if let Field::Dimension(dimension) = field {
            all.push(dimension);
        }
    });
    let mut once = Vec::with_capacity(all.len());
    all.into_iter().for_each(|dimension| {
        if !once.contains(&dimension) {
            once.push(dimension);
        }
    });
    once
}

fn granularity(number: i32) -> Result<Granularity, Invalid> {
    use v1::Granularity as G;
    let granularity = G::try_from(number).map_err(|_| {
        Invalid::new("granularity", number.to_string(), "total, minute, hour, day, week, month or year")
    })?;
    Ok(match granularity {
        G::Unspecified | G::Total => Granularity::Total,
        G::Minute => Granularity::Minute,
        G::Hour => Granularity::Hour,
        G::Day => Granularity::Day,
        G::Week => Granularity::Week,
        G::Month => Granularity::Month,
        G::Year => Granularity::Year,
    })
}

fn span(request: &v1::QueryRequest) -> Result<Span, Invalid> {
    let from = request.from.as_ref().map(millis);
    let to = request.to.as_ref().map(millis);
    match (&request.last, from, to) {
        (Some(last), None, None) => {
            let millis = last.seconds.saturating_mul(1_000).saturating_add(i64::from(last.nanos) / 1_000_000);
            if millis <= 0 {
                let given = format!("{millis} ms");
                return Err(Invalid::new("last", given, "a duration of at least one millisecond"));
            }
            Ok(Span::Last(millis))
        }
        (Some(_), ..) => {
            Err(Invalid::new("range", "last together with from or to", "either last, or from and to"))
        }
        (None, Some(from), Some(to)) if to <= from => {
            Err(Invalid::new("to", to.to_string(), format!("an instant after from, which is {from}")))
        }
        (None, Some(from), Some(to)) => Ok(Span::Between(from, to)),
        (None, Some(from), None) => Ok(Span::Since(from)),
        (None, None, Some(to)) => Ok(Span::Between(to.plus_millis(-DEFAULT_LAST_MS), to)),
        (None, None, None) => Ok(Span::Last(DEFAULT_LAST_MS)),
    }
}

fn millis(at: &prost_types::Timestamp) -> Timestamp {
    Timestamp(at.seconds.saturating_mul(1_000).saturating_add(i64::from(at.nanos).div_euclid(1_000_000)))
}

fn order(
    order: Option<&v1::Order>,
    metrics: &[Metric],
    by: &[Dimension],
    currency: Currency,
) -> Result<Order, Invalid> {
    let Some(order) = order.filter(|order| !order.by.is_empty()) else {
        let ascending = order.is_some_and(|order| order.ascending);
        return Ok(Order { metric: metrics.first().copied(), ascending, currency });
    };
    let metric = metrics.iter().find(|metric| metric.name() == order.by).copied();
    // Rows are ordered by the dimensions in their order, so that only the first can be asked for.
    let first = by.first();
    if metric.is_none() && first.is_none_or(|dimension| dimension.name() != order.by) {
        let names = metrics.iter().map(|metric| metric.name()).chain(first.map(Dimension::name));
        let allowed = format!("one of {}", names.collect::<Vec<_>>().join(", "));
        return Err(Invalid::new("order", &order.by, allowed));
    }
    Ok(Order { metric, ascending: order.ascending, currency })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> v1::QueryRequest {
        v1::QueryRequest { merchant_id: 7, metrics: vec!["hits".to_owned()], ..Default::default() }
    }

    fn euro() -> Currency {
        "EUR".parse().unwrap()
    }

    fn ask(change: impl FnOnce(&mut v1::QueryRequest)) -> Ask {
        let mut request = request();
        change(&mut request);
        Ask::read(&request, "Europe/Berlin", euro()).unwrap()
    }

    fn refused(change: impl FnOnce(&mut v1::QueryRequest)) -> String {
        let mut request = request();
        change(&mut request);
        Ask::read(&request, "UTC", euro()).unwrap_err().to_string()
    }

    fn filter(dimension: &str) -> v1::Filter {
        v1::Filter { dimension: dimension.to_owned(), operator: 1, values: vec!["x".to_owned()] }
    }

    fn at(seconds: i64) -> Option<prost_types::Timestamp> {
        Some(prost_types::Timestamp { seconds, nanos: 0 })
    }

    #[test]
    fn what_is_not_set_has_its_default() {
        let plain = ask(|_| {});
        assert_eq!(plain.zone.name(), "Europe/Berlin");
        assert_eq!(plain.granularity, Granularity::Total);
        assert_eq!(plain.span, Span::Last(86_400_000));
        assert_eq!(
            plain.order,
            Order { metric: Some(Metric::Count(model::Count::Hits)), ascending: false, currency: euro() }
        );
        assert_eq!((plain.limit, plain.dimensions()), (usize::MAX, vec![]));
        assert_eq!(ask(|r| r.time_zone = "UTC".to_owned()).zone.name(), "UTC");
        assert_eq!(ask(|r| r.to = at(86_500)).span, Span::Between(Timestamp(100_000), Timestamp(86_500_000)));
        assert_eq!(ask(|r| r.from = at(5)).span, Span::Since(Timestamp(5_000)));
    }

    #[test]
    fn a_filter_without_by_says_which_dimension_is_read() {
        let filtered = ask(|r| r.filters = vec![filter("page"), filter("page")]);
        assert_eq!((&filtered.by[..], filtered.dimensions()), (&[][..], vec![Dimension::Page]));
        let filtered = ask(|r| {
            r.by = vec!["source".to_owned()];
            r.filters = vec![filter("medium")];
            r.r#where = "source!=x or campaign=y".to_owned();
        });
        let named = [Dimension::Source, Dimension::Medium, Dimension::Campaign];
        assert_eq!(filtered.dimensions(), named);
        assert!(filtered.pins(&Dimension::Medium) && !filtered.pins(&Dimension::Source));
    }

    #[test]
    fn what_is_not_allowed_is_named_with_what_is() {
        assert!(
            refused(|r| r.metrics.clear()).starts_with("metrics \"\" is not allowed: at least one of hits,")
        );
        assert_eq!(
            refused(|r| r.metrics.push("hits".to_owned())),
            "metrics \"hits,hits\" is not allowed: each metric once"
        );
        assert!(
            refused(|r| r.metrics.push("likes".to_owned())).starts_with("metric \"likes\" is not allowed")
        );
        assert_eq!(
            refused(|r| r.by = ["page", "os", "browser", "source"].map(str::to_owned).to_vec()),
            "by \"page,os,browser,source\" is not allowed: at most 3 dimensions"
        );
        assert_eq!(
            refused(|r| r.r#where = "value>=3".to_owned()),
            "where \"value>=3\" is not allowed: comparisons of dimensions: rows do not know the values of single hits"
        );
        assert_eq!(
            refused(|r| (r.granularity, r.by) = (2, vec!["page".to_owned()])),
            "granularity \"minute by page\" is not allowed: minutes without by and filters, or hours and wider"
        );
        assert!(refused(|r| r.granularity = 99).starts_with("granularity \"99\" is not allowed"));
        assert_eq!(
            refused(|r| (r.from, r.to) = (at(60), at(60))),
            "to \"1970-01-01T00:01:00Z\" is not allowed: an instant after from, which is 1970-01-01T00:01:00Z"
        );
        assert_eq!(
            refused(|r| r.order = Some(v1::Order { by: "visitors".to_owned(), ascending: true })),
            "order \"visitors\" is not allowed: one of hits"
        );
        let last = Some(prost_types::Duration { seconds: 60, nanos: 0 });
        assert_eq!(
            refused(|r| (r.last, r.from) = (last, at(1))),
            "range \"last together with from or to\" is not allowed: either last, or from and to"
        );
    }
}
