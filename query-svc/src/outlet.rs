use std::time::Duration;

use metrics::counter;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::Error;

/// What a streaming call answers with.
pub type Stream<T> = ReceiverStream<Result<T, Status>>;

/// The writing end of a stream. One message waits in it at most, and a reader that takes none for too long is dropped: a
/// slow reader costs its own messages, not memory.
pub(crate) struct Outlet<T> {
    messages: mpsc::Sender<Result<T, Status>>,
    stalled: Duration,
}

/// One place is for a message, the other is kept for the error that ends the stream: telling why never waits.
const PLACES: usize = 2;

impl<T> Outlet<T> {
    /// Both ends of a stream.
    pub(crate) fn new(stalled: Duration) -> (Self, Stream<T>) {
        let (messages, reader) = mpsc::channel(PLACES);
        (Self { messages, stalled }, ReceiverStream::new(reader))
    }

    /// Waits until everything was taken, and sends the message that is made then. False: the stream has ended.
    pub(crate) async fn send(&self, message: impl FnOnce() -> T) -> bool {
        match tokio::time::timeout(self.stalled, self.messages.reserve_many(PLACES)).await {
            Ok(Ok(mut places)) => {
                if let Some(place) = places.next() {
                    place.send(Ok(message()));
                }
                true
            }
            Ok(Err(_)) => false,
            Err(_) => {
                counter!("hitmill_query_stalled_streams_total").increment(1);
                self.end(Error::Stalled { after: self.stalled });
                false
            }
        }
    }

    /// Returns when nobody reads any more.
    pub(crate) async fn closed(&self) {
        self.messages.closed().await;
    }

    /// Ends the stream with an error.
    pub(crate) fn end(&self, error: Error) {
        // If the reader is gone, there is nobody to tell.
        let _ = self.messages.try_send(Err(error.into()));
    }
}
