//! A machine that asks: it makes the merchant, queries and subscribes all the while, and holds every answer against what
//! must be true of it.

mod live;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prost_types::Timestamp;
use proto::v1::config_service_client::ConfigServiceClient;
use proto::v1::query_service_client::QueryServiceClient;
use proto::v1::{
    AuditRequest, AuditResponse, CreateMerchantRequest, Finality, Granularity, QueryRequest, QueryResponse,
    Row,
};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

use self::live::Live;
pub(crate) use self::rows::{Content, content, count, micros};
use crate::client::Common;
use crate::net;
use crate::server::{ADMIN_KEY, PARTITIONS};

const PATIENCE: Duration = Duration::from_secs(5);

type Asker = QueryServiceClient<InterceptedService<Channel, Bearer>>;

/// A machine that asks.
pub(crate) struct Reader {
    pub(crate) name: String,
    /// For which merchant.
    number: usize,
    common: Arc<Common>,
    from_ms: i64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    merchant: u64,
    /// The generation and number of hits of the last answer of each server's life.
    last: Option<(u32, u64, u64)>,
    live: Live,
    wanted: bool,
    answers: Option<Answers>,
    faults: Vec<String>,
    asked: u64,
    pushed: u64,
    /// What somebody has seen of a generation and revision, and who.
    seen: BTreeMap<(u32, u64), (&'static str, BTreeSet<Content>)>,
    agreed: u64,
}

/// All that is asked in the end.
pub(crate) struct Answers {
    /// Hits and values by page and hour.
    pub(crate) pages: Vec<Row>,
    /// Hits, visitors, sessions and purchases by hour.
    pub(crate) hours: Vec<Row>,
    pub(crate) audit: AuditResponse,
    /// What a subscriber has that was there all the while.
    pub(crate) live: Vec<Row>,
    /// The same, as a query.
    pub(crate) queried: Vec<Row>,
}

impl Reader {
    /// One that asks for a merchant's hits from this time on.
    pub(crate) fn new(number: usize, common: &Arc<Common>, from_ms: i64) -> Arc<Self> {
        let name = format!("reader-{number}");
        Arc::new(Self { name, number, common: Arc::clone(common), from_ms, state: Mutex::default() })
    }

    /// What runs on the machine.
    pub(crate) async fn live(self: Arc<Self>) -> turmoil::Result {
        let made = loop {
            match self.make_merchant().await {
                Ok(made) => break made,
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        };
        self.state.lock().merchant = made.0;
        self.common.keys.lock()[self.number] = Some(made.1);
        drop(tokio::spawn(Arc::clone(&self).subscribe()));
        drop(tokio::spawn(Arc::clone(&self).sleep()));
        let mut turn = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            turn += 1;
            // What fails is tried again: servers come and go.
            let _ = tokio::time::timeout(PATIENCE, self.look(turn)).await;
        }
    }

    async fn make_merchant(&self) -> Result<(u64, String), Status> {
        let mut config =
            ConfigServiceClient::with_interceptor(net::connect_to(&self.common.servers, 0).await?, Bearer);
        let request = CreateMerchantRequest {
            name: "a shop".into(),
            currency: "EUR".into(),
            data_stream_name: "web".into(),
            platform: proto::v1::Platform::Web.into(),
            // Of some merchants the clients are in different partitions.
            spread: 1 + self.number as u32 % u32::from(PARTITIONS),
            ..CreateMerchantRequest::default()
        };
        let made = config.create_merchant(request).await?.into_inner();
        Ok((made.merchant.unwrap_or_default().id, made.write_key))
    }

    async fn asker(&self, turn: usize) -> Result<Asker, Status> {
        let channel = net::connect_to(&self.common.servers, turn).await?;
        Ok(QueryServiceClient::with_interceptor(channel, Bearer))
    }

    async fn look(&self, turn: usize) -> Result<(), Status> {
        let mut asker = self.asker(turn).await?;
        let answer = asker.query(self.ask(&["hits"], &[], Granularity::Total)).await?.into_inner();
        self.check(&answer);
        let answer = asker.query(self.subscription()).await?.into_inner();
        self.agree("a query", answer.finality.as_ref(), &answer.rows);
        if turn.is_multiple_of(4) {
            let merchant_id = self.state.lock().merchant;
            let audit = asker.audit(AuditRequest { merchant_id }).await?.into_inner();
            if !audit.balanced {
                self.fault(format!("an audit does not balance: {audit:?}"));
            }
        }
        if self.state.lock().wanted {
            let answers = self.ask_everything(&mut asker).await?;
            let mut state = self.state.lock();
            (state.answers, state.wanted) = (Some(answers), false);
        }
        Ok(())
    }

    /// Holds an answer against what must be true of it at any time.
    fn check(&self, answer: &QueryResponse) {
        let Some(finality) = &answer.finality else { return self.fault("an answer without finality".into()) };
        let hits = answer.rows.first().map_or(0, |row| count(row, 0));
        self.state.lock().asked += 1;
        let acknowledged = self.common.ledger.lock();
        let all = acknowledged.tracked(self.number);
        if hits > all {
            self.fault(format!("an answer has {hits} hits, and {all} were ever tracked"));
        }
        if !self.common.plan.faults.clock_jumps
            && let Some(until) = &finality.complete_until
        {
            let until_ms = until.seconds * 1_000 + i64::from(until.nanos) / 1_000_000;
            let must = acknowledged.acknowledged_by(self.number, until_ms);
            if hits < must {
                self.fault(format!(
                    "an answer has {hits} hits and says it is complete until {until_ms}, and {must} had been acknowledged"
                ));
            }
        }
        let may_go_back = self.may_go_back();
        let mut state = self.state.lock();
        if let Some((generation, revision, before)) = state.last
            && generation == finality.generation
            && (finality.revision > revision || self.common.servers.len() == 1)
            && hits < before
            && !may_go_back
        {
            state
                .faults
                .push(format!("hits went back from {before} to {hits} within generation {generation}"));
        }
        state.last = Some((finality.generation, finality.revision, hits));
        self.common
            .trace
            .add(|| format!("{} asked: {hits} hits at revision {}", self.name, finality.revision));
    }

    async fn ask_everything(&self, asker: &mut Asker) -> Result<Answers, Status> {
        let pages = asker.query(self.ask(&["hits", "value"], &["page"], Granularity::Hour)).await?;
        let hours = self.ask(&["hits", "visitors", "sessions", "purchases"], &[], Granularity::Hour);
        let hours = asker.query(hours).await?;
        let queried = asker.query(self.subscription()).await?;
        let merchant_id = self.state.lock().merchant;
        let audit = asker.audit(AuditRequest { merchant_id }).await?.into_inner();
        let live = self.state.lock().live.rows.values().cloned().collect();
        Ok(Answers {
            pages: pages.into_inner().rows,
            hours: hours.into_inner().rows,
            audit,
            live,
            queried: queried.into_inner().rows,
        })
    }

    fn ask(&self, metrics: &[&str], by: &[&str], granularity: Granularity) -> QueryRequest {
        let text = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let at = |ms: i64| Some(Timestamp { seconds: ms / 1_000, nanos: 0 });
        let to_ms = self.from_ms + 6 * 24 * 3_600_000;
        QueryRequest {
            merchant_id: self.state.lock().merchant,
            metrics: text(metrics),
            by: text(by),
            granularity: granularity.into(),
            from: at(self.from_ms),
            to: at(to_ms),
            ..QueryRequest::default()
        }
    }

    fn subscription(&self) -> QueryRequest {
        self.ask(&["hits", "value", "sessions"], &["page"], Granularity::Total)
    }

    /// Whoever has seen a revision has seen the same.
    fn agree(&self, who: &'static str, finality: Option<&Finality>, rows: &[Row]) {
        // A cut of the power takes revisions back, and others get their numbers.
        if self.may_go_back() {
            return;
        }
        let Some(finality) = finality else { return };
        let revision = (finality.generation, finality.revision);
        let rows = content(rows);
        let mut state = self.state.lock();
        match state.seen.get(&revision) {
            Some((by, seen)) if *seen != rows => {
                let fault = format!("at {revision:?} {who} has {rows:?}, and {by} had {seen:?}");
                state.faults.push(fault);
            }
            Some(_) => state.agreed += 1,
            None => drop(state.seen.insert(revision, (who, rows))),
        }
    }

    /// A cut of the power may take back what was not synced; the log has it, and the numbers come again.
    fn may_go_back(&self) -> bool {
        self.common.plan.faults.power_cuts && !self.common.plan.many
    }

    fn fault(&self, what: String) {
        self.state.lock().faults.push(what);
    }

    /// What was found to be wrong.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.state.lock().faults.clone()
    }

    /// Asks for everything at the next turn.
    pub(crate) fn want(&self) {
        let mut state = self.state.lock();
        (state.wanted, state.answers) = (true, None);
    }

    /// What was wanted, once it is there.
    pub(crate) fn take_answers(&self) -> Option<Answers> {
        self.state.lock().answers.take()
    }

    /// Answers and messages that were checked, and how often two saw the same revision.
    pub(crate) fn checked(&self) -> (u64, u64, u64) {
        let state = self.state.lock();
        (state.asked, state.pushed, state.agreed)
    }
}

#[derive(Clone)]
struct Bearer;

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let bearer = format!("Bearer {ADMIN_KEY}").parse();
        request.metadata_mut().insert("authorization", bearer.map_err(|_| Status::internal("the key"))?);
        Ok(request)
    }
}
