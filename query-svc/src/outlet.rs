use std::time::Duration;

use metrics::counter;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::Error;

/// What a streaming call answers with.
pub type Stream<T> = ReceiverStream<Result<T, Status>>;

/// The writing end of a stream. One message waits in it at most, and a reader that takes none for too long is
/// dropped: a slow reader costs its own messages, not memory.
pub(crate) struct Outlet<T> {
    messages: mpsc::Sender<Result<T, Status>>,
    stalled: Duration,
}

impl<T> Outlet<T> {
    /// Both ends of a stream.
    pub(crate) fn new(stalled: Duration) -> (Self, Stream<T>) {
        let (messages, reader) = mpsc::channel(1);
        (Self { messages, stalled }, ReceiverStream::new(reader))
    }

    /// Waits until there is room for a message, and takes the message that is made then. False: nobody reads any more.
    pub(crate) async fn send(&self, message: impl FnOnce() -> T) -> bool {
        match tokio::time::timeout(self.stalled, self.messages.reserve()).await {
            Ok(Ok(room)) => {
                room.send(Ok(message()));
                true
            }
            Ok(Err(_)) => false,
            Err(_) => {
                counter!("hitmill_query_stalled_streams_total").increment(1);
                tracing::debug!(after = ?self.stalled, "a stream was not read any more and is dropped");
                false
            }
        }
    }

    /// Returns when nobody reads any more.
    pub(crate) async fn closed(&self) {
        self.messages.closed().await;
    }

    /// Ends the stream with an error.
    pub(crate) async fn fail(&self, status: Status) {
        // If the reader is gone or does not read, there is nobody to tell.
        let _ = self.messages.send_timeout(Err(status), self.stalled).await;
    }

    /// Ends the stream with an error of ours.
    pub(crate) async fn end(&self, error: Error) {
        self.fail(error.into()).await;
    }
}
