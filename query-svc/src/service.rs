use std::sync::Arc;

use async_trait::async_trait;
use catalog::{Denied, Grant};
use host::{Platform, Served, Service};
use metrics::{describe_counter, describe_gauge};
use model::{MerchantId, Timestamp};
use proto::v1;
use proto::v1::query_service_server::{QueryServiceServer, SERVICE_NAME};
use tokio::sync::Mutex;

use crate::cache::Cache;
use crate::execute::{Answering, Reader, View};
use crate::live::{Hub, Subscription};
use crate::outlet::Stream;
use crate::plan::Plan;
use crate::rpc::Rpc;
use crate::{Ask, Error, Result, Settings, audit, http};

/// The query service.
#[derive(Clone)]
pub struct Query {
    platform: Platform,
    reader: Reader,
    hub: Hub,
    settings: Settings,
    /// One audit at a time: each reads whole partitions of the log, which must not become a way to keep the server busy.
    audits: Arc<Mutex<()>>,
}

#[async_trait]
impl Service for Query {
    type Settings = Settings;

    const NAME: &'static str = "query";

    async fn start(platform: Platform, settings: Settings) -> anyhow::Result<Served> {
        describe();
        let query = Self::new(platform, settings);
        let mut served = Served { http: http::routes(query.clone()), ..Served::default() };
        served.grpc.add_service(QueryServiceServer::new(Rpc(query)));
        served.names.push(SERVICE_NAME);
        Ok(served)
    }
}

impl Query {
    /// The service on a platform; its tasks end with the platform's drain.
    pub fn new(platform: Platform, settings: Settings) -> Self {
        let cache = Cache::new(settings.cache_bytes);
        let reader = Reader::new(Arc::clone(&platform.store), platform.log.partitions(), cache);
        let hub = Hub::start(platform.clone(), reader.clone(), settings.clone());
        Self { platform, reader, hub, settings, audits: Arc::default() }
    }

    /// What the bearer of this `authorization` header may do with a merchant: an error, if not read it.
    pub(crate) async fn authorize(
        &self,
        authorization: Option<&[u8]>,
        merchant: MerchantId,
    ) -> Result<Grant> {
        let key = catalog::bearer(authorization)?;
        let catalog = &self.platform.catalog;
        let unknown = || {
            let known = catalog.snapshot();
            known.authenticate(key).is_err_and(|denied| denied.may_be_old())
                || known.merchant(merchant).is_none()
        };
        // It may have been made a moment ago.
        if unknown() && !catalog.freshen().await && unknown() {
            return Err(Denied::Undecided.into());
        }
        let grant = catalog.snapshot().authenticate(key)?;
        grant.read(merchant)?;
        Ok(grant)
    }

    /// The merchant's settings. Only for those who may read it: others do not hear whether it exists.
    pub(crate) fn merchant(&self, merchant: MerchantId) -> Result<Arc<catalog::Merchant>> {
        let catalog = self.platform.catalog.snapshot();
        catalog.merchant(merchant).cloned().ok_or(Error::NoMerchant(merchant))
    }

    /// Answers a query as a whole.
    pub async fn answer(&self, request: &v1::QueryRequest) -> Result<v1::QueryResponse> {
        let ask = self.ask(request)?;
        let (view, mut answer) = self.begin(&ask).await?;
        let rows = answer.all(self.settings.max_rows).await?;
        Ok(v1::QueryResponse {
            rows,
            finality: Some(view.finality().wire()),
            methods: answer.methods(),
            by: ask.by_names(),
        })
    }

    /// Checks a query, with what its merchant has set.
    pub(crate) fn ask(&self, request: &v1::QueryRequest) -> Result<Ask> {
        let merchant = self.merchant(MerchantId(request.merchant_id))?;
        Ok(Ask::read(request, &merchant.time_zone, merchant.currency)?)
    }

    /// Begins to read an answer.
    pub(crate) async fn begin(&self, ask: &Ask) -> Result<(View, Answering)> {
        let now = self.now();
        let plan = Plan::new(ask, now)?;
        let view = self.reader.view(self.platform.catalog.snapshot(), ask.merchant).await?;
        let answer = self.reader.answer(&view, ask, plan, now).await?;
        Ok((view, answer))
    }

    /// Watches a query; with a grant, until its key is revoked.
    pub fn subscribe(
        &self,
        request: v1::SubscribeRequest,
        grant: Option<Grant>,
    ) -> Result<Stream<v1::SubscribeResponse>> {
        let ask = self.ask(&request.query.unwrap_or_default())?;
        let resume = (!request.live_id.is_empty()).then_some((request.live_id, request.number));
        self.hub.subscribe(Subscription { ask, grant, resume, min_interval_ms: request.min_interval_ms })
    }

    /// Holds the event log against the cells.
    pub async fn audit(&self, merchant: MerchantId) -> Result<v1::AuditResponse> {
        let _turn = self.audits.lock().await;
        let view = self.reader.view(self.platform.catalog.snapshot(), merchant).await?;
        audit::audit(&*self.platform.log, &view, self.now()).await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.platform.clock.now()
    }

    pub(crate) fn platform(&self) -> &Platform {
        &self.platform
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }
}

fn describe() {
    describe_counter!(
        "hitmill_query_chunks_total",
        "Chunks of cells that queries took, by whether the cache had them"
    );
    describe_gauge!("hitmill_query_cache_bytes", "Bytes of the cells in the cache");
    describe_gauge!("hitmill_query_subscriptions", "Subscriptions open");
    describe_gauge!("hitmill_query_live_answers", "Live answers, which equal subscriptions share");
    describe_counter!(
        "hitmill_query_live_reads_total",
        "Times that a live answer was read because it had changed"
    );
    describe_counter!("hitmill_query_stalled_streams_total", "Streams dropped because nobody read them");
    describe_counter!("hitmill_query_audited_records_total", "Records of the log that audits have read");
}
