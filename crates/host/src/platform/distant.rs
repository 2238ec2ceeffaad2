//! The back ends of many machines: they may start later than this process, and go away and come back.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use eventlog::EventLog;
use eventlog::pulsar::{Broadcast, Heard, PulsarLog};
use model::Kind;
use store::Store;
use store::tikv::TikvStore;

use super::{FEED_DEPTH, Platform};
use crate::Feed;

/// The topic of the feed.
const FEED: &str = "feed";
/// Between the first two attempts; later ones are further apart.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Between two words about one attempt.
const LATER: Duration = Duration::from_secs(15);

/// The log in Pulsar, as soon as that answers.
pub(super) async fn log(settings: &eventlog::pulsar::Settings) -> anyhow::Result<Arc<dyn EventLog>> {
    let open = async || Ok(PulsarLog::open(settings).await?);
    Ok(Arc::new(patiently("Pulsar", &settings.url, open).await?))
}

/// The store in TiKV, as soon as that answers.
pub(super) async fn store(settings: &store::tikv::Settings) -> anyhow::Result<Arc<dyn Store>> {
    let open = async || Ok(TikvStore::open(settings).await?);
    Ok(Arc::new(patiently("TiKV", &settings.endpoints, open).await?))
}

/// The feed over a topic of Pulsar.
pub(super) async fn feed(settings: &eventlog::pulsar::Settings) -> anyhow::Result<Feed> {
    let open = async || Ok(Broadcast::open(settings, FEED).await?);
    let topic = Arc::new(patiently("Pulsar", &settings.url, open).await?);
    let (feed, others) = Feed::with_others(FEED_DEPTH);
    let (telling, to) = (Arc::clone(&others), Arc::clone(&topic));
    // Both for as long as the process: the last commits of a drain are told too.
    tokio::spawn(async move { telling.tell(|message| to.publish(message)).await });
    tokio::spawn(async move {
        loop {
            match topic.next().await {
                Heard::Hint(message) => others.hear(&message),
                Heard::Missed => others.missed(),
            }
        }
    });
    Ok(feed)
}

/// A platform over these, which other processes work on too.
pub(super) async fn platform(
    log: &Arc<dyn EventLog>,
    store: &Arc<dyn Store>,
    clock: &Clock,
    feed: &Feed,
) -> anyhow::Result<Platform> {
    let read = async || Platform::over(log.clone(), store.clone(), clock.clone(), feed.clone()).await;
    let mut platform = patiently("TiKV", "the store", read).await?;
    platform.shared = true;
    platform.catalog.share(store.clone());
    Ok(platform)
}

/// Tries until it is done, or until it cannot be done.
async fn patiently<T>(
    what: &str,
    place: &str,
    attempt: impl AsyncFn() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut pause = PAUSE;
    loop {
        match told(what, place, attempt()).await {
            Ok(done) if pause > PAUSE => {
                tracing::info!("{what} answers at {place}");
                return Ok(done);
            }
            Ok(done) => return Ok(done),
            Err(error) if passes(&error) => {
                tracing::warn!("waiting for {what} at {place}: {error:#}");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Says that it is waited for, if it takes long.
async fn told<T>(what: &str, place: &str, attempt: impl Future<Output = T>) -> T {
    let mut attempt = pin!(attempt);
    let mut waits = LONGEST_PAUSE;
    loop {
        match tokio::time::timeout(waits, &mut attempt).await {
            Ok(done) => return done,
            Err(_) => tracing::warn!("waiting for {what} at {place}: no answer yet"),
        }
        waits = LATER;
    }
}

/// Whether it may be otherwise in a moment.
fn passes(error: &anyhow::Error) -> bool {
    let kinds = error.chain().filter_map(|cause| {
        let log = cause.downcast_ref().map(eventlog::Error::kind);
        let store = || cause.downcast_ref().map(store::Error::kind);
        log.or_else(store).or_else(|| cause.downcast_ref().map(catalog::Error::kind))
    });
    kinds.into_iter().any(|kind| matches!(kind, Kind::Unavailable | Kind::Unknown))
}
