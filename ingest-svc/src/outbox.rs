use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::Stream;
use parking_lot::Mutex;
use proto::v1::server_frame::Frame;
use proto::v1::{Ack, Credit, GoAway, Ready, ServerFrame};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Status;

use crate::error::Error;
use crate::refusals::Refusals;

/// What a stream has to say and could not yet: at most one of each kind, because acks and credits add up. A client that
/// never reads costs this much memory and no more.
#[derive(Debug, Default)]
pub(crate) struct Outbox(Mutex<Slot>);

#[derive(Debug, Default)]
struct Slot {
    ready: Option<Ready>,
    /// Frames, and the refused hits in them.
    ack: Option<(u64, Refusals)>,
    credit: u64,
    go_away: Option<GoAway>,
    end: Option<Result<(), Error>>,
    /// Since when something waits and nothing was taken.
    since: Option<Instant>,
    waker: Option<Waker>,
}

/// The answer as tonic sends it: takes from the outbox whenever the client has room for more.
#[derive(Debug)]
pub(crate) struct Answer {
    outbox: Arc<Outbox>,
    ended: bool,
    _gone: DropGuard,
}

impl Outbox {
    /// The stream is open.
    pub(crate) fn ready(&self, ready: Ready) {
        self.put(|slot| slot.ready = Some(ready));
    }

    /// The first `frames` frames are durable; these refusals came since the last ack.
    pub(crate) fn ack(&self, frames: u64, refusals: Refusals) {
        self.put(|slot| {
            let ack = slot.ack.get_or_insert_default();
            ack.0 = frames;
            ack.1.absorb(refusals);
        });
    }

    /// This many more hits may be sent.
    pub(crate) fn credit(&self, hits: u64) {
        self.put(|slot| slot.credit += hits);
    }

    /// The client is asked to go.
    pub(crate) fn go_away(&self, go_away: GoAway) {
        self.put(|slot| slot.go_away = Some(go_away));
    }

    /// Nothing more will come.
    pub(crate) fn end(&self, end: Result<(), Error>) {
        self.put(|slot| slot.end = Some(end));
    }

    /// Since when the client has not read what waits; `None` if nothing waits.
    pub(crate) fn waiting_since(&self) -> Option<Instant> {
        self.0.lock().since
    }

    /// The answer that takes from here; it cancels `gone` when the client no longer wants it.
    pub(crate) fn answer(self: &Arc<Self>, gone: CancellationToken) -> Answer {
        Answer { outbox: Arc::clone(self), ended: false, _gone: gone.drop_guard() }
    }

    fn put(&self, change: impl FnOnce(&mut Slot)) {
        let mut slot = self.0.lock();
        change(&mut slot);
        slot.since.get_or_insert_with(Instant::now);
        let waker = slot.waker.take();
        drop(slot);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Slot {
    fn next(&mut self) -> Option<Frame> {
        if let Some(ready) = self.ready.take() {
            return Some(Frame::Ready(ready));
        }
        if let Some((frames, refusals)) = self.ack.take() {
            return Some(Frame::Ack(Ack { frames, refused: refusals.into_list() }));
        }
        if self.credit > 0 {
            return Some(Frame::Credit(Credit { hits: std::mem::take(&mut self.credit) }));
        }
        self.go_away.take().map(Frame::GoAway)
    }

    fn is_empty(&self) -> bool {
        self.ready.is_none() && self.ack.is_none() && self.credit == 0 && self.go_away.is_none()
    }
}

impl Stream for Answer {
    type Item = Result<ServerFrame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let mut slot = self.outbox.0.lock();
        if let Some(frame) = slot.next() {
            slot.since = if slot.is_empty() && slot.end.is_none() { None } else { Some(Instant::now()) };
            return Poll::Ready(Some(Ok(ServerFrame { frame: Some(frame) })));
        }
        match slot.end.take() {
            Some(end) => {
                drop(slot);
                self.ended = true;
                Poll::Ready(end.err().map(|error| Err(error.into())))
            }
            None => {
                slot.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};

    use super::*;

    fn next(answer: &mut Answer) -> Option<Option<Result<Frame, String>>> {
        let item = answer.next().now_or_never()?;
        Some(item.map(|item| item.map(|f| f.frame.unwrap()).map_err(|status| status.message().to_owned())))
    }

    #[test]
    fn what_was_not_read_adds_up_to_one_of_each() {
        let outbox = Arc::new(Outbox::default());
        let mut answer = outbox.answer(CancellationToken::new());
        assert_eq!(next(&mut answer), None);
        for frames in 1..=1_000 {
            outbox.ack(frames, Refusals::default());
            outbox.credit(5);
        }
        outbox.end(Err(Error::LogAway));
        assert_eq!(next(&mut answer), Some(Some(Ok(Frame::Ack(Ack { frames: 1_000, refused: vec![] })))));
        assert_eq!(next(&mut answer), Some(Some(Ok(Frame::Credit(Credit { hits: 5_000 })))));
        assert_eq!(next(&mut answer), Some(Some(Err(Error::LogAway.to_string()))), "after all else");
        assert_eq!(next(&mut answer), Some(None));
    }

    #[test]
    fn it_waits_from_the_first_thing_put_until_all_is_taken() {
        let outbox = Arc::new(Outbox::default());
        let gone = CancellationToken::new();
        let mut answer = outbox.answer(gone.clone());
        assert_eq!(outbox.waiting_since(), None);
        outbox.credit(1);
        let since = outbox.waiting_since().unwrap();
        outbox.credit(1);
        assert_eq!(outbox.waiting_since(), Some(since));
        next(&mut answer);
        assert_eq!(outbox.waiting_since(), None);
        drop(answer);
        assert!(gone.is_cancelled());
    }
}
