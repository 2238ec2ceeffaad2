//! The gRPC service: who may ask, and answers in messages that fit.

mod pieces;

use model::MerchantId;
use prost::Message;
use proto::v1;
use proto::v1::query_service_server::QueryService;
use tonic::{Request, Response, Status};

use crate::outlet::{Outlet, Stream};
use crate::{Error, Query, Result};

/// Bytes of one message: what gRPC clients take if nobody tells them otherwise.
const MESSAGE_BYTES: usize = 4 << 20;

/// `hitmill.v1.QueryService`.
pub(crate) struct Rpc(pub(crate) Query);

impl Rpc {
    async fn authorize<T: Sync>(&self, request: &Request<T>, merchant: u64) -> Result<catalog::Grant> {
        let authorization = request.metadata().get("authorization").map(|value| value.as_bytes());
        self.0.authorize(authorization, MerchantId(merchant)).await
    }
}

#[tonic::async_trait]
impl QueryService for Rpc {
    type StreamQueryStream = Stream<v1::QueryResponse>;
    type SubscribeStream = Stream<v1::SubscribeResponse>;

    async fn query(
        &self,
        request: Request<v1::QueryRequest>,
    ) -> std::result::Result<Response<v1::QueryResponse>, Status> {
        self.authorize(&request, request.get_ref().merchant_id).await?;
        let answer = self.0.answer(request.get_ref()).await?;
        if answer.encoded_len() > MESSAGE_BYTES {
            return Err(Error::TooLarge { what: "bytes", limit: MESSAGE_BYTES }.into());
        }
        Ok(Response::new(answer))
    }

    async fn stream_query(
        &self,
        request: Request<v1::QueryRequest>,
    ) -> std::result::Result<Response<Self::StreamQueryStream>, Status> {
        self.authorize(&request, request.get_ref().merchant_id).await?;
        let ask = self.0.ask(request.get_ref())?;
        let (view, answer) = self.0.begin(&ask).await?;
        let (outlet, stream) = Outlet::new(self.0.settings().stalled());
        let platform = self.0.platform();
        let drain = platform.drain.clone();
        platform.tasks.spawn(async move {
            let pieces = pieces::send(&outlet, answer, view.finality(), ask.by_names());
            if drain.run_until_cancelled(pieces).await.is_none() {
                outlet.end(Error::Draining);
            }
        });
        Ok(Response::new(stream))
    }

    async fn subscribe(
        &self,
        request: Request<v1::SubscribeRequest>,
    ) -> std::result::Result<Response<Self::SubscribeStream>, Status> {
        let merchant = request.get_ref().query.as_ref().map_or(0, |query| query.merchant_id);
        let grant = self.authorize(&request, merchant).await?;
        Ok(Response::new(self.0.subscribe(request.into_inner(), Some(grant))?))
    }

    async fn audit(
        &self,
        request: Request<v1::AuditRequest>,
    ) -> std::result::Result<Response<v1::AuditResponse>, Status> {
        let merchant = request.get_ref().merchant_id;
        self.authorize(&request, merchant).await?;
        Ok(Response::new(self.0.audit(MerchantId(merchant)).await?))
    }
}
