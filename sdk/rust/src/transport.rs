//! The connection: a tonic channel and one stream on it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use proto::v1::{ServerFrame, Setup};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::Streaming;
use tonic::codegen::http::uri::{PathAndQuery, Scheme, Uri};
use tonic::transport::Endpoint;
use tonic::{Code, Status};

use crate::core::{Event, Loss};
use crate::error::BuildError;
use crate::wire::{FrameCodec, Outbound};

const STREAM: &str = "/hitmill.v1.IngestService/Stream";
/// Frames between the driver and the connection: enough to keep it busy, few enough that what waits is still ours.
const FRAMES_AHEAD: usize = 2;
/// What the server sends is small: acks and credits. A whole frame of refusals fits.
const MAX_RECEIVED: usize = 4 << 20;
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
const HEADERS: u32 = 16 << 10;
/// A connection that was cut without a word is noticed within the sum of these.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const KEEP_ALIVE_ANSWER: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(10);

/// The server at this address, with all limits set.
pub(crate) fn endpoint(address: &str) -> Result<Endpoint, BuildError> {
    let wrong = || BuildError::Address { address: address.to_owned() };
    let uri: Uri = address.parse().map_err(|_| wrong())?;
    if uri.scheme() != Some(&Scheme::HTTP) || uri.host().is_none() {
        return Err(wrong());
    }
    let endpoint = Endpoint::from(uri).user_agent(concat!("hitmill-sdk/", env!("CARGO_PKG_VERSION")));
    Ok(endpoint
        .map_err(|_| wrong())?
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(HEADERS)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_ANSWER)
        .keep_alive_while_idle(true))
}

/// A connection, or none.
pub(crate) enum Line {
    /// None.
    Down,
    /// One is being made.
    Dialing(Pin<Box<dyn Future<Output = Result<Up, Status>> + Send>>),
    /// There is one.
    Up(Box<Up>),
}

/// An open stream.
pub(crate) struct Up {
    frames: mpsc::Sender<Outbound>,
    answers: Streaming<ServerFrame>,
}

impl Line {
    /// Starts to connect.
    pub(crate) fn dial(endpoint: Endpoint, setup: Setup) -> Self {
        Self::Dialing(Box::pin(open(endpoint, setup)))
    }

    /// Whether a frame can be sent without waiting.
    pub(crate) fn has_room(&self) -> bool {
        matches!(self, Self::Up(up) if up.frames.capacity() > 0 && !up.frames.is_closed())
    }

    /// Sends a frame. One that does not get through is sent again once the loss of the connection has shown.
    pub(crate) fn send(&self, frame: Outbound) {
        if let Self::Up(up) = self
            && let Err(TrySendError::Full(_)) = up.frames.try_send(frame)
        {
            tracing::error!("a frame was sent without room: it waits for the next connection");
        }
    }

    /// What happens next on the connection; `None` says that there is room for frames again. Nothing is lost if this is
    /// dropped before it is done.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        match self {
            Self::Down => std::future::pending().await,
            Self::Dialing(dialing) => match dialing.await {
                Ok(up) => {
                    *self = Self::Up(Box::new(up));
                    Some(Event::Connected)
                }
                Err(status) => Some(self.lost(&status)),
            },
            Self::Up(up) => {
                let full = up.frames.capacity() == 0 && !up.frames.is_closed();
                let answer = tokio::select! {
                    answer = up.answers.message() => answer,
                    _ = up.frames.reserve(), if full => return None,
                };
                match answer {
                    Ok(Some(frame)) => Some(Event::Frame(frame)),
                    Ok(None) => Some(self.lost(&Status::unavailable("the server closed the stream"))),
                    Err(status) => Some(self.lost(&status)),
                }
            }
        }
    }

    fn lost(&mut self, status: &Status) -> Event {
        *self = Self::Down;
        let message = format!("{:?}: {}", status.code(), status.message());
        Event::Lost(match status.code() {
            Code::Unauthenticated | Code::PermissionDenied | Code::InvalidArgument => Loss::Final(message),
            _ => Loss::Passing(message),
        })
    }
}

async fn open(endpoint: Endpoint, setup: Setup) -> Result<Up, Status> {
    let unreachable = |error: tonic::transport::Error| Status::unavailable(chain(&error));
    let channel = endpoint.connect().await.map_err(unreachable)?;
    let mut grpc = tonic::client::Grpc::new(channel).max_decoding_message_size(MAX_RECEIVED);
    let (frames, sent) = mpsc::channel(FRAMES_AHEAD);
    // Before the answer is awaited: a server may say nothing until it has seen Setup.
    frames
        .try_send(Outbound::Setup(Box::new(setup)))
        .map_err(|_| Status::internal("no room for the setup"))?;
    grpc.ready().await.map_err(unreachable)?;
    let request = tonic::Request::new(ReceiverStream::new(sent));
    let answer = grpc.streaming(request, PathAndQuery::from_static(STREAM), FrameCodec).await?;
    Ok(Up { frames, answers: answer.into_inner() })
}

/// An error with what is behind it: the connector's own message says only that something failed.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_before_anything_is_sent() {
        for good in ["http://127.0.0.1:7700", "http://[::1]:7700", "http://hits.example"] {
            assert!(endpoint(good).is_ok(), "{good}");
        }
        for bad in ["", "127.0.0.1:7700", "https://hits.example", "ftp://hits.example", "http://", "/v1"] {
            let error = endpoint(bad).unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")), "{error}");
        }
    }
}
