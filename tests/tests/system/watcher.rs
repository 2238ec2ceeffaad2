//! A subscriber that goes on after every cut, as `hitmill watch` does, and notes how long it heard nothing.

use std::time::{Duration, Instant};

use proto::v1::{Granularity, QueryRequest, SubscribeRequest};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Code;

use super::held::{Held, apply, place};
use super::site::Site;

/// Before going on after a cut, as `hitmill watch` does.
const PAUSE: Duration = Duration::from_secs(1);
/// Hits come every few milliseconds; changes are sent this often.
const INTERVAL_MS: u32 = 100;
/// How long it may take until the answer has stopped changing.
const SETTLED: Duration = Duration::from_secs(60);

/// A subscription that is being followed.
pub(super) struct Watcher {
    task: JoinHandle<Watched>,
    stop: oneshot::Sender<()>,
    site: Site,
    query: QueryRequest,
}

/// What a subscriber went through.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// The longest time between two messages, and between the start and the first.
    pub(super) silence: Duration,
    /// Messages that came.
    pub(super) messages: u64,
    /// Cuts after which it went on, and why each came.
    pub(super) cuts: Vec<String>,
    held: Held,
}

impl Watcher {
    /// Watches a merchant's hits by campaign and hour.
    pub(super) fn start(site: &Site, merchant: u64) -> Self {
        let query = QueryRequest {
            merchant_id: merchant,
            metrics: ["hits", "visitors", "revenue"].map(str::to_owned).to_vec(),
            by: vec!["campaign".to_owned()],
            granularity: Granularity::Hour.into(),
            last: Some(prost_types::Duration { seconds: 6 * 3_600, nanos: 0 }),
            ..QueryRequest::default()
        };
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(follow(site.clone(), query.clone(), stopped));
        Self { task, stop, site: site.clone(), query }
    }

    /// Ends it. What it holds must be what a query answers, once hits have stopped coming.
    pub(super) async fn finish(self) -> Watched {
        let started = Instant::now();
        // The last change is sent within the interval.
        tokio::time::sleep(Duration::from_millis(u64::from(INTERVAL_MS) * 10)).await;
        let answer = self.site.query().await.query(self.query).await.unwrap().into_inner();
        let answered: Held = answer.rows.iter().map(|row| (place(row), row.clone())).collect();
        self.stop.send(()).unwrap();
        let watched = self.task.await.unwrap();
        assert!(started.elapsed() < SETTLED);
        assert_eq!(watched.held, answered, "what is held is not what is answered");
        watched
    }
}

async fn follow(site: Site, query: QueryRequest, mut stopped: oneshot::Receiver<()>) -> Watched {
    let mut watched = Watched::default();
    let mut heard = Instant::now();
    let mut request =
        SubscribeRequest { query: Some(query), min_interval_ms: INTERVAL_MS, ..Default::default() };
    loop {
        let cut = tokio::select! {
            cut = listen(&site, &mut request, &mut watched, &mut heard) => cut,
            _ = &mut stopped => return watched,
        };
        watched.cuts.push(cut);
        tokio::time::sleep(PAUSE).await;
    }
}

/// Listens until the stream is cut; gives why.
async fn listen(
    site: &Site,
    request: &mut SubscribeRequest,
    watched: &mut Watched,
    heard: &mut Instant,
) -> String {
    let mut messages = match site.query_later().subscribe(request.clone()).await {
        Ok(messages) => messages.into_inner(),
        Err(status) => return why(&status),
    };
    loop {
        match messages.message().await {
            Ok(Some(message)) => {
                watched.silence = watched.silence.max(heard.elapsed());
                *heard = Instant::now();
                watched.messages += 1;
                (request.live_id, request.number) = (message.live_id.clone(), message.number);
                apply(&mut watched.held, &message);
            }
            Ok(None) => return "the server ended the stream".to_owned(),
            Err(status) => return why(&status),
        }
    }
}

/// Only what a subscriber goes on after.
fn why(status: &tonic::Status) -> String {
    let mends = [Code::Unavailable, Code::Unknown, Code::Cancelled, Code::ResourceExhausted];
    assert!(mends.contains(&status.code()), "{status:?}");
    format!("{:?}: {}", status.code(), status.message())
}
