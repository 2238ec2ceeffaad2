//! The feed between processes: what happens here is told to the others a few times a second at most, and what they tell
//! is told here.

use std::fmt::Display;
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
/// After a message that was not taken.
const AWAY: Duration = Duration::from_secs(1);

/// The way to other processes and from them.
#[derive(Debug)]
pub(crate) struct Others {
    origin: u64,
    events: broadcast::Sender<FeedEvent>,
    pending: Mutex<Pending>,
    changed: Notify,
    watermark: Notify,
}

impl Others {
    /// The ways of the process `origin`.
    pub(super) fn new(origin: u64, events: broadcast::Sender<FeedEvent>) -> Self {
        Self { origin, events, pending: Mutex::default(), changed: Notify::new(), watermark: Notify::new() }
    }

    /// The others are to hear of this.
    pub(super) fn add(&self, event: &FeedEvent) {
        match self.pending.lock().add(event) {
            true => self.changed.notify_one(),
            false => self.watermark.notify_one(),
        }
    }

    /// Tells the others, for ever. What cannot be told is made up for: the next message says that anything may have
    /// changed.
    #[cfg_attr(not(any(feature = "cluster", test)), expect(dead_code, reason = "only there are others"))]
    pub(crate) async fn tell<F, E>(&self, publish: impl Fn(Bytes) -> F)
    where
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        let mut away = false;
        loop {
            tokio::select! {
                () = self.changed.notified() => {}
                () = async { self.watermark.notified().await; tokio::time::sleep(WATERMARK).await } => {}
            }
            let Some(message) = self.pending.lock().take(self.origin) else { continue };
            match publish(message.into()).await {
                Ok(()) => {
                    counter!("hitmill_feed_messages_total", "way" => "out").increment(1);
                    if std::mem::take(&mut away) {
                        tracing::info!("the feed takes messages again");
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => {
                    // Only the first of a row: the rest are the same.
                    if !std::mem::replace(&mut away, true) {
                        tracing::warn!(
                            "the feed takes no messages, other processes look by themselves: {error}"
                        );
                    }
                    self.add(&FeedEvent::Everything);
                    tokio::time::sleep(AWAY).await;
                }
            }
        }
    }

    /// Takes in a message of another process. One that nobody understands may be of a later version: it says that
    /// something has happened.
    #[cfg_attr(not(any(feature = "cluster", test)), expect(dead_code, reason = "only there are others"))]
    pub(crate) fn hear(&self, message: &[u8]) {
        counter!("hitmill_feed_messages_total", "way" => "in").increment(1);
        match Message::decode(message) {
            // Told here when it happened.
            Ok(message) if message.origin == self.origin => {}
            Ok(message) => self.pass_on(message.event()),
            Err(_) => self.missed(),
        }
    }

    /// Messages may have been missed.
    pub(crate) fn missed(&self) {
        self.pass_on(FeedEvent::Everything);
    }

    fn pass_on(&self, event: FeedEvent) {
        // The only failure is that nobody listens.
        let _ = self.events.send(event);
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use model::{Generation, Hour, MerchantId};
    use tokio::sync::mpsc;

    use super::*;
    use crate::{Change, Feed};

    fn changed(merchant: u64) -> FeedEvent {
        let change =
            Change { merchant: MerchantId(merchant), generation: Generation(1), hours: vec![Hour(1)] };
        FeedEvent::Changed([change].into())
    }

    /// A process whose messages come out of the receiver, unless it is cut off.
    fn process(origin: u64) -> (Feed, Arc<Others>, mpsc::UnboundedReceiver<Bytes>, Arc<AtomicBool>) {
        let (feed, others) = Feed::with_others(16, origin);
        let (to, messages) = mpsc::unbounded_channel();
        let cut = Arc::new(AtomicBool::new(false));
        let (telling, line) = (Arc::clone(&others), Arc::clone(&cut));
        tokio::spawn(async move {
            let publish = |message: Bytes| match line.load(Ordering::SeqCst) {
                true => ready(Err("cut off")),
                false => ready(to.send(message).map_err(|_| "nobody is there")),
            };
            telling.tell(publish).await;
        });
        (feed, others, messages, cut)
    }

    #[tokio::test(start_paused = true)]
    async fn others_hear_what_happens_here_and_this_process_hears_it_once() {
        let (one, of_one, mut messages, _) = process(1);
        let (two, of_two, _unused, _) = process(2);
        let (mut here, mut there) = (one.listen(), two.listen());
        one.publish(changed(5));
        assert_eq!(here.recv().await.unwrap(), changed(5));
        let message = messages.recv().await.unwrap();
        of_one.hear(&message);
        of_two.hear(&message);
        assert_eq!(there.recv().await.unwrap(), changed(5));
        assert!(here.try_recv().is_err(), "its own message tells it nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_commits_in_a_second_are_about_ten_messages() {
        let (feed, _others, mut messages, _) = process(1);
        for _ in 0..1_000 {
            feed.publish(changed(5));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let mut sent = 0;
        while messages.try_recv().is_ok() {
            sent += 1;
        }
        assert!((9..=11).contains(&sent), "{sent}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_taken_is_made_up_for() {
        let (feed, _others, mut messages, cut) = process(1);
        cut.store(true, Ordering::SeqCst);
        feed.publish(changed(5));
        tokio::time::sleep(Duration::from_millis(10)).await;
        cut.store(false, Ordering::SeqCst);
        let message = Message::decode(&*messages.recv().await.unwrap()).unwrap();
        assert_eq!(message.event(), FeedEvent::Everything);
    }

    #[tokio::test]
    async fn what_nobody_understands_may_be_anything() {
        let (feed, others) = Feed::with_others(16, 1);
        let mut here = feed.listen();
        others.hear(b"\xff");
        assert_eq!(here.recv().await.unwrap(), FeedEvent::Everything);
    }
}
