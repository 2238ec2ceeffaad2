//! The connection: a tonic channel and one stream on it.

use std::future::Future;
use std::pin::Pin;

use proto::v1::{ServerFrame, Setup};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::Streaming;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Status};

use crate::core::{Event, Loss};
use crate::server::{Server, unreachable};
use crate::wire::{FrameCodec, Outbound};

const STREAM: &str = "/hitmill.v1.IngestService/Stream";
/// Frames between the driver and the connection: enough to keep it busy, few enough that what waits is still ours.
const FRAMES_AHEAD: usize = 2;
/// What the server sends is small: acks and credits. A whole frame of refusals fits.
const MAX_RECEIVED: usize = 4 << 20;

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
    pub(crate) fn dial(server: Server, setup: Setup) -> Self {
        Self::Dialing(Box::pin(open(server, setup)))
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

async fn open(server: Server, setup: Setup) -> Result<Up, Status> {
    let channel = server.connect().await?;
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
