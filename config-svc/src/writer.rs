use std::sync::Arc;

use bytes::Bytes;
use catalog::{Catalog, Change, Grant};
use clock::Clock;
use keyspace::config::counters::{self, Counters};
use keyspace::config::{change, merchant_change};
use prost::Message;
use store::{Batch, Store};
use tokio::sync::Mutex;

use crate::decide::{Basis, Plan};
use crate::{Error, Result};

/// How often a change is decided anew because another config-svc made one in between.
const ATTEMPTS: u32 = 32;

/// Commits what was decided: the only writer of the configuration.
pub struct Writer {
    store: Arc<dyn Store>,
    catalog: Catalog,
    clock: Clock,
    /// Changes of this process go one after the other, else they would only make each other decide again.
    turn: Mutex<()>,
}

impl Writer {
    /// A writer to this store, which tells this catalog.
    pub fn new(store: Arc<dyn Store>, catalog: Catalog, clock: Clock) -> Self {
        Self { store, catalog, clock, turn: Mutex::new(()) }
    }

    /// Decides, commits durably, and tells the catalog: when it returns, the change holds everywhere in this process.
    /// The author is the key that asks; `None` is the installation itself. If somebody else changed the configuration
    /// in between, it is decided anew.
    ///
    /// A caller that goes away in the middle may leave a commit that the catalog hears of only when it catches up.
    pub async fn change<A>(
        &self,
        author: Option<&Grant>,
        decide: impl Fn(&Basis<'_>) -> Result<Plan<A>>,
    ) -> Result<A> {
        let _turn = self.turn.lock().await;
        for _ in 0..ATTEMPTS {
            let (counters, stored) = catalog::counters(&*self.store).await?;
            self.catalog.catch_up(&*self.store).await?;
            let snapshot = self.catalog.snapshot();
            // Once more here: the key may have been revoked while this waited for its turn.
            author.map_or(Ok(()), |grant| snapshot.still(grant))?;

            let now = self.clock.now();
            let plan = decide(&Basis { snapshot: &snapshot, counters, now, seed: self.clock.random() })?;
            if plan.items.is_empty() {
                return Ok(plan.answer);
            }
            let author = author.map_or_else(|| Arc::from(""), |grant| grant.key_id.clone());
            let Plan { answer, items, merchant, summary, counters } = plan;
            let change = Change { version: counters.version, at: now, author, merchant, summary, items };
            match self.commit(&change, &counters, stored).await {
                Ok(()) => {
                    self.catalog.apply(&change.items, change.version);
                    let Change { version, author, summary, .. } = &change;
                    tracing::info!(version, %author, "configuration changed: {summary}");
                    metrics::counter!("hitmill_config_changes_total").increment(1);
                    return Ok(answer);
                }
                Err(store::Error::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Busy(ATTEMPTS))
    }

    async fn commit(&self, change: &Change, after: &Counters, before: Option<Bytes>) -> store::Result<()> {
        let record = Bytes::from(change.whole().encode_to_vec());
        let outcome = self.store.commit(batch(change, record.clone(), after, before)).await;
        let Err(store::Error::Unknown { what }) = outcome else { return outcome };
        // If it was applied, then nobody else has made this version.
        match self.store.get(&change::key(change.version)).await? {
            Some(there) if there == record => Ok(()),
            _ => Err(store::Error::Unknown { what }),
        }
    }
}

/// The items, the record of the change and the new counters: together, or not at all.
fn batch(change: &Change, record: Bytes, after: &Counters, before: Option<Bytes>) -> Batch {
    let mut batch = Batch::durable();
    batch.require(counters::key(), before).put(counters::key(), after.encode());
    for item in &change.items {
        let (key, value) = item.record();
        batch.put(key, value);
    }
    batch.put(change::key(change.version), record);
    if let Some(merchant) = change.merchant {
        batch.put(merchant_change::key(merchant, change.version), merchant_change::value(change.version));
    }
    batch
}
