//! Queries in the words of people: what HTTP's query string and the command line take.

mod filter;
mod time;

use model::{Invalid, MerchantId, Timestamp};
use proto::v1;

use crate::Zone;
pub use filter::read as filter;
pub use time::{duration, instant};

/// A query in words. An empty text is one that was not given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Names of metrics, with commas between them.
    pub metrics: String,
    /// Names of dimensions, with commas between them.
    pub by: String,
    /// `total`, `minute`, `hour`, `day`, `week`, `month` or `year`.
    pub granularity: String,
    /// Start of the range: see [`instant`].
    pub from: String,
    /// End of the range, exclusive: see [`instant`].
    pub to: String,
    /// Instead of both, how far back: see [`duration`].
    pub last: String,
    /// IANA name of a time zone.
    pub time_zone: String,
    /// Each as `page=/a|/b`: see [`filter`].
    pub filters: Vec<String>,
    /// A condition, as in `page^=/blog and (country=DE or country=AT)`.
    pub condition: String,
    /// A metric or the first dimension, and after a colon `asc` or `desc`: `page_views:asc`. Without it metrics begin with
    /// the largest, dimensions with the first.
    pub order: String,
    /// Rows in each bucket.
    pub limit: String,
}

impl Words {
    /// The request, at this time; days are those of `zone`, the merchant's, if the words name none.
    pub fn request(
        &self,
        merchant: MerchantId,
        zone: &str,
        now: Timestamp,
    ) -> Result<v1::QueryRequest, Invalid> {
        let named = if self.time_zone.is_empty() { zone } else { &self.time_zone };
        let zone = Zone::named(named)?;
        let instant = |what, text: &str| match text {
            "" => Ok(None),
            text => instant(what, text, &zone, now).map(|at| Some(proto::wire_time(at))),
        };
        let last = match &*self.last {
            "" => None,
            text => Some(duration("last", text)?),
        };
        Ok(v1::QueryRequest {
            merchant_id: merchant.0,
            metrics: list(&self.metrics),
            by: list(&self.by),
            granularity: granularity(&self.granularity)?.into(),
            from: instant("from", &self.from)?,
            to: instant("to", &self.to)?,
            last: last.map(|millis| prost_types::Duration {
                seconds: millis / 1_000,
                nanos: (millis % 1_000 * 1_000_000) as i32,
            }),
            time_zone: zone.name().to_owned(),
            filters: self.filters.iter().map(|text| filter(text)).collect::<Result<_, _>>()?,
            order: order(&self.order)?,
            limit: limit(&self.limit)?,
            r#where: self.condition.clone(),
        })
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

fn granularity(text: &str) -> Result<v1::Granularity, Invalid> {
    use v1::Granularity as G;
    Ok(match text {
        "" | "total" => G::Total,
        "minute" => G::Minute,
        "hour" => G::Hour,
        "day" => G::Day,
        "week" => G::Week,
        "month" => G::Month,
        "year" => G::Year,
        _ => {
            let allowed = "total, minute, hour, day, week, month or year";
            return Err(Invalid::new("granularity", text, allowed));
        }
    })
}

fn order(text: &str) -> Result<Option<v1::Order>, Invalid> {
    let (by, ascending) = match text.split_once(':') {
        None if text.is_empty() => return Ok(None),
        None => (text, text.parse::<model::Dimension>().is_ok()),
        Some((by, "asc")) => (by, true),
        Some((by, "desc")) => (by, false),
        Some(_) => return Err(Invalid::new("order", text, "NAME, NAME:asc or NAME:desc")),
    };
    Ok(Some(v1::Order { by: by.to_owned(), ascending }))
}

fn limit(text: &str) -> Result<u32, Invalid> {
    match text {
        "" => Ok(0),
        text => text.parse().map_err(|_| Invalid::new("limit", text, "a whole number; 0 is all")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-05-17T12:34:20Z.
    const NOW: Timestamp = Timestamp(1_715_949_260_000);

    #[test]
    fn words_become_the_request_that_they_mean() {
        let words = Words {
            metrics: "page_views, visitors".to_owned(),
            by: "page".to_owned(),
            granularity: "day".to_owned(),
            from: "2024-05-01".to_owned(),
            to: "2024-05-02".to_owned(),
            time_zone: "europe/berlin".to_owned(),
            filters: vec!["page^=/shop".to_owned()],
            order: "page".to_owned(),
            limit: "10".to_owned(),
            condition: "page!=/shop/x".to_owned(),
            ..Words::default()
        };
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let expected = v1::QueryRequest {
            merchant_id: 7,
            metrics: vec!["page_views".to_owned(), "visitors".to_owned()],
            by: vec!["page".to_owned()],
            granularity: v1::Granularity::Day.into(),
            // Midnight in Berlin is 22:00 of the day before in UTC.
            from: at(1_714_514_400),
            to: at(1_714_600_800),
            last: None,
            time_zone: "Europe/Berlin".to_owned(),
            filters: vec![v1::Filter {
                dimension: "page".to_owned(),
                operator: v1::filter::Operator::StartsWith.into(),
                values: vec!["/shop".to_owned()],
            }],
            order: Some(v1::Order { by: "page".to_owned(), ascending: true }),
            limit: 10,
            r#where: "page!=/shop/x".to_owned(),
        };
        assert_eq!(words.request(MerchantId(7), "UTC", NOW).unwrap(), expected);
    }

    #[test]
    fn what_is_not_given_is_left_to_the_server_and_the_zone_is_the_merchants() {
        let words = Words { last: "90m".to_owned(), ..Words::default() };
        let expected = v1::QueryRequest {
            merchant_id: 7,
            granularity: v1::Granularity::Total.into(),
            last: Some(prost_types::Duration { seconds: 5_400, nanos: 0 }),
            time_zone: "Asia/Kathmandu".to_owned(),
            ..Default::default()
        };
        assert_eq!(words.request(MerchantId(7), "Asia/Kathmandu", NOW).unwrap(), expected);
    }

    #[test]
    fn words_that_mean_nothing_are_named() {
        let refused = |words: Words| words.request(MerchantId(7), "UTC", NOW).unwrap_err().to_string();
        assert_eq!(
            refused(Words { granularity: "fortnight".to_owned(), ..Words::default() }),
            "granularity \"fortnight\" is not allowed: total, minute, hour, day, week, month or year"
        );
        assert_eq!(
            refused(Words { order: "hits:up".to_owned(), ..Words::default() }),
            "order \"hits:up\" is not allowed: NAME, NAME:asc or NAME:desc"
        );
        assert_eq!(
            refused(Words { limit: "-1".to_owned(), ..Words::default() }),
            "limit \"-1\" is not allowed: a whole number; 0 is all"
        );
    }
}
