//! The gRPC service: who may ask, what is decided, what is answered.

mod changes;
mod watch;

use std::sync::Arc;

use catalog::{Catalog, Denied, Grant, Merchant, Snapshot};
use host::Platform;
use model::{Kind, MerchantId};
use proto::v1;
use proto::v1::config_service_server::ConfigService;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use crate::{Error, Result, Writer, decide};

/// Merchants or changes in a page, if the caller does not say.
const PAGE: usize = 100;
/// Merchants or changes in a page at most.
const MAX_PAGE: usize = 1_000;

/// `hitmill.v1.ConfigService`.
pub struct Rpc {
    platform: Platform,
    writer: Writer,
}

impl Rpc {
    /// The service on this platform.
    pub fn new(platform: Platform) -> Self {
        let Platform { store, catalog, clock, .. } = platform.clone();
        Self { platform, writer: Writer::new(store, catalog, clock) }
    }

    /// Changes the configuration, if an admin asks.
    async fn change<R, A>(
        &self,
        request: Request<R>,
        decide: impl Fn(&decide::Basis<'_>, &R) -> Result<decide::Plan<A>>,
    ) -> std::result::Result<Response<A>, Status> {
        let (metadata, _, request) = request.into_parts();
        let change = async {
            let grant = authenticate(&self.platform.catalog, &metadata).await?;
            grant.admin()?;
            self.writer.change(Some(&grant), |basis| decide(basis, &request)).await
        };
        change.await.map(Response::new).map_err(status)
    }

    /// The configuration, if the caller may read all of it (`None`) or this merchant's.
    async fn read(&self, metadata: &MetadataMap, merchant: Option<MerchantId>) -> Result<Arc<Snapshot>> {
        let grant = authenticate(&self.platform.catalog, metadata).await?;
        merchant.map_or_else(|| grant.admin(), |merchant| grant.read(merchant))?;
        Ok(self.platform.catalog.snapshot())
    }

    async fn merchants(
        &self,
        request: &Request<v1::ListMerchantsRequest>,
    ) -> Result<v1::ListMerchantsResponse> {
        let snapshot = self.read(request.metadata(), None).await?;
        let v1::ListMerchantsRequest { page_size, after_id } = *request.get_ref();
        let size = page(page_size);
        let mut rest = snapshot.merchants_after(MerchantId(after_id));
        let merchants = rest.by_ref().take(size).map(|merchant| (&**merchant).into()).collect();
        Ok(v1::ListMerchantsResponse { merchants, more: rest.next().is_some() })
    }

    async fn merchant(&self, request: &Request<v1::GetMerchantRequest>) -> Result<v1::GetMerchantResponse> {
        let id = MerchantId(request.get_ref().merchant_id);
        let snapshot = self.read(request.metadata(), Some(id)).await?;
        Ok(v1::GetMerchantResponse { merchant: Some((&**existing(&snapshot, id)?).into()) })
    }

    async fn data_streams(
        &self,
        request: &Request<v1::ListDataStreamsRequest>,
    ) -> Result<v1::ListDataStreamsResponse> {
        let id = MerchantId(request.get_ref().merchant_id);
        let snapshot = self.read(request.metadata(), Some(id)).await?;
        existing(&snapshot, id)?;
        let data_streams = snapshot.data_streams_of(id).map(|stream| (&**stream).into()).collect();
        Ok(v1::ListDataStreamsResponse { data_streams })
    }

    async fn keys(&self, request: &Request<v1::ListKeysRequest>) -> Result<v1::ListKeysResponse> {
        let owner = some_merchant(request.get_ref().merchant_id);
        let snapshot = self.read(request.metadata(), owner).await?;
        owner.map_or(Ok(()), |id| existing(&snapshot, id).map(|_| ()))?;
        let mut keys: Vec<_> = snapshot.keys_of(owner).collect();
        keys.sort_by_key(|key| key.created_at);
        Ok(v1::ListKeysResponse { keys: keys.into_iter().map(|key| (&**key).into()).collect() })
    }

    async fn changes(&self, request: &Request<v1::ListChangesRequest>) -> Result<v1::ListChangesResponse> {
        let v1::ListChangesRequest { merchant_id, page_size, before_version } = *request.get_ref();
        let merchant = some_merchant(merchant_id);
        let snapshot = self.read(request.metadata(), merchant).await?;
        merchant.map_or(Ok(()), |id| existing(&snapshot, id).map(|_| ()))?;
        // The store may be ahead of this snapshot: what is listed is what holds here.
        let newest = snapshot.version() + 1;
        let before = if before_version == 0 { newest } else { before_version.min(newest) };
        changes::list(&*self.platform.store, merchant, before, page(page_size)).await
    }
}

#[tonic::async_trait]
impl ConfigService for Rpc {
    async fn create_merchant(
        &self,
        request: Request<v1::CreateMerchantRequest>,
    ) -> std::result::Result<Response<v1::CreateMerchantResponse>, Status> {
        self.change(request, decide::create_merchant).await
    }

    async fn get_merchant(
        &self,
        request: Request<v1::GetMerchantRequest>,
    ) -> std::result::Result<Response<v1::GetMerchantResponse>, Status> {
        answer(self.merchant(&request).await)
    }

    async fn list_merchants(
        &self,
        request: Request<v1::ListMerchantsRequest>,
    ) -> std::result::Result<Response<v1::ListMerchantsResponse>, Status> {
        answer(self.merchants(&request).await)
    }

    async fn update_merchant(
        &self,
        request: Request<v1::UpdateMerchantRequest>,
    ) -> std::result::Result<Response<v1::UpdateMerchantResponse>, Status> {
        self.change(request, decide::update_merchant).await
    }

    async fn create_data_stream(
        &self,
        request: Request<v1::CreateDataStreamRequest>,
    ) -> std::result::Result<Response<v1::CreateDataStreamResponse>, Status> {
        self.change(request, decide::create_data_stream).await
    }

    async fn list_data_streams(
        &self,
        request: Request<v1::ListDataStreamsRequest>,
    ) -> std::result::Result<Response<v1::ListDataStreamsResponse>, Status> {
        answer(self.data_streams(&request).await)
    }

    async fn create_key(
        &self,
        request: Request<v1::CreateKeyRequest>,
    ) -> std::result::Result<Response<v1::CreateKeyResponse>, Status> {
        self.change(request, decide::create_key).await
    }

    async fn list_keys(
        &self,
        request: Request<v1::ListKeysRequest>,
    ) -> std::result::Result<Response<v1::ListKeysResponse>, Status> {
        answer(self.keys(&request).await)
    }

    async fn rotate_key(
        &self,
        request: Request<v1::RotateKeyRequest>,
    ) -> std::result::Result<Response<v1::RotateKeyResponse>, Status> {
        self.change(request, decide::rotate_key).await
    }

    async fn revoke_key(
        &self,
        request: Request<v1::RevokeKeyRequest>,
    ) -> std::result::Result<Response<v1::RevokeKeyResponse>, Status> {
        self.change(request, decide::revoke_key).await
    }

    async fn list_changes(
        &self,
        request: Request<v1::ListChangesRequest>,
    ) -> std::result::Result<Response<v1::ListChangesResponse>, Status> {
        answer(self.changes(&request).await)
    }

    type WatchStream = watch::Stream;

    async fn watch(
        &self,
        request: Request<v1::WatchRequest>,
    ) -> std::result::Result<Response<Self::WatchStream>, Status> {
        let grant = authenticate(&self.platform.catalog, request.metadata()).await;
        let grant = grant.and_then(|grant| grant.admin().map(|()| grant).map_err(Error::from));
        let since = request.get_ref().since_version;
        answer(grant.map(|grant| watch::start(&self.platform, grant, since)))
    }
}

async fn authenticate(catalog: &Catalog, metadata: &MetadataMap) -> Result<Grant> {
    let key = catalog::bearer(metadata.get("authorization").map(|value| value.as_bytes()))?;
    // Whatever another config-svc has answered before this call began holds here as well.
    let fresh = catalog.freshen().await;
    match catalog.snapshot().authenticate(key) {
        Err(denied) if denied.may_be_old() && !fresh => Err(Denied::Undecided.into()),
        grant => Ok(grant?),
    }
}

fn existing(snapshot: &Snapshot, id: MerchantId) -> Result<&Arc<Merchant>> {
    snapshot.merchant(id).ok_or(Error::NoMerchant(id))
}

/// In requests 0 stands for none.
fn some_merchant(id: u64) -> Option<MerchantId> {
    (id != 0).then_some(MerchantId(id))
}

fn page(asked: u32) -> usize {
    match usize::try_from(asked) {
        Ok(0) => PAGE,
        Ok(asked) => asked.min(MAX_PAGE),
        Err(_) => MAX_PAGE,
    }
}

fn answer<A>(result: Result<A>) -> std::result::Result<Response<A>, Status> {
    result.map(Response::new).map_err(status)
}

fn status(error: Error) -> Status {
    let kind = error.kind();
    if matches!(kind, Kind::Corrupt | Kind::Internal | Kind::Unknown) {
        tracing::error!("a request for configuration failed: {error}");
    }
    proto::status::status(kind, error)
}
