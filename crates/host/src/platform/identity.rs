use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use clock::Clock;
use keyspace::config::instance;
use store::{Batch, Error, Store};

const BYTES: usize = 16;

/// The identity of the data: made once, by whoever comes first, and the same for all who come at the same time.
pub(super) async fn of(store: &dyn Store, clock: &Clock) -> anyhow::Result<Arc<str>> {
    if let Some(known) = known(store).await? {
        return Ok(known);
    }
    let id: String = clock.random::<BYTES>().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut batch = Batch::durable();
    batch.require(instance::key(), None).put(instance::key(), Bytes::from(id));
    match store.commit(batch).await {
        // Ours or another's: what is stored now stays.
        Ok(()) | Err(Error::Conflict { .. } | Error::Unknown { .. }) => {}
        Err(error) => return Err(error).context("failed to store the instance id"),
    }
    known(store).await?.context("the instance id was not stored: try again")
}

async fn known(store: &dyn Store) -> anyhow::Result<Option<Arc<str>>> {
    let Some(id) = store.get(&instance::key()).await? else { return Ok(None) };
    Ok(Some(std::str::from_utf8(&id).context("the stored instance id is no text")?.into()))
}
