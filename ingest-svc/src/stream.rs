//! One stream: reads frames as long as there is room, and says what became of them. It decides nothing by itself: who may
//! send is decided at the door, what is taken at intake, and how much may come by the window.

mod open;

use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use catalog::Merchant;
use proto::v1::GoAway;
use proto::wire::{FrameRef, RawClientFrame};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, PollSemaphore};
use tonic::{Code, Status, Streaming};

pub(crate) use open::{Caller, run};

use crate::credit::Window;
use crate::desk::Desk;
use crate::door::{Session, recheck};
use crate::error::Error;
use crate::flight::{Flight, Frame};
use crate::gather::Queued;
use crate::intake::Parcel;
use crate::outbox::Outbox;
use crate::refusals::Refusals;
use crate::shared::Shared;

/// An open stream.
struct Stream {
    shared: Arc<Shared>,
    session: Session,
    merchant: Arc<Merchant>,
    /// The version of the configuration that the session was checked against.
    checked: u64,
    reconfigured: watch::Receiver<u64>,
    frames: Streaming<RawClientFrame>,
    reading: Reading,
    window: Window,
    pressure: watch::Receiver<bool>,
    withheld: bool,
    /// Parcels that wait for memory, with the number of their frame.
    waiting: VecDeque<(u64, Parcel)>,
    room: PollSemaphore,
    flight: Flight,
    desk: Arc<Desk>,
    outbox: Arc<Outbox>,
    gone: CancellationToken,
    /// When the client must have read what waits for it.
    patience: Option<Pin<Box<Sleep>>>,
    /// When the client is asked to connect again.
    retirement: Option<Pin<Box<Sleep>>>,
}

/// Where a stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// Frames are taken as they come.
    Open,
    // Open => Ending: the client sent its last frame, or was asked to go. What is under way is still acknowledged.
    /// No frame is taken any more.
    Ending,
}

/// What happened.
enum Event {
    Gone,
    Drain,
    Reconfigured,
    Reports,
    Room(OwnedSemaphorePermit),
    Relief,
    Impatient,
    Retired,
    Frame(Result<Option<RawClientFrame>, Status>),
}

impl Stream {
    /// Serves the stream until it ends.
    async fn serve(&mut self) -> Result<(), Error> {
        self.grant();
        loop {
            let event = self.event().await;
            if self.handle(event)? {
                return Ok(());
            }
            self.watch_the_reader();
        }
    }

    /// The next thing that happens, what ends the stream first.
    async fn event(&mut self) -> Event {
        let open = self.reading == Reading::Open;
        let next_weight = self.waiting.front().map(|(_, parcel)| parcel.weight);
        tokio::select! {
            biased;
            () = self.gone.cancelled() => Event::Gone,
            () = self.shared.drain.cancelled(), if open => Event::Drain,
            Ok(()) = self.reconfigured.changed() => Event::Reconfigured,
            () = self.desk.bell() => Event::Reports,
            permit = room(&mut self.room, &self.shared, next_weight), if next_weight.is_some() => Event::Room(permit),
            Ok(_) = self.pressure.wait_for(|pressed| !pressed), if self.withheld => Event::Relief,
            () = at(&mut self.patience) => Event::Impatient,
            () = at(&mut self.retirement), if open => Event::Retired,
            // Without room for what came before, the next frame stays where it is: at the client, in the end.
            frame = self.frames.message(), if open && next_weight.is_none() => Event::Frame(frame),
        }
    }

    /// Takes in what happened; true when the stream is done.
    fn handle(&mut self, event: Event) -> Result<bool, Error> {
        match event {
            Event::Gone => return Ok(true),
            Event::Drain => self.go_away("the server is draining"),
            Event::Retired => self.go_away("the stream has reached its age: connect again"),
            Event::Reconfigured => self.recheck()?,
            Event::Reports => self.settle()?,
            Event::Room(permit) => {
                if let Some((frame, parcel)) = self.waiting.pop_front() {
                    self.dispatch(frame, parcel, permit);
                }
                self.dispatch_all();
            }
            Event::Relief => self.grant(),
            Event::Impatient => self.look_at_the_reader()?,
            Event::Frame(Ok(Some(frame))) => self.frame(&frame)?,
            // Open => Ending: that was the last frame.
            Event::Frame(Ok(None)) => self.reading = Reading::Ending,
            Event::Frame(Err(status)) => return broken(&status).map_or(Ok(true), Err),
        }
        Ok(self.reading == Reading::Ending && self.flight.is_empty())
    }

    fn frame(&mut self, frame: &RawClientFrame) -> Result<(), Error> {
        let since = Instant::now();
        let FrameRef::Batches(batches) = frame.open()? else { return Err(Error::SetupTwice) };
        self.recheck()?;
        let taken = self.shared.take_in(&self.session.source, &self.merchant, batches);
        self.window.receive(taken.hits)?;
        self.shared.telemetry.frame(frame.0.len(), &taken);
        let number = self.flight.next();
        let parcels = taken.parcels.len();
        self.flight.start(Frame { since, hits: taken.hits, refusals: taken.refusals, parcels });
        self.waiting.extend(taken.parcels.into_iter().map(|parcel| (number, parcel)));
        self.dispatch_all();
        // A frame of which nothing goes to the log is done at once.
        self.land();
        Ok(())
    }

    /// Sends what waits on its way, as far as there is room.
    fn dispatch_all(&mut self) {
        while let Some((_, parcel)) = self.waiting.front()
            && let Some(permit) = self.shared.budget.try_take(parcel.weight)
            && let Some((frame, parcel)) = self.waiting.pop_front()
        {
            self.dispatch(frame, parcel, permit);
        }
    }

    fn dispatch(&self, frame: u64, parcel: Parcel, permit: OwnedSemaphorePermit) {
        let ticket = self.desk.ticket(frame);
        self.shared.gatherers.send(Queued { parcel, ticket, permit });
    }

    fn settle(&mut self) -> Result<(), Error> {
        let mut lost = None;
        for report in self.desk.take() {
            lost = self.flight.report(report).err().or(lost);
        }
        self.land();
        lost.map_or(Ok(()), |_| Err(Error::LogAway))
    }

    /// Acknowledges the frames that are durable, and gives credit for their hits.
    fn land(&mut self) {
        let before = self.flight.landed();
        let mut refusals = Refusals::default();
        while let Some(frame) = self.flight.land() {
            self.shared.acked(frame.since);
            self.window.settle(frame.hits);
            refusals.absorb(frame.refusals);
        }
        if self.flight.landed() > before {
            self.outbox.ack(self.flight.landed(), refusals);
            self.grant();
        }
    }

    /// Gives credit if it is due, unless there is reason to hold it back.
    fn grant(&mut self) {
        let withheld = self.window.due() && *self.pressure.borrow();
        if self.withheld != withheld {
            self.withheld = withheld;
            self.shared.telemetry.credit_withheld.increment(if withheld { 1.0 } else { -1.0 });
        }
        if self.withheld || self.reading == Reading::Ending {
            return;
        }
        let more = self.window.grant();
        if more > 0 {
            self.outbox.credit(more);
        }
    }

    /// Holds the session against the configuration, if that has changed: the key may have been revoked.
    fn recheck(&mut self) -> Result<(), Error> {
        let configured = self.shared.configured();
        if configured.version() != self.checked {
            self.merchant = recheck(&configured, &self.session)?;
            self.checked = configured.version();
        }
        Ok(())
    }

    /// Open => Ending: asks the client to connect again.
    fn go_away(&mut self, message: &str) {
        let reconnect_after_ms = self.shared.settings.reconnect_after_ms;
        self.outbox.go_away(GoAway { message: message.to_owned(), reconnect_after_ms });
        self.reading = Reading::Ending;
    }

    /// Sets the time by which the client must have read what waits for it now.
    fn watch_the_reader(&mut self) {
        if self.patience.is_none()
            && let Some(since) = self.outbox.waiting_since()
        {
            let limit = Duration::from_millis(self.shared.settings.ack_timeout_ms);
            self.patience = Some(Box::pin(tokio::time::sleep_until(since + limit)));
        }
    }

    fn look_at_the_reader(&mut self) -> Result<(), Error> {
        self.patience = None;
        let limit = self.shared.settings.ack_timeout_ms;
        let waited = self.outbox.waiting_since().map(|since| since.elapsed());
        match waited {
            Some(waited) if waited >= Duration::from_millis(limit) => Err(Error::NotReading(limit)),
            // It has read since, and later things wait.
            Some(_) | None => Ok(()),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.withheld {
            self.shared.telemetry.credit_withheld.decrement(1.0);
        }
        self.shared.telemetry.streams.decrement(1.0);
    }
}

async fn room(room: &mut PollSemaphore, shared: &Shared, weight: Option<usize>) -> OwnedSemaphorePermit {
    let permits = shared.budget.permits(weight.unwrap_or_default());
    // The place in the queue is kept in `room`, however often this is dropped and begun again.
    match poll_fn(|context| room.poll_acquire_many(context, permits)).await {
        Some(permit) => {
            shared.budget.update();
            permit
        }
        // The semaphore is never closed.
        None => pending().await,
    }
}

async fn at(time: &mut Option<Pin<Box<Sleep>>>) {
    match time {
        Some(time) => time.await,
        None => pending().await,
    }
}

/// What a failure to read a frame means: the bytes are no frames, or the client went away (then nobody would hear).
fn broken(status: &Status) -> Option<Error> {
    let at_fault = matches!(status.code(), Code::OutOfRange | Code::Internal | Code::Unimplemented);
    at_fault.then(|| Error::NotFrames(status.message().to_owned()))
}
