//! What `query` and `watch` ask for, and what it takes to show the answer.

use clap::Args;
use clap::builder::PossibleValuesParser;
use model::{Currency, MerchantId};
use proto::v1;
use query_svc::text::Words;
use query_svc::{Ask, Zone};

use crate::client::Client;
use crate::failure::Usage;

const GRANULARITIES: [&str; 7] = ["total", "minute", "hour", "day", "week", "month", "year"];

/// Which numbers.
#[derive(Debug, Args)]
pub(super) struct Asked {
    /// Whose numbers.
    #[arg(long, value_name = "ID")]
    merchant: MerchantId,
    /// Which numbers, with commas between: page_views, visitors, sessions, bounce_rate, avg_session_duration, purchases,
    /// revenue, ... A wrong one is answered with all that there are; docs/semantics.md says what each means.
    #[arg(long, value_name = "NAMES", default_value = "page_views,visitors")]
    metrics: String,
    /// Broken down by up to three of: page, entry_page, source, medium, campaign, channel, country, browser, goal,
    /// item_id, ..., with commas between. A wrong one is answered with all that there are.
    #[arg(long, value_name = "DIMENSIONS", default_value = "", hide_default_value = true)]
    by: String,
    /// Width of the buckets. Minutes go back two days, and without --by.
    #[arg(long, value_parser = PossibleValuesParser::new(GRANULARITIES), default_value = "total")]
    granularity: String,
    /// Start of the range: 2015-05-17 (midnight of the time zone), 2015-05-17T10:00, 2015-05-17T10:00:00Z, today,
    /// yesterday, now, or -7d back from now.
    #[arg(
        long,
        value_name = "TIME",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    from: String,
    /// End of the range, which is not in it: as --from. Now, if not given.
    #[arg(
        long,
        value_name = "TIME",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    to: String,
    /// Instead of both, how far back from now: 90s, 5m, 24h, 7d, 2w. 24h, if no range is given.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "",
        hide_default_value = true,
        conflicts_with_all = ["from", "to"]
    )]
    last: String,
    /// Whose days, weeks and months, by IANA name. The merchant's, if not given.
    #[arg(long, value_name = "ZONE", default_value = "", hide_default_value = true)]
    time_zone: String,
    /// Only these values of a dimension: page=/a|/b, or != (none of), ~ (contains), !~, ^= (starts with), !^=. Can be
    /// given several times; all must hold.
    #[arg(long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Only rows for which a condition holds: 'page^=/blog and (country=DE or not browser~Bot)'. Signs are = != ~ !~ ^=
    /// !^= $= !$= ~~ (matches a regular expression) !~~; values with spaces are put in double quotes.
    #[arg(long = "where", value_name = "CONDITION", default_value = "", hide_default_value = true)]
    condition: String,
    /// Order within each bucket: a metric or the first dimension, with :asc or :desc. The first metric, largest first, if not
    /// given.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    order: String,
    /// At most this many rows in each bucket; 0 is all.
    #[arg(long, value_name = "N", default_value = "0")]
    limit: String,
}

/// A question that is ready to be sent, and what its answer is read with.
pub(super) struct Question {
    pub(super) request: v1::QueryRequest,
    pub(super) ask: Ask,
}

impl Asked {
    /// Makes the question, with what the merchant has set.
    pub(super) async fn question(self, client: &Client) -> anyhow::Result<Question> {
        let get = v1::GetMerchantRequest { merchant_id: self.merchant.0 };
        let found = client.config().get_merchant(get).await.map_err(|s| client.explain(&s))?.into_inner();
        let merchant = found.merchant.unwrap_or_default();
        let words = Words {
            metrics: self.metrics,
            by: self.by,
            granularity: self.granularity,
            from: self.from,
            to: self.to,
            last: self.last,
            time_zone: self.time_zone,
            filters: self.filter,
            order: self.order,
            limit: self.limit,
            condition: self.condition,
        };
        let usage = |error: model::Invalid| Usage(error.to_string());
        let now = clock::Clock::system().now();
        let request = words.request(self.merchant, &merchant.time_zone, now).map_err(usage)?;
        let currency = merchant.currency.parse().unwrap_or(Currency::NONE);
        let ask = Ask::read(&request, &merchant.time_zone, currency).map_err(usage)?;
        Ok(Question { request, ask })
    }
}

impl Question {
    /// The zone whose times are shown.
    pub(super) fn zone(&self) -> &Zone {
        &self.ask.zone
    }
}
