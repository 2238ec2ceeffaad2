//! A reader that asks all the while and holds each answer against what it saw before and against the ledgers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proto::v1::{AuditRequest, Granularity, QueryRequest, QueryResponse};
use tokio::task::JoinHandle;
use tonic::{Code, Status};

use super::answers::count;
use super::trial::Ledgers;
use crate::system::complete::complete_until_ms;
use crate::system::site::Site;

const PAUSE: Duration = Duration::from_millis(50);
/// An audit reads the whole log.
const AUDIT_EVERY: u64 = 100;

/// Asks until it is stopped.
pub(super) struct Watch {
    task: JoinHandle<u64>,
    stop: Arc<AtomicBool>,
}

/// The last answer about a merchant.
#[derive(Default)]
struct Seen {
    revision: u64,
    generation: u32,
    hits: BTreeMap<String, u64>,
}

impl Watch {
    pub(super) fn start(site: &Site, merchants: Vec<u64>, ledgers: Ledgers) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(watch(site.clone(), merchants, ledgers, Arc::clone(&stop)));
        Self { task, stop }
    }

    /// How many answers it got, all of them right.
    pub(super) async fn finish(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }

    /// Fails if an answer was wrong.
    pub(super) fn is_content(&self) {
        assert!(!self.task.is_finished(), "an answer was wrong: see above");
    }
}

async fn watch(site: Site, merchants: Vec<u64>, ledgers: Ledgers, stop: Arc<AtomicBool>) -> u64 {
    let (mut asker, mut answers) = (site.query_later(), 0);
    let mut seen: BTreeMap<u64, Seen> = BTreeMap::new();
    while !stop.load(Ordering::Relaxed) {
        for merchant in &merchants {
            match asker.query(by_campaign(*merchant)).await {
                Ok(answer) => {
                    seen.entry(*merchant).or_default().take(*merchant, answer.into_inner(), &ledgers);
                    answers += 1;
                }
                Err(status) => passes(&status),
            }
            if answers % AUDIT_EVERY == 1 {
                match asker.audit(AuditRequest { merchant_id: *merchant }).await {
                    Ok(audit) => assert!(audit.get_ref().balanced, "{audit:?}"),
                    Err(status) => passes(&status),
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    answers
}

/// What an asker hears when the server dies or is away.
fn passes(status: &Status) {
    let passing = [Code::Unavailable, Code::Unknown, Code::Cancelled].contains(&status.code());
    assert!(passing, "{status:?}");
}

fn by_campaign(merchant_id: u64) -> QueryRequest {
    QueryRequest {
        merchant_id,
        metrics: vec!["hits".to_owned()],
        by: vec!["campaign".to_owned()],
        granularity: Granularity::Total.into(),
        last: Some(prost_types::Duration { seconds: 6 * 3_600, nanos: 0 }),
        ..QueryRequest::default()
    }
}

impl Seen {
    fn take(&mut self, merchant: u64, answer: QueryResponse, ledgers: &Ledgers) {
        let finality = answer.finality.unwrap();
        let hits: BTreeMap<_, _> =
            answer.rows.iter().map(|row| (row.dimensions[0].clone(), count(row, 0))).collect();
        assert!(finality.generation == self.generation || self.hits.is_empty());
        assert!(finality.revision >= self.revision, "revision {} after {}", finality.revision, self.revision);
        if finality.revision == self.revision {
            assert_eq!(hits, self.hits, "two answers at revision {}", self.revision);
        }
        for (campaign, before) in &self.hits {
            let now = hits.get(campaign).copied().unwrap_or(0);
            assert!(now >= *before, "{campaign} went back from {before} to {now}");
        }
        let until = complete_until_ms(&answer);
        ledgers.of(merchant, |ledger| {
            let counted = hits.get(&ledger.life.campaign()).copied().unwrap_or(0);
            let acked = ledger.acked_before(until);
            assert!(
                counted >= acked,
                "{:?}: {counted} counted of {acked} acknowledged before {until}",
                ledger.life
            );
            assert!(counted <= ledger.sent, "{:?}: {counted} counted of {} fired", ledger.life, ledger.sent);
        });
        *self = Self { revision: finality.revision, generation: finality.generation, hits };
    }
}
