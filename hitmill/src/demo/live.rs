//! What the table shows, as it changes: subscriptions over gRPC with the merchant's read key, as anybody can have them.

mod answer;

use std::time::{Duration, Instant};

use proto::v1;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::Status;

use super::marker;
use crate::client::Client;
pub(super) use answer::Answer;

/// As often as a server tells.
const INTERVAL_MS: u32 = 100;
/// Between attempts where a stream broke.
const AGAIN: Duration = Duration::from_secs(1);
/// Rows of the tables.
const TOP: u32 = 12;

/// The live answers. The streams end when this is dropped.
pub(super) struct Live {
    /// Visitors of the last minutes.
    pub(super) now: watch::Receiver<Answer>,
    /// Page views, purchases and revenue of today.
    pub(super) today: watch::Receiver<Answer>,
    /// The same of this hour.
    pub(super) hour: watch::Receiver<Answer>,
    /// Page views by minute.
    pub(super) minutes: watch::Receiver<Answer>,
    /// Page views and visitors by page, today.
    pub(super) pages: watch::Receiver<Answer>,
    /// Sessions by source, today.
    pub(super) sources: watch::Receiver<Answer>,
    /// How many markers there were today.
    pub(super) markers: watch::Receiver<Answer>,
    _streams: JoinSet<()>,
}

impl Live {
    /// Begins to watch.
    pub(super) fn start(client: &Client, merchant_id: u64) -> Self {
        use v1::Granularity as G;
        let mut streams = JoinSet::new();
        let mut watch = |metrics: &[&str], granularity: G, last_seconds, by: &str, filters| {
            let rows = if by.is_empty() { 0 } else { TOP };
            let query = v1::QueryRequest {
                merchant_id,
                metrics: metrics.iter().map(|&metric| metric.to_owned()).collect(),
                by: Some(by).filter(|by| !by.is_empty()).map(str::to_owned).into_iter().collect(),
                granularity: granularity.into(),
                last: Some(prost_types::Duration { seconds: last_seconds, nanos: 0 }),
                filters,
                limit: rows,
                ..Default::default()
            };
            let (sender, receiver) = watch::channel(Answer::default());
            streams.spawn(follow(client.clone(), query, sender));
            receiver
        };
        let only_markers = v1::Filter {
            dimension: "hit_name".to_owned(),
            operator: v1::filter::Operator::Is.into(),
            values: vec![marker::NAME.to_owned()],
        };
        // The last second is a bucket of its own: the day, or the hour, that now is in.
        Self {
            now: watch(&["visitors"], G::Total, 5 * 60, "", vec![]),
            today: watch(&["page_views", "purchases", "revenue"], G::Day, 1, "", vec![]),
            hour: watch(&["page_views", "purchases", "revenue"], G::Hour, 1, "", vec![]),
            minutes: watch(&["page_views"], G::Minute, 2 * 3_600, "", vec![]),
            pages: watch(&["page_views", "visitors"], G::Day, 1, "page", vec![]),
            sources: watch(&["sessions"], G::Day, 1, "source", vec![]),
            markers: watch(&["hits"], G::Day, 1, "", vec![only_markers]),
            _streams: streams,
        }
    }
}

async fn follow(client: Client, query: v1::QueryRequest, answer: watch::Sender<Answer>) {
    loop {
        let why = match stream(&client, &query, &answer).await {
            Ok(()) => "the stream ended".to_owned(),
            Err(status) => format!("{:#}", client.explain(&status)),
        };
        tracing::info!(why, by = ?query.by, "a live answer of the demo is interrupted");
        answer.send_modify(|answer| answer.interrupted = Some(why));
        tokio::time::sleep(AGAIN).await;
    }
}

async fn stream(
    client: &Client,
    query: &v1::QueryRequest,
    answer: &watch::Sender<Answer>,
) -> Result<(), Status> {
    let (live_id, number) = answer.borrow().seen();
    let request =
        v1::SubscribeRequest { query: Some(query.clone()), live_id, number, min_interval_ms: INTERVAL_MS };
    let mut messages = client.query().subscribe(request).await?.into_inner();
    while let Some(message) = messages.message().await? {
        let at = Instant::now();
        answer.send_modify(|answer| answer.apply(message, at));
    }
    Ok(())
}
