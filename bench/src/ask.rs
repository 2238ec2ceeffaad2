use std::time::Duration;

use anyhow::Context;
use prost_types::Timestamp;
use proto::v1::query_service_client::QueryServiceClient;
use proto::v1::{Granularity, QueryRequest, QueryResponse, number};
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;

use crate::edge::connect;
use crate::workload::Counts;

/// Asks as an admin, on a connection of its own.
#[derive(Clone)]
pub(crate) struct Asker {
    client: QueryServiceClient<Channel>,
    key: MetadataValue<Ascii>,
}

/// The numbers that a tally can be compared with.
pub(crate) const COUNTED: [&str; 4] = ["hits", "page_views", "purchases", "revenue"];

impl Asker {
    /// Connects.
    pub(crate) async fn connect(server: &str, key: &str) -> anyhow::Result<Self> {
        let client = QueryServiceClient::new(connect(server).await?);
        Ok(Self { client, key: bearer(key)? })
    }

    /// Asks.
    pub(crate) async fn query(&mut self, query: QueryRequest) -> anyhow::Result<QueryResponse> {
        let mut request = Request::new(query);
        request.metadata_mut().insert("authorization", self.key.clone());
        let answer = self.client.query(request).await;
        Ok(answer.map_err(|status| anyhow::anyhow!("a query failed: {status}"))?.into_inner())
    }

    /// What is counted of a merchant between two times, and until when that is complete, all in milliseconds since 1970.
    pub(crate) async fn counts(
        &mut self,
        merchant_id: u64,
        (from_ms, to_ms): (i64, i64),
    ) -> anyhow::Result<(Counts, i64)> {
        let query = QueryRequest {
            merchant_id,
            metrics: COUNTED.map(str::to_owned).to_vec(),
            granularity: Granularity::Total.into(),
            from: Some(timestamp(from_ms)),
            to: Some(timestamp(to_ms)),
            ..QueryRequest::default()
        };
        let answer = self.query(query).await?;
        let complete =
            answer.finality.and_then(|f| f.complete_until).context("an answer without finality")?;
        Ok((summed(&answer), complete.seconds * 1_000 + i64::from(complete.nanos) / 1_000_000))
    }
}

fn summed(answer: &QueryResponse) -> Counts {
    let mut sum = Counts::default();
    for row in &answer.rows {
        let count = |index: usize| match row.numbers.get(index).and_then(|n| n.number.as_ref()) {
            Some(number::Number::Count(count)) => *count,
            _ => 0,
        };
        sum.hits += count(0);
        sum.page_views += count(1);
        sum.purchases += count(2);
        if let Some(number::Number::Money(money)) = row.numbers.get(3).and_then(|n| n.number.as_ref()) {
            sum.revenue_micros += money.sums.iter().map(|money| money.micros).sum::<i64>();
        }
    }
    sum
}

/// The metadata that shows a key.
pub(crate) fn bearer(key: &str) -> anyhow::Result<MetadataValue<Ascii>> {
    // The key itself is not repeated: it is secret, and errors are copied into tickets.
    format!("Bearer {key}")
        .parse()
        .context("the key has characters that no key has: visible ASCII is allowed")
}

fn timestamp(ms: i64) -> Timestamp {
    let nanos = Duration::from_millis(ms.rem_euclid(1_000) as u64).as_nanos();
    Timestamp { seconds: ms.div_euclid(1_000), nanos: nanos as i32 }
}
