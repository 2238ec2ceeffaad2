//! A client that is no SDK: it sends its batches one by one over `Send`, out of order, the same one twice, to any server, and
//! again until it hears that it was taken.

use std::sync::Arc;
use std::time::Duration;

use proto::v1::ingest_service_client::IngestServiceClient;
use proto::v1::{Batch, Hit, Money, SendRequest, Setup};
use tonic::Status;

use crate::client::Common;
use crate::dice::Dice;
use crate::ledger::{Ledger, Lifetime, Tracked, micros};
use crate::net;

/// Batches that are on their way at a time.
const AT_A_TIME: u64 = 5;
const PATIENCE: Duration = Duration::from_secs(3);

/// A client that is no SDK.
pub(crate) struct Unruly {
    pub(crate) name: String,
    /// Its number in the ledger.
    number: usize,
    common: Arc<Common>,
}

impl Unruly {
    /// The one of a merchant.
    pub(crate) fn new(merchant: usize, common: &Arc<Common>) -> Arc<Self> {
        // Beyond all clients that are SDKs, and of the same merchant.
        let number = 10 + merchant;
        Arc::new(Self { name: format!("unruly-{merchant}"), number, common: Arc::clone(common) })
    }

    /// What runs on the machine.
    pub(crate) async fn live(self: Arc<Self>) -> turmoil::Result {
        let key = self.common.key_of(self.number).await;
        let mut dice = Dice::new(self.common.plan.seed, &self.name);
        let mut left = self.batches(&mut dice);
        while !left.is_empty() {
            let which = dice.below(AT_A_TIME.min(left.len() as u64)) as usize;
            let twice = dice.one_in(4);
            let server = dice.below(2) as usize;
            let sent = async {
                let first = self.send(&key, &left[which], server).await;
                // Whatever became of the first.
                if twice { self.send(&key, &left[which], server + 1).await } else { first }
            };
            if tokio::time::timeout(PATIENCE, sent).await.is_ok_and(|sent| sent.is_ok()) {
                left.remove(which);
            }
            tokio::time::sleep(Duration::from_millis(dice.below(1_000))).await;
        }
        if let Some(life) = self.common.ledger.lock().lives.get_mut(&(self.number, 0)) {
            (life.settled, life.flushed) = (life.tracked.len(), true);
        }
        std::future::pending().await
    }

    /// All batches that it will ever send.
    fn batches(&self, dice: &mut Dice) -> Vec<Batch> {
        let time_ms = self.common.now_ms();
        let (mut batches, mut tracked) = (Vec::new(), Vec::new());
        while tracked.len() < self.common.plan.hits / 2 {
            let first_seq = tracked.len() as u64 + 1;
            let hits = (0..dice.between(1, 5)).map(|_| {
                let micros = micros(self.common.plan.seed, self.number, 0, tracked.len());
                tracked.push(Tracked { time_ms, refused: false, purchase: false, micros });
                Hit {
                    name: "page_view".into(),
                    time_ms,
                    url: format!("https://shop.example{}", Ledger::page(self.number, 0)),
                    value: Some(Money { currency: "EUR".into(), micros }),
                    ..Hit::default()
                }
            });
            batches.push(Batch { first_seq, hits: hits.collect(), ..Batch::default() });
        }
        let life = Lifetime { tracked, ..Lifetime::default() };
        self.common.ledger.lock().lives.insert((self.number, 0), life);
        batches
    }

    async fn send(&self, key: &str, batch: &Batch, server: usize) -> Result<(), Status> {
        let channel = net::connect_to(&self.common.servers, server).await?;
        let setup = Setup { key: key.into(), client_id: self.name.clone(), epoch: 1, ..Setup::default() };
        let batch = Batch { sent_at_ms: self.common.now_ms(), ..batch.clone() };
        let hits = batch.hits.len() as u64;
        let request = SendRequest { setup: Some(setup), batches: vec![batch] };
        let taken = IngestServiceClient::new(channel).send(request).await?.into_inner();
        assert_eq!(taken.accepted, hits, "there is nothing wrong with its hits");
        Ok(())
    }
}
