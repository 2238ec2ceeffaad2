use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use model::{MerchantId, Timestamp};
use proto::v1::client_frame::Frame as FromClient;
use proto::v1::server_frame::Frame as FromServer;
use proto::v1::{ClientFrame, Lane, QueryRequest, Setup};
use tokio_stream::StreamExt;

use crate::client::Client;

/// A server that does not greet within this time does not answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often to ask whether the numbers are there.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// What the server said of itself.
pub(super) struct Greeting {
    /// The identity of its data.
    pub(super) instance_id: String,
    server_time: Timestamp,
    heard: Instant,
}

impl Greeting {
    /// Opens a stream to hear whether the server would take history of this merchant, before anything is read.
    pub(super) async fn hear(
        client: &Client,
        merchant: MerchantId,
        data_stream_id: u32,
    ) -> anyhow::Result<Self> {
        let setup =
            Setup { merchant_id: merchant.0, data_stream_id, lane: Lane::History.into(), ..Setup::default() };
        let setup = ClientFrame { frame: Some(FromClient::Setup(setup)) };
        // Open for as long as it is wanted: a stream that ends after its Setup may not be worth an answer.
        let frames = tokio_stream::once(setup).chain(tokio_stream::pending());
        let mut ingest = client.ingest();
        let answer = async {
            let mut answers = ingest.stream(frames).await?.into_inner();
            answers.message().await
        };
        let answer = tokio::time::timeout(PATIENCE, answer).await.context("the server does not answer")?;
        match answer.map_err(|status| client.explain(&status))?.and_then(|answer| answer.frame) {
            Some(FromServer::Ready(ready)) => Ok(Self {
                instance_id: ready.instance_id,
                server_time: Timestamp(ready.server_time_ms),
                heard: Instant::now(),
            }),
            other => bail!("the server answered with {other:?} where Ready is due"),
        }
    }

    /// Returns when queries give everything that is acknowledged now.
    pub(super) async fn wait_for_numbers(&self, client: &Client, merchant: MerchantId) -> anyhow::Result<()> {
        // By the server's clock; ours may be wrong.
        let elapsed = i64::try_from(self.heard.elapsed().as_millis()).unwrap_or(i64::MAX);
        let now = self.server_time.plus_millis(elapsed);
        let request = QueryRequest {
            merchant_id: merchant.0,
            metrics: vec!["hits".to_owned()],
            last: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
            ..QueryRequest::default()
        };
        let mut query = client.query();
        loop {
            let answer =
                query.query(request.clone()).await.map_err(|status| client.explain(&status))?.into_inner();
            let complete = answer.finality.and_then(|finality| finality.complete_until).unwrap_or_default();
            if complete.seconds * 1_000 + i64::from(complete.nanos / 1_000_000) > now.0 {
                return Ok(());
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }
}
