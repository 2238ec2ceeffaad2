//! The feed between processes: what happens here is told to the others a few times a second at most, and what they tell
//! is told here.

use std::time::Duration;

use bytes::Bytes;
use metrics::counter;
use parking_lot::Mutex;
use prost::Message as _;
use tokio::sync::{Notify, broadcast};

use super::FeedEvent;
use super::pending::{Message, Pending};

/// Between two messages of a process: a listener hears of the first change at once, and of those that follow within this.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a watermark waits for something more to tell: whoever watches looks at watermarks once a second only.
const WATERMARK: Duration = Duration::from_millis(500);

/// The way to other processes and from them.
#[derive(Debug)]
pub(crate) struct Others {
    events: broadcast::Sender<FeedEvent>,
    pending: Mutex<Pending>,
    changed: Notify,
    watermark: Notify,
}

impl Others {
    /// The ways of a process whose listeners have `events`.
    pub(super) fn new(events: broadcast::Sender<FeedEvent>) -> Self {
        Self { events, pending: Mutex::default(), changed: Notify::new(), watermark: Notify::new() }
    }

    /// The others are to hear of this.
    pub(super) fn add(&self, event: &FeedEvent) {
        match self.pending.lock().add(event) {
            true => self.changed.notify_one(),
            false => self.watermark.notify_one(),
        }
    }

    /// Tells the others, for ever.
    #[cfg_attr(not(any(feature = "cluster", test)), expect(dead_code, reason = "only there are others"))]
    pub(crate) async fn tell(&self, publish: impl Fn(Bytes)) {
        loop {
            tokio::select! {
                () = self.changed.notified() => {}
                () = async { self.watermark.notified().await; tokio::time::sleep(WATERMARK).await } => {}
            }
            let Some(message) = self.pending.lock().take() else { continue };
            publish(message);
            counter!("hitmill_feed_messages_total", "way" => "out").increment(1);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Takes in a message of another process.
    #[cfg_attr(not(any(feature = "cluster", test)), expect(dead_code, reason = "only there are others"))]
    pub(crate) fn hear(&self, message: &[u8]) {
        counter!("hitmill_feed_messages_total", "way" => "in").increment(1);
        // What nobody understands is of a later version: something has happened.
        self.pass_on(Message::decode(message).map_or(FeedEvent::Everything, Message::event));
    }

    /// Messages of others may have been missed.
    #[cfg_attr(not(any(feature = "cluster", test)), expect(dead_code, reason = "only there are others"))]
    pub(crate) fn missed(&self) {
        counter!("hitmill_feed_messages_total", "way" => "missed").increment(1);
        self.pass_on(FeedEvent::Everything);
    }

    fn pass_on(&self, event: FeedEvent) {
        // The only failure is that nobody listens.
        let _ = self.events.send(event);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{Generation, Hour, MerchantId};
    use tokio::sync::mpsc;

    use super::*;
    use crate::{Change, Feed};

    fn changed(merchant: u64) -> FeedEvent {
        let change =
            Change { merchant: MerchantId(merchant), generation: Generation(1), hours: vec![Hour(1)] };
        FeedEvent::Changed([change].into())
    }

    /// The feed of a process, whose messages come out of the receiver.
    fn process() -> (Feed, Arc<Others>, mpsc::UnboundedReceiver<Bytes>) {
        let (feed, others) = Feed::with_others(16);
        let (to, messages) = mpsc::unbounded_channel();
        let telling = Arc::clone(&others);
        tokio::spawn(async move { telling.tell(|message| to.send(message).unwrap()).await });
        (feed, others, messages)
    }

    #[tokio::test(start_paused = true)]
    async fn another_process_hears_at_once_what_happens_here() {
        let (one, _, mut messages) = process();
        let (two, of_two, mut unused) = process();
        let (mut here, mut there) = (one.listen(), two.listen());
        one.publish(changed(5));
        assert_eq!(here.recv().await.unwrap(), changed(5));
        of_two.hear(&messages.recv().await.unwrap());
        assert_eq!(there.recv().await.unwrap(), changed(5));
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(unused.try_recv().is_err(), "what is heard is not told on");
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_commits_in_a_second_are_about_ten_messages() {
        let (feed, _, mut messages) = process();
        for _ in 0..1_000 {
            feed.publish(changed(5));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let sent = std::iter::from_fn(|| messages.try_recv().ok()).count();
        assert!((9..=11).contains(&sent), "{sent}");
    }

    #[tokio::test(start_paused = true)]
    async fn watermarks_alone_are_two_messages_a_second() {
        let (feed, _, mut messages) = process();
        for _ in 0..1_000 {
            feed.publish(FeedEvent::Watermark);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let sent = std::iter::from_fn(|| messages.try_recv().ok()).count();
        assert!((15..=20).contains(&sent), "{sent} in 10 s");
    }

    #[tokio::test]
    async fn what_was_missed_or_is_not_understood_may_be_anything() {
        let (feed, others) = Feed::with_others(16);
        let mut here = feed.listen();
        others.hear(b"\xff");
        assert_eq!(here.recv().await.unwrap(), FeedEvent::Everything);
        others.missed();
        assert_eq!(here.recv().await.unwrap(), FeedEvent::Everything);
    }
}
