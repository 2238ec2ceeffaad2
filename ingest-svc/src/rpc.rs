use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use host::Service;
use proto::raw::ingest_service_server::IngestService;
use proto::v1::SendResponse;
use proto::wire::{RawClientFrame, RawSendRequest};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};
use tracing::Instrument;

use crate::outbox::{Answer, Outbox};
use crate::shared::Shared;
use crate::{Ingest, send, stream};

/// The gRPC service: it takes calls apart and hands them on.
pub(crate) struct Rpc {
    /// What all calls use.
    pub(crate) shared: Arc<Shared>,
    /// Tasks that the drain waits for.
    pub(crate) tasks: TaskTracker,
}

#[async_trait]
impl IngestService for Rpc {
    type StreamStream = Answer;

    async fn stream(&self, request: Request<Streaming<RawClientFrame>>) -> Result<Response<Answer>, Status> {
        let authorization = authorization(request.metadata()).map(Bytes::copy_from_slice);
        let (outbox, gone) = (Arc::new(Outbox::default()), CancellationToken::new());
        let answer = outbox.answer(gone.clone());
        let caller = stream::Caller { authorization, frames: request.into_inner(), outbox, gone };
        // A task of its own: it must go on when the client reads nothing, if only to end the stream for that.
        let span = tracing::info_span!("stream", service = Ingest::NAME);
        self.tasks.spawn(stream::run(Arc::clone(&self.shared), caller).instrument(span));
        Ok(Response::new(answer))
    }

    async fn send(&self, request: Request<RawSendRequest>) -> Result<Response<SendResponse>, Status> {
        let sent = send::send(&self.shared, request.get_ref(), authorization(request.metadata())).await?;
        Ok(Response::new(sent))
    }
}

fn authorization(metadata: &MetadataMap) -> Option<&[u8]> {
    metadata.get("authorization").map(|value| value.as_bytes())
}
